import ClusterPrimitives
import FileSystems
import Testing

@Suite struct `A disk in memory` {
    @Test func `a crash keeps what was synced and may take the rest`() throws {
        var lost = 0
        for seed in 0..<200 as Range<UInt64> {
            let disk = InMemoryFileSystem()
            try disk.createDirectory("/d")
            try disk.syncDirectory("/")
            let file = try disk.openForAppending("/d/a", .createNew)
            try file.append("synced")
            try file.sync()
            try disk.syncDirectory("/d")
            try file.append("unsynced")
            var random = SeededRandom(seed: seed)
            let after = try disk.crashClone(random: &random).text("/d/a")
            #expect(after.hasPrefix("synced"), "seed \(seed)")
            if after != "syncedunsynced" { lost += 1 }
        }
        #expect(lost > 20 && lost < 200)
    }

    @Test func `a name that was not synced may vanish, and a rename happens whole or not`() throws {
        var outcomes: Set<[String]> = []
        for seed in 0..<100 as Range<UInt64> {
            let disk = InMemoryFileSystem()
            try disk.openForAppending("/a", .createNew).close()
            try disk.syncDirectory("/")
            try disk.rename("/a", to: "/b")
            try disk.openForAppending("/c", .createNew).close()
            var random = SeededRandom(seed: seed)
            outcomes.insert(try disk.crashClone(random: &random).list("/"))
        }
        #expect(outcomes == [["a"], ["b"], ["a", "c"], ["b", "c"]])
    }

    @Test func `the same seed draws the same crash`() throws {
        let disk = InMemoryFileSystem()
        let file = try disk.openForAppending("/a", .createNew)
        try disk.syncDirectory("/")
        try file.append([UInt8](repeating: 7, count: 10_000).span.bytes)
        func crash(_ seed: UInt64) throws -> [UInt8] {
            var random = SeededRandom(seed: seed)
            return try disk.crashClone(random: &random).openForReading("/a")
                .read(at: 0, count: 20_000)
        }
        for seed in 0..<20 as Range<UInt64> { #expect(try crash(seed) == crash(seed)) }
    }

    @Test func `a lock refuses a second holder until it is released`() throws {
        let disk = InMemoryFileSystem()
        let lock = try disk.lock("/LOCK")
        #expect(throws: FileSystemError.self) { try disk.lock("/LOCK") }
        lock.release()
        _ = try disk.lock("/LOCK")
    }

    @Test func `a disk with a capacity takes what fits and then says it is full`() throws {
        let disk = InMemoryFileSystem(capacity: 100)
        let file = try disk.openForAppending("/a", .createNew)
        try file.append([UInt8](repeating: 1, count: 60))
        #expect(try disk.freeSpace(at: "/") == 40)
        let error = #expect(throws: FileSystemError.self) {
            try file.append([UInt8](repeating: 2, count: 60))
        }
        #expect(error?.reason == .noSpace)
        #expect(error?.operation == .append)
        #expect(try disk.size(of: "/a") == 100)
        #expect(try disk.freeSpace(at: "/") == 0)
        #expect(throws: FileSystemError.self) { try file.append("x") }
        let extended = #expect(throws: FileSystemError.self) { try file.extend(to: 101) }
        #expect(extended?.reason == .noSpace)
        #expect(extended?.operation == .extend)
        try file.extend(to: 100)
        // Writing over what is there takes no room.
        let over = try disk.openForOverwriting("/a")
        try over.append([UInt8](repeating: 3, count: 100))
        #expect(throws: FileSystemError.self) { try over.append("x") }
        #expect(try disk.contents("/a") == [UInt8](repeating: 3, count: 100))
        disk.setCapacity(101)
        try over.append("x")
        #expect(try disk.size(of: "/a") == 101)
    }

    @Test func `an extension that does not fit takes the room there is`() throws {
        let disk = InMemoryFileSystem(capacity: 10)
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("abc")
        #expect(throws: FileSystemError.self) { try file.extend(to: 20) }
        #expect(try disk.text("/a") == "abc\0\0\0\0\0\0\0")
        try file.append("def")
        #expect(try disk.text("/a") == "abcdef\0\0\0\0")
    }

