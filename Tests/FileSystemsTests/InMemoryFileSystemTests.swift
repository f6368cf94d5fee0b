import ClusterPrimitives
import FileSystems
import Testing

@Suite struct `A disk in memory` {
    private func write(
        _ text: String,
        to file: any WritableFile
    ) throws {
        try file.append(Array(text.utf8).span.bytes)
    }

    private func text(_ path: String, on disk: any FileSystem) throws -> String {
        String(
            decoding: try disk.openForReading(path).read(at: 0, count: 1 << 20),
            as: UTF8.self
        )
    }

    @Test func `a crash keeps what was synced and may take the rest`() throws {
        var lost = 0
        for seed in 0..<200 as Range<UInt64> {
            let disk = InMemoryFileSystem()
            try disk.createDirectory("/d")
            try disk.syncDirectory("/")
            let file = try disk.openForAppending("/d/a", .createNew)
            try write("synced", to: file)
            try file.sync()
            try disk.syncDirectory("/d")
            try write("unsynced", to: file)
            var random = SeededRandom(seed: seed)
            let after = try text("/d/a", on: disk.crashClone(random: &random))
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

    @Test func `a rule makes the n-th call fail, and a short write leaves its first bytes`() throws
    {
        let disk = FaultyFileSystem(InMemoryFileSystem())
        disk.add(FaultRule(.append, first: 2, times: 1, .shortWrite(bytes: 3)))
        disk.add(FaultRule(.sync, pathContains: "a", .inputOutputError))
        let file = try disk.openForAppending("/a", .createNew)
        try write("one,", to: file)
        let error = #expect(throws: FileSystemError.self) { try write("two,", to: file) }
        #expect(error?.reason == .noSpace)
        try write("three", to: file)
        #expect(throws: FileSystemError.self) { try file.sync() }
        #expect(try text("/a", on: disk) == "one,twothree")
        disk.removeRules()
        try file.sync()
        disk.add(FaultRule(.read, .flipBit(0)))
        #expect(try text("/a", on: disk) == "nne,twothree")
    }
}
