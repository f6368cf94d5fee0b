import FileSystems
import StorageEngine
import Testing

@Suite struct `The description of a directory` {
    /// A disk with a tree of two tables, of which one is cut into parts, and records in the log.
    private func disk() throws -> InMemoryFileSystem {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: newestWins, compression: .zlib(level: 6))
        for index in 0..<40 {
            try engine.put(
                batch(1, UInt64(index), "key \(index)", [UInt8](repeating: 7, count: 90), stamp: 9)
            )
        }
        try engine.flush(tree: 1)
        try engine.put(batch(1, 3, "secret", Array("hidden".utf8), stamp: 12))
        try engine.writeIdleMark()
        return disk
    }

    private func lines(
        _ disk: any FileSystem,
        _ change: (inout DumpOptions) -> Void = { _ in }
    ) throws -> [String] {
        var options = DumpOptions()
        change(&options)
        var lines: [String] = []
        try Engine.dump(directory: "/db/", on: disk, options: options) { lines.append($0) }
        return lines
    }

    @Test func `names what every kind of file holds, under the identity it finds`() throws {
        let text = try lines(disk()).joined(separator: "\n")
        for part in [
            "manifest /db/MANIFEST", "generation 1", "identity 0000000000c0ffee\n",
            "tree 1: rule newest, compression zlib 6", "40 entries", "stamps 9 to 9",
            "first key 0000000000000000:6b65792030 \"key 0\"", "part of run 1 from ",
            "log begins with segment", "batch at 40", "1 records", "mark", "the log ends at",
            "header: format 1", "codec zlib", ": data, ", ": versions, ", ": filter, ", ": index, ",
            "footer: versions at",
        ] {
            #expect(text.contains(part), "\(part) in\n\(text)")
        }
        #expect(!text.contains("damage"), "\(text)")
        #expect(!text.contains("torn"), "\(text)")
    }

    @Test func `shows entries if asked to, and values only if asked for them too`() throws {
        let disk = try disk()
        #expect(try !lines(disk).contains { $0.contains("secret") })
        let entries = try lines(disk) { $0.showsEntries = true }
        #expect(entries.contains { $0.hasSuffix("\"secret\" stamp 12 6 bytes") })
        #expect(entries.contains { $0.hasSuffix("\"key 7\" stamp 9 90 bytes") })
        #expect(!entries.contains { $0.contains("hidden") })
        let values = try lines(disk) { options in
            options.showsEntries = true
            options.showsValues = true
        }
        #expect(values.contains { $0.hasSuffix("value 68696464656e \"hidden\"") })
    }

    @Test func `changes nothing, and needs neither lock nor a disk that can be written`() throws {
        let disk = try disk()
        let before = try disk.contents("/db")
        disk.setReadOnly(true)
        #expect(try lines(disk).count > 20)
        #expect(try disk.contents("/db") == before)
    }

    @Test func `goes on past damage of each file, and says where it is`() throws {
        let base = try disk()
        let sound = try lines(base)
        for path in try base.contents("/db").keys.sorted()
        where !path.hasSuffix("LOCK") && !path.hasSuffix("/") {
            let size = try base.size(of: path)
            for byte in Swift.stride(from: 0, to: size, by: max(1, size / 12)) {
                let disk = try base.copy()
                try disk.flipBit(byte * 8 + 1, in: path)
                let lines = try lines(disk)
                // Bytes behind the end of the log, and of spares, say nothing.
                if !path.contains("/log/") {
                    #expect(lines != sound, "byte \(byte) of \(path)")
                }
                #expect(lines.contains { $0.hasPrefix("log ") }, "byte \(byte) of \(path)")
                #expect(lines.contains { $0.hasPrefix("tree 1 ") }, "byte \(byte) of \(path)")
            }
            let disk = try base.copy()
            try disk.remove(path)
            #expect(try lines(disk) != sound, "without \(path)")
            try disk.write([1, 2, 3], to: path)
            #expect(try lines(disk) != sound, "with three bytes in \(path)")
        }
    }

    @Test func `a wrong identity is told, and a directory that is not there thrown`() throws {
        let disk = try disk()
        let lines = try lines(disk) { $0.identity = 5 }
        #expect(lines.contains { $0.contains("another identity") })
        let error = #expect(throws: StorageError.self) {
            try Engine.dump(directory: "/nothing", on: disk) { _ in }
        }
        guard case .io(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.reason == .notFound)
    }

    @Test func `lost ranges, foreign files and snapshots are described`() throws {
        let disk = try disk()
        let engine = try openEngine(try disk.copy())
        try engine.close()
        try disk.write([1], to: "/db/notes.txt")
        try disk.write([1], to: "/db/1/notes.txt")
        let copy = try disk.copy()
        let table = try #require(try copy.list("/db/1").first { $0.hasSuffix(".sst") })
        try copy.flipBit(60 * 8, in: "/db/1/\(table)")
        let damaged = try openEngine(copy)
        #expect(try damaged.scrub(tree: 1).lost.count == 1)
        try damaged.createSnapshot(at: "/copy")
        let text = try lines(copy).joined(separator: "\n")
        #expect(text.contains("lost from 0000000000000000:"), "\(text)")
        #expect(text.contains("other /db/notes.txt"))
        #expect(text.contains("other /db/1/notes.txt"))
        #expect(text.contains("\(table).damaged"))
        var snapshot: [String] = []
        try Engine.dump(directory: "/copy", on: copy) { snapshot.append($0) }
        #expect(snapshot.contains { $0.contains("generation 1") })
        #expect(snapshot.contains { $0.contains("lost from") })
    }
}