    @Test func `a write behind the end of a file that was cut takes room for what lies between`()
        throws
    {
        let disk = InMemoryFileSystem(capacity: 10)
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("01234567")
        try disk.truncate("/a", to: 2)
        try disk.make("/b", "01234", in: "/")
        #expect(try disk.freeSpace(at: "/") == 3)
        #expect(throws: FileSystemError.self) { try file.append("x") }
        try file.append("")
        #expect(try disk.size(of: "/a") == 2)
        try disk.remove("/b")
        #expect(throws: FileSystemError.self) { try file.append("xyz") }
        #expect(try disk.text("/a") == "01\0\0\0\0\0\0xy")
    }

    @Test func `room is given back when the last name and the last open file are gone`() throws {
        let disk = InMemoryFileSystem(capacity: 100)
        try disk.make("/a", "0123456789", in: "/")
        try disk.link("/a", to: "/b")
        #expect(try disk.freeSpace(at: "/") == 90)
        try disk.remove("/a")
        #expect(try disk.freeSpace(at: "/") == 90)
        do {
            let reader = try disk.openForReading("/b")
            try disk.remove("/b")
            #expect(try disk.freeSpace(at: "/") == 90)
            try disk.syncDirectory("/")
            #expect(try reader.read(at: 8, count: 5) == Array("89".utf8))
        }
        #expect(try disk.freeSpace(at: "/") == 100)
        try disk.syncDirectory("/")
        try disk.make("/c", "0123456789", in: "/")
        try disk.make("/d", "01234", in: "/")
        try disk.rename("/d", to: "/c")
        #expect(try disk.freeSpace(at: "/") == 95)
        try disk.truncate("/c", to: 2)
        #expect(try disk.freeSpace(at: "/") == 98)
    }

    @Test func `a crash leaves the disk as small as it was and counts what is left`() throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = InMemoryFileSystem(capacity: 100)
            try disk.make("/a", "0123456789", in: "/")
            try disk.link("/a", to: "/b")
            try disk.openForAppending("/c", .createNew).append("01234")
            var random = SeededRandom(seed: seed)
            let clone = disk.crashClone(random: &random)
            var expected = 90
            if try clone.exists("/c") { expected -= try clone.size(of: "/c") }
            #expect(try clone.freeSpace(at: "/") == expected, "seed \(seed)")
        }
    }

    @Test func `a read-only disk refuses every change and still reads`() throws {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/d")
        try disk.make("/a", "text", in: "/")
        let file = try disk.openForAppending("/a", .openExisting)
        let unsynced = try disk.openForAppending("/d/b", .createNew)
        try unsynced.append("b")
        disk.setReadOnly(true)
        let calls: [(FileSystemError.Operation, () throws -> Void)] = [
            (.openForAppending, { _ = try disk.openForAppending("/c", .createNew) }),
            (.openForAppending, { _ = try disk.openForAppending("/a", .openExisting) }),
            (.openForOverwriting, { _ = try disk.openForOverwriting("/a") }),
            (.append, { try file.append("x") }),
            (.extend, { try file.extend(to: 100) }),
            (.sync, { try unsynced.sync() }),
            (.rename, { try disk.rename("/a", to: "/c") }),
            (.link, { try disk.link("/a", to: "/c") }),
            (.remove, { try disk.remove("/a") }),
            (.createDirectory, { try disk.createDirectory("/e") }),
            (.syncDirectory, { try disk.syncDirectory("/d") }),
            (.truncate, { try disk.truncate("/a", to: 1) }),
            (.lock, { _ = try disk.lock("/LOCK") }),
        ]
        for (operation, call) in calls {
            let error = #expect(throws: FileSystemError.self, performing: call)
            #expect(error?.operation == operation)
            #expect(error?.reason == .notPermitted, "\(operation)")
        }
        try file.sync()
        try disk.syncDirectory("/")
        try disk.createDirectory("/d")
        #expect(try disk.text("/a") == "text")
        #expect(try disk.list("/") == ["a", "d"])
        disk.setReadOnly(false)
        try file.append("x")
        #expect(try disk.text("/a") == "textx")
    }

    @Test func `a bit that a file does not have cannot be turned`() throws {
        let disk = InMemoryFileSystem()
        try disk.make("/a", "a", in: "/")
        #expect(throws: FileSystemError.self) { try disk.flipBit(8, in: "/a") }
        #expect(throws: FileSystemError.self) { try disk.flipBit(-1, in: "/a") }
        try disk.flipBit(1, in: "/a")
        #expect(try disk.text("/a") == "c")
    }
}
