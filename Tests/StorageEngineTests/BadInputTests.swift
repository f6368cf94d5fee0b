import ByteCoding
import FileSystems
import StorageEngine
import Testing

/// What an engine does not open is named, and stays as it was.
@Suite struct `Files that do not fit` {
    /// A closed engine with two trees, a table of each and records in the log.
    private func disk(
        _ directory: String = "/db",
        on disk: InMemoryFileSystem = InMemoryFileSystem(),
        keys: Int = 10
    ) throws -> InMemoryFileSystem {
        let engine = try Engine.open(
            directory: directory,
            on: disk,
            options: engineOptions(),
            rules: engineRules
        )
        for tree in [1, 2] as [UInt32] {
            try engine.createTree(tree, rule: tree == 1 ? newestWins : largestWins)
            for index in 0..<keys {
                try engine.put(batch(tree, UInt64(index), "key", [UInt8(tree)], stamp: 5))
            }
            try engine.flush(tree: tree)
        }
        try engine.put(batch(1, 0, "in the log", [1], stamp: 7))
        try engine.close()
        return disk
    }

    private func table(_ tree: UInt32, _ disk: InMemoryFileSystem) throws -> String {
        let name = try disk.list("/db/\(tree)").first { $0.hasSuffix(".sst") }
        return "/db/\(tree)/\(try #require(name))"
    }

