import FileSystems
import StorageEngine
import Testing

@Suite struct `Damaged files` {
    private static let keys = (0..<12).map { "key \($0)" }

    private func value(_ index: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(index + 1), count: 40)
    }

    /// An engine's disk with all keys, closed.
    private func disk(flushing: Bool) throws -> InMemoryFileSystem {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        for (index, key) in Self.keys.enumerated() { try engine.put(batch(key, value(index))) }
        if flushing { try engine.perform(.flush(1)) }
        try engine.close()
        return disk
    }

    /// Turns each byte of the files whose path contains `part`; every answer must be right or an
    /// error.
    private func flipEveryByte(of path: String, _ base: InMemoryFileSystem) throws -> Int {
        var refused = 0
        let size = try base.size(of: path)
        for byte in 0..<size {
            let disk = try base.copy()
            try disk.flipBit(byte * 8 + byte % 8, in: path)
            do {
                let engine = try openEngine(disk)
                for (index, key) in Self.keys.enumerated() {
                    let found = try engine.value(key)
                    #expect(found == value(index), "byte \(byte) of \(path)")
                }
                #expect(try engine.allEntries().count == Self.keys.count, "byte \(byte)")
            } catch {
                refused += 1
            }
        }
        return refused
    }

    @Test func `no byte of a table can be turned and give a wrong answer`() throws {
        let base = try disk(flushing: true)
        let name = try #require(try base.list("/db/1").first)
        #expect(try flipEveryByte(of: "/db/1/\(name)", base) > 0)
    }

    @Test func `no byte of a manifest can be turned and give a wrong answer`() throws {
        let base = try disk(flushing: true)
        #expect(try flipEveryByte(of: "/db/MANIFEST", base) > 0)
    }

    @Test func `no byte of a synced log can be turned and give a wrong answer`() throws {
        let base = try disk(flushing: false)
        let name = try #require(try base.list("/db/log").first)
        #expect(try flipEveryByte(of: "/db/log/\(name)", base) > 0)
    }

    @Test func `damage above the highest mark is a torn tail, and whole batches behind it go too`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("kept", [1]))
        try engine.writeIdleMark()
        let name = try #require(try disk.list("/db/log").first)
        let end = try disk.size(of: "/db/log/\(name)")
        _ = try engine.append(batch("torn", [2]))
        _ = try engine.append(batch("behind", [3]))
        try engine.write()
        let after = try disk.copy()
        try after.flipBit((end + 50) * 8, in: "/db/log/\(name)")
        let recovered = try openEngine(after)
        #expect(try recovered.allEntries().map(\.value) == [[1]])
    }

    @Test func `damage below the highest mark is corruption, and nothing is deleted`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        let name = try #require(try disk.list("/db/log").first)
        let start = try disk.size(of: "/db/log/\(name)")
        try engine.put(batch("a", [1]))
        try engine.put(batch("b", [2]))
        let after = try disk.copy()
        try after.flipBit((start + 45) * 8, in: "/db/log/\(name)")
        let before = try after.bytes("/db/log/\(name)")
        let error = #expect(throws: StorageError.self) { try openEngine(after) }
        guard case .corruption(let file, let offset, _, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(file == "/db/log/\(name)")
        #expect(offset == start)
        #expect(try after.bytes("/db/log/\(name)") == before)
    }

    @Test func `a missing file is corruption`() throws {
        for flushing in [true, false] {
            let base = try disk(flushing: flushing)
            var paths = try base.list("/db/log").map { "/db/log/\($0)" }
            paths += try base.list("/db/1").map { "/db/1/\($0)" }
            paths.append("/db/MANIFEST")
            for path in paths {
                let disk = try base.copy()
                try disk.remove(path)
                #expect(throws: StorageError.self, "\(path)") { try openEngine(disk) }
            }
        }
    }
}
