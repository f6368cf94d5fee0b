import FileSystems
import StorageEngine
import Testing

@Suite struct `Verify and scrub` {
    private static let count = 60

    private func engine(_ disk: InMemoryFileSystem) throws -> Engine {
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: largestWins)
        for index in 0..<Self.count {
            try engine.put(
                batch(
                    1,
                    UInt64(index),
                    "key",
                    [UInt8](repeating: UInt8(index), count: 60),
                    stamp: 5
                )
            )
        }
        try engine.flush(tree: 1)
        return engine
    }

    private func table(_ disk: InMemoryFileSystem) throws -> String {
        "/db/1/\(try #require(try disk.list("/db/1").first { $0.hasSuffix(".sst") }))"
    }

    /// The prefixes that a lookup answers, all rightly; of the others it must say that it does not
    /// know.
    private func answered(_ engine: Engine) throws -> [UInt64] {
        var known: [UInt64] = []
        for index in 0..<UInt64(Self.count) {
            do throws(StorageError) {
                let found = try engine.get(tree: 1, prefix: index, key: Array("key".utf8))
                #expect(found == .found([UInt8](repeating: UInt8(index), count: 60), stamp: 5))
                known.append(index)
            } catch {
                switch error {
                case .corruption, .lost: continue
                default: throw error
                }
            }
        }
        return known
    }

    @Test func `a sound tree has no findings, and the pace is told of all bytes`() throws {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        var bytes = 0
        #expect(
            try engine.verify(tree: 1) { read in
                bytes += read
                return true
            } == []
        )
        #expect(try bytes == disk.size(of: table(disk)))
        #expect(try engine.scrub(tree: 1) == ScrubReport.nothing)
        var calls = 0
        _ = try engine.verify(tree: 1) { _ in
            calls += 1
            return false
        }
        #expect(calls == 1)
        #expect(throws: StorageError.unknownTree(9)) { try engine.verify(tree: 9) }
    }

    @Test func `a damaged block is found without change, then written out and its range lost`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        let path = try table(disk)
        try disk.flipBit(700 * 8, in: path)
        let before = try disk.contents("/db")
        let findings = try engine.verify(tree: 1)
        #expect(findings.count == 1)
        #expect(try disk.contents("/db") == before)
        guard case .corruption(path, let offset, let expected, let found, _) = findings[0].error
        else {
            Issue.record("\(findings)")
            return
        }
        #expect(offset <= 700 && expected != found)
        let range = try #require(findings[0].range)
        let known = try answered(engine)
        #expect(known.count < Self.count && known.count > Self.count / 2)

        let damaged = try disk.bytes(path)
        let report = try engine.scrub(tree: 1)
        #expect(report.findings == findings)
        #expect(report.lost == [range])
        #expect(report.quarantinedFiles == [path + ".damaged"])
        #expect(report.salvagedTables.count == 1)
        #expect(report.skippedTables == [])
        #expect(try disk.bytes(path + ".damaged") == damaged)
        #expect(try answered(engine) == known)
        #expect(try engine.verify(tree: 1) == [])
        #expect(try engine.lostRanges(tree: 1) == [range])
        #expect(engine.statistics().trees[0].lostRanges == 1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(try !disk.exists(path))
        #expect(try disk.bytes(path + ".damaged") == damaged)
    }

    @Test func `lost ranges outlive a restart and compaction, and go when they are cleared`() throws
    {
        let disk = InMemoryFileSystem()
        var engine = try engine(disk)
        try disk.flipBit(700 * 8, in: try table(disk))
        let report = try engine.scrub(tree: 1)
        let range = try #require(report.lost.first)
        let known = try answered(engine)
        let missing = (0..<UInt64(Self.count)).filter { !known.contains($0) }
        try engine.close()
        engine = try openEngine(disk)
        #expect(engine.damage == [])
        #expect(engine.unknownFiles == report.quarantinedFiles)
        #expect(try engine.lostRanges(tree: 1) == [range])
        #expect(try answered(engine) == known)
        #expect(throws: StorageError.lost(tree: 1, range: range)) { try engine.scan(tree: 1) }
        #expect(
            try engine.scan(tree: 1, through: missing[0] - 1).entries.map(\.prefix)
                == Array(0..<missing[0])
        )
        // A newer record is all there is to know; an older one is not.
        let key = Array("key".utf8)
        let newer = batch(1, missing[0], "key", [255], stamp: range.newestStamp + 1)
        try engine.put(newer)
        #expect(throws: StorageError.lost(tree: 1, range: range)) {
            try engine.get(tree: 1, prefix: missing[1], key: key)
        }
        try engine.compact(tree: 1)
        #expect(try engine.lostRanges(tree: 1) == [range])
        for index in missing {
            try engine.put(
                batch(1, index, "key", [UInt8](repeating: UInt8(index), count: 60), stamp: 5)
            )
        }
        try engine.clearLostRanges([range], tree: 1)
        try engine.close()
        engine = try openEngine(disk)
        #expect(try engine.lostRanges(tree: 1) == [])
        #expect(try engine.allEntries().count == Self.count)
    }

    @Test func `damage that costs no entry is mended without a lost range`() throws {
        let base = InMemoryFileSystem()
        try engine(base).close()
        let path = try table(base)
        let size = try base.size(of: path)
        // Header, footer and the blocks before it.
        for byte in [3, size - 10, size - 60, size - 100] {
            let disk = try base.copy()
            try disk.flipBit(byte * 8, in: path)
            let engine = try openEngine(disk)
            #expect(engine.damage.count == 1, "byte \(byte)")
            #expect(try answered(engine).count == Self.count, "byte \(byte)")
            let report = try engine.scrub(tree: 1)
            #expect(!report.findings.isEmpty, "byte \(byte)")
            #expect(report.lost == [], "byte \(byte)")
            #expect(report.salvagedTables.count == 1, "byte \(byte)")
            #expect(try engine.verify(tree: 1) == [], "byte \(byte)")
            #expect(try engine.allEntries().count == Self.count, "byte \(byte)")
            try engine.close()
            #expect(try openEngine(disk).damage == [])
        }
    }

    @Test func `a table that is gone is lost in all of its range`() throws {
        let disk = InMemoryFileSystem()
        try engine(disk).close()
        let path = try table(disk)
        try disk.remove(path)
        #expect(throws: StorageError.self) { try openEngine(disk) }
        let engine = try openEngine(disk, damage: .isolate)
        #expect(try answered(engine) == [])
        try engine.put(batch(1, 200, "elsewhere", [1]))
        #expect(try engine.value(1, 200, "elsewhere") == [1])
        let report = try engine.scrub(tree: 1)
        #expect(report.lost.count == 1)
        #expect(report.quarantinedFiles == [])
        #expect(try answered(engine) == [])
        try engine.clearLostRanges(report.lost, tree: 1)
        #expect(try engine.allEntries().map(\.prefix) == [200])
        try engine.close()
        #expect(try openEngine(disk).allEntries().count == 1)
    }

    @Test func `a compaction over damage fails, changes nothing, and goes on after a scrub`() throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        try engine.put(batch(1, 3, "more", [1]))
        try engine.flush(tree: 1)
        try disk.flipBit(700 * 8, in: try table(disk))
        let names = try disk.list("/db/1")
        let error = #expect(throws: StorageError.self) { try engine.compact(tree: 1) }
        guard case .corruption = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try disk.list("/db/1") == names)
        let known = try answered(engine)
        #expect(try engine.scrub(tree: 1).lost.count == 1)
        try engine.compact(tree: 1)
        #expect(engine.statistics().trees[0].runCount == 1)
        #expect(try answered(engine) == known)
    }
}

extension ScrubReport {
    /// The report of a scrub that found all sound.
    static var nothing: ScrubReport {
        get throws {
            let engine = try openEngine(InMemoryFileSystem())
            try engine.createTree(1, rule: .overwrite)
            return try engine.scrub(tree: 1)
        }
    }
}