    /// The error of an opening that must fail and leave all files as they are.
    private func refusal(
        _ disk: InMemoryFileSystem,
        _ change: (inout EngineOptions) -> Void = { _ in },
        location: SourceLocation = #_sourceLocation
    ) throws -> StorageError? {
        let before = try disk.contents("/")
        let error = #expect(throws: StorageError.self, sourceLocation: location) {
            try openEngine(disk, change)
        }
        #expect(try disk.contents("/") == before, sourceLocation: location)
        return error
    }

    private func isMissing(_ error: StorageError?, _ path: String) -> Bool {
        guard case .corruption(let file, 0, let expected, 0, let what) = error else { return false }
        return file == path && expected > 0 && what.contains("missing")
    }

    // MARK: Newer formats

    @Test func `a newer manifest`() throws {
        let disk = try disk()
        try disk.change("/db/MANIFEST") { bytes in
            bytes[8] = 2
            let checksum = CRC32C.checksum(Array(bytes[..<24]))
            for index in 0..<4 {
                bytes[24 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
            }
        }
        #expect(
            try refusal(disk) == .unsupportedFormat(file: "/db/MANIFEST", version: 2)
        )
    }

    @Test func `a newer table`() throws {
        let disk = try disk()
        let path = try table(2, disk)
        try disk.change(path) { bytes in
            bytes[8] = 3
            let checksum = CRC32C.checksum(Array(bytes[..<36]))
            for index in 0..<4 {
                bytes[36 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
            }
        }
        #expect(try refusal(disk) == .unsupportedFormat(file: path, version: 3))
    }

    @Test func `a newer log`() throws {
        let disk = try disk()
        let name = try #require(try disk.list("/db/log").last { $0.hasSuffix(".log") })
        let path = "/db/log/\(name)"
        // Checksums are joined with the word of their place, so the change of the sums is enough.
        try disk.change(path) { bytes in
            var fields = Array(bytes[..<40])
            for index in 12..<16 { fields[index] = 0 }
            let before = CRC32C.checksum(fields)
            fields[8] = 9
            let change = before ^ CRC32C.checksum(fields)
            bytes[8] = 9
            for index in 0..<4 {
                bytes[12 + index] ^= UInt8(truncatingIfNeeded: change >> (8 * index))
            }
        }
        #expect(try refusal(disk) == .unsupportedFormat(file: path, version: 9))
    }

    // MARK: Missing files

    @Test func `a missing table, tree, log or manifest`() throws {
        for part in ["table", "tree", "empty tree", "segment", "log", "manifest"] {
            let disk = try disk()
            var path = ""
            switch part {
            case "table":
                path = try table(1, disk)
                try disk.remove(path)
            case "tree":
                path = try table(2, disk)
                try disk.remove(path)
                try disk.remove("/db/2")
            case "empty tree":
                let engine = try openEngine(disk)
                try engine.createTree(3, rule: largestWins)
                try engine.close()
                path = "/db/3"
                try disk.remove(path)
            case "segment", "log":
                for name in try disk.list("/db/log") {
                    if name.hasSuffix(".log"), path.isEmpty { path = "/db/log/\(name)" }
                    try disk.remove("/db/log/\(name)")
                }
                if part == "log" { try disk.remove("/db/log") }
            default:
                path = "/db/MANIFEST"
                try disk.remove(path)
            }
            let error = try refusal(disk)
            #expect(isMissing(error, path), "\(part): \(String(describing: error))")
            guard part != "manifest" else { continue }
            let engine = try openEngine(disk, damage: .isolate)
            #expect(engine.damage.contains { isMissing($0, path) }, "\(part): \(engine.damage)")
            try engine.put(batch(2, 50, "new", [1]))
            try engine.flush(tree: 2)
            let lost = try engine.lostRanges(tree: 2)
            #expect(lost.isEmpty == !["segment", "log"].contains(part), "\(part)")
            try engine.clearLostRanges(lost, tree: 2)
            #expect(try engine.value(2, 50, "new") == [1], "\(part)")
        }
    }

    // MARK: Files of others

    @Test func `a table of another engine, tree or number, or of another moment`() throws {
        let disk = try disk()
        let path = try table(1, disk)
        func expectForeign(_ bytes: [UInt8], _ what: String) throws {
            let disk = try disk.copy()
            try disk.write(bytes, to: path)
            let error = try refusal(disk)
            guard case .foreignFile(path, let found) = error else {
                Issue.record("\(what): \(String(describing: error))")
                return
            }
            #expect(found.contains(what))
        }
        let other = InMemoryFileSystem()
        let engine = try openEngine(other) { $0.identity = 77 }
        try engine.createTree(1, rule: newestWins)
        try engine.put(batch(1, 0, "key", [1]))
        try engine.flush(tree: 1)
        try expectForeign(try other.bytes(table(1, other)), "identity")
        try expectForeign(try disk.bytes(table(2, disk)), "tree 2")
        let twin = try self.disk(keys: 3)
        #expect(try table(1, twin) == path)
        try expectForeign(try twin.bytes(path), "3 entries")
        let next = try openEngine(twin)
        try next.compact(tree: 1)
        try next.put(batch(1, 0, "more", [1]))
        try next.flush(tree: 1)
        let names = try twin.list("/db/1")
        try expectForeign(try twin.bytes("/db/1/\(try #require(names.last))"), "table ")
    }

    @Test func `a manifest of another directory`() throws {
        let disk = try disk()
        let other = try self.disk(keys: 3)
        try disk.write(try other.bytes("/db/MANIFEST"), to: "/db/MANIFEST")
        guard case .foreignFile(let file, _) = try refusal(disk) else {
            Issue.record("the tables do not fit the manifest")
            return
        }
        #expect(try file == table(1, disk))
        let foreign = InMemoryFileSystem()
        try openEngine(foreign) { $0.identity = 77 }.close()
        try disk.write(try foreign.bytes("/db/MANIFEST"), to: "/db/MANIFEST")
        #expect(
            try refusal(disk)
                == .foreignFile(
                    file: "/db/MANIFEST",
                    what: "it was written under another identity"
                )
        )
    }

    @Test func `damage of the manifest is named with its place and both checksums`() throws {
        let base = try disk()
        for (byte, offset) in [(0, 0), (20, 0), (40, 28)] {
            let disk = try base.copy()
            try disk.flipBit(byte * 8, in: "/db/MANIFEST")
            let error = try refusal(disk)
            guard case .corruption("/db/MANIFEST", offset, let expected, let found, _) = error
            else {
                Issue.record("byte \(byte): \(String(describing: error))")
                continue
            }
            #expect(expected != found, "byte \(byte)")
        }
        for size in [0, 5, 27, 28, 40] {
            let disk = try base.copy()
            try disk.truncate("/db/MANIFEST", to: size)
            guard case .corruption("/db/MANIFEST", _, _, _, _) = try refusal(disk) else {
                Issue.record("\(size) bytes of the manifest were taken for all")
                continue
            }
        }
    }

    // MARK: Disks and directories

    @Test func `a disk that cannot be written is read, and not opened`() throws {
        let disk = try disk()
        disk.setReadOnly(true)
        guard case .io(let failure) = try refusal(disk) else {
            Issue.record("opened on a disk that cannot be written")
            return
        }
        #expect(failure.reason == .notPermitted)
        let trees = try Engine.read(
            directory: "/db/",
            on: disk,
            options: engineOptions(),
            rules: engineRules
        )
        #expect(try trees[1]?.scan().entries.count == 11)
        #expect(try trees[2]?.scan().entries.count == 10)
    }

    @Test func `a disk that turns unwritable poisons the engine, which still reads`() throws {
        let disk = try disk()
        let engine = try openEngine(disk)
        disk.setReadOnly(true)
        #expect(throws: StorageError.self) { try engine.put(batch(1, 0, "a", [1])) }
        #expect(try engine.value(1, 0, "in the log") == [1])
        #expect(throws: StorageError.self) { try engine.close() }
        disk.setReadOnly(false)
        #expect(try openEngine(disk).value(1, 0, "in the log") == [1])
    }

    @Test func `a path that is a file, or has no parent`() throws {
        let disk = try disk()
        for (path, reason) in [
            ("/db/MANIFEST", FileSystemError.Reason.alreadyExists), ("/none/db", .notFound),
        ] {
            let error = #expect(throws: StorageError.self) {
                try Engine.open(directory: path, on: disk, options: engineOptions())
            }
            guard case .io(let failure) = error else {
                Issue.record("\(path): \(String(describing: error))")
                continue
            }
            #expect(failure.reason == reason)
            #expect(failure.path.hasPrefix(path))
        }
    }

    @Test func `one directory is one engine's however its name is written`() throws {
        let disk = InMemoryFileSystem()
        let engine = try Engine.open(directory: "/db/", on: disk)
        #expect(throws: StorageError.locked(holder: "this process")) {
            try Engine.open(directory: "/db", on: disk)
        }
        try engine.close()
        #expect(try disk.list("/db") == ["LOCK", "MANIFEST", "log"])
    }

    @Test func `stray files are named and left alone, in a new directory and in an old one`() throws
    {
        let disk = try disk()
        let strays = [
            "/db/README", "/db/+1", "/db/01", "/db/4294967296", "/db/7", "/db/log/1.log",
            "/db/log/old", "/db/1/1.sst", "/db/1/notes", "/db/1/000900.sst",
            "/db/1/000900.sst.damaged",
        ]
        for path in strays { try disk.write([1], to: path) }
        let engine = try openEngine(disk)
        #expect(Set(engine.unknownFiles) == Set(strays))
        #expect(engine.unknownFiles.count == strays.count)
        for index in 0..<5 as Range<UInt8> {
            try engine.put(batch(1, 0, "x", [index], stamp: 10))
            try engine.flush(tree: 1)
        }
        try engine.compact(tree: 1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        for path in strays { #expect(try disk.bytes(path) == [1], "\(path)") }

        let new = InMemoryFileSystem()
        try new.createDirectory("/db")
        try new.write([1], to: "/db/stray")
        let fresh = try openEngine(new)
        #expect(fresh.unknownFiles == ["/db/stray"])
        #expect(try new.bytes("/db/stray") == [1])
    }

    @Test
    func `a tree made anew writes over nothing that lies in the directory of the dropped one`()
        throws
    {
        let disk = try disk()
        let engine = try openEngine(disk)
        try engine.dropTree(1)
        try engine.close()
        // The stranger keeps the directory there.
        let strays = ["/db/1/notes", "/db/1/000005.sst", "/db/1/000006.tmp", "/db/1/000009.tmp"]
        for path in strays { try disk.write([1], to: path) }
        let again = try openEngine(disk)
        try again.createTree(1, rule: .overwrite)
        for index in 0..<12 as Range<UInt8> {
            try again.put(batch(1, 0, "x", [index], stamp: 10))
            try again.flush(tree: 1)
        }
        for path in strays { #expect(try disk.bytes(path) == [1], "\(path)") }
    }

    @Test func `names with the largest numbers neither trap nor are taken for the engine's`() throws
    {
        for number in ["18446744073709551615", "9223372036854775807", "4611686018427387904"] {
            let disk = try disk()
            let strays = [
                "/db/log/\(number).log", "/db/log/\(number).spare", "/db/1/\(number).sst",
            ]
            for path in strays { try disk.write([1], to: path) }
            try disk.write([1], to: "/db/1/\(number).tmp")
            for _ in 0..<2 {
                let engine = try openEngine(disk)
                #expect(Set(engine.unknownFiles).isSuperset(of: strays))
                try engine.put(batch(1, 0, "x", [1], stamp: 10))
                try engine.flush(tree: 1)
                try engine.close()
            }
        }
    }

    @Test func `the last number an engine could use is refused by name where one must follow it`()
        throws
    {
        let last = "4611686018427387903"
        for file in ["/db/1/\(last).sst", "/db/1/\(last).tmp"] {
            let disk = try disk()
            try disk.write([1], to: file)
            #expect(
                try refusal(disk)
                    == .foreignFile(file: file, what: "no number is left behind its own")
            )
        }
        let spared = try disk()
        try spared.write([UInt8](repeating: 0, count: 5000), to: "/db/log/\(last).spare")
        try openEngine(spared).close()
        #expect(try !spared.exists("/db/log/\(last).spare"))
    }

    // MARK: What the caller gives

    @Test func `a rule that is not given`() throws {
        let disk = try disk()
        let before = try disk.contents("/")
        #expect(throws: StorageError.unknownRule(tree: 2, name: "largest")) {
            try Engine.open(
                directory: "/db",
                on: disk,
                options: engineOptions(),
                rules: [newestWins]
            )
        }
        #expect(try disk.contents("/") == before)
    }

    @Test func `stamps above what the clock allows, in tables and in the log`() throws {
        let base = try disk()
        // The log has 7, tables have 5.
        for (limit, newest) in [(6, 7), (4, 7), (0, 7)] as [(UInt64, UInt64)] {
            #expect(
                try refusal(base) { $0.latestStamp = limit }
                    == .stampAhead(tree: 1, newest: newest, limit: limit)
            )
        }
        let disk = try base.copy()
        let engine = try openEngine(disk) { $0.latestStamp = 7 }
        #expect(try engine.newestStamp(tree: 1) == 7)
        // Trees that the engine stamps have no clock.
        try engine.createTree(3, rule: .overwrite)
        try engine.put(batch(3, 0, "a", [1]))
        try engine.flush(tree: 1)
        try engine.flush(tree: 3)
        try engine.close()
        #expect(
            try refusal(disk) { $0.latestStamp = 6 }
                == .stampAhead(tree: 1, newest: 7, limit: 6)
        )
        try openEngine(disk) { $0.latestStamp = 7 }.close()
    }
}
