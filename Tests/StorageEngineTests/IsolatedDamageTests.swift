import FileSystems
import StorageEngine
import Testing

@Suite struct `Damage that an engine goes on with` {
    private func log(_ disk: InMemoryFileSystem) throws -> String {
        let name = try disk.list("/db/log").last { $0.hasSuffix(".log") }
        return "/db/log/\(try #require(name))"
    }

    @Test func `an older value never stands in for one that the log has lost`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.createTree(2, rule: newestWins)
        try engine.put(batch("before", [0]))
        try engine.put(batch("k", [1]))
        try engine.put(batch(2, 0, "k", [1], stamp: 1))
        let start = engine.durablePosition.offset
        var lost = batch("k", [2])
        lost.put(tree: 2, prefix: 0, key: Array("k".utf8), value: [2], stamp: 2)
        try engine.put(lost)
        try engine.put(batch("other", [3]))
        try engine.close()
        // A byte of a record, behind the header of the batch.
        try disk.flipBit((Int(start) + 100) * 8, in: log(disk))
        #expect(throws: StorageError.self) { try openEngine(disk) }
        for _ in 0..<2 {
            let opened = try openEngine(disk, damage: .isolate)
            for tree in 1...2 as ClosedRange<UInt32> {
                let error = #expect(throws: StorageError.self) { try opened.value(tree, 0, "k") }
                guard case .lost(tree, _) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                #expect(throws: StorageError.self) { try opened.value(tree, 0, "never written") }
            }
            // Prefixes that the lost batch did not have are known.
            #expect(try opened.value(1, 7, "k") == nil)
            try opened.close()
        }
        let opened = try openEngine(disk)
        #expect(opened.damage.isEmpty)
        try opened.put(batch("k", [9]))
        #expect(try opened.value("k") == [9])
        try opened.clearLostRanges(opened.lostRanges(tree: 2), tree: 2)
        #expect(try opened.value(2, 0, "k") == [1])
        try opened.close()
        #expect(try openEngine(disk).lostRanges(tree: 2).isEmpty)
    }

    @Test func `a compaction that meets damage is not tried again and again`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) {
            $0.cacheSize = 0
            $0.spareSegments = 0
        }
        try engine.createTree(1, rule: .overwrite)
        for round in 0..<4 as Range<UInt8> {
            for index in 0..<20 {
                try engine.put(batch("\(index)", [UInt8](repeating: round, count: 100)))
            }
            try engine.flush(tree: 1)
        }
        let table = try #require(try disk.list("/db/1").first)
        try disk.flipBit(800 * 8, in: "/db/1/\(table)")
        var failures = 0
        for _ in 0..<10 {
            guard let job = engine.nextMaintenance() else { break }
            do { try engine.perform(job) } catch { failures += 1 }
        }
        #expect(failures == 1)
        #expect(engine.nextMaintenance() == nil)
        #expect(try engine.scrub(tree: 1).salvagedTables.count == 1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(engine.statistics().trees[0].runCount == 1)
    }

    @Test func `a disk that fills up under the manifest poisons nothing`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) { $0.spareSegments = 0 }
        try engine.createTree(1, rule: .overwrite)
        var written = 0
        for room in stride(from: 0, to: 3000, by: 37) {
            let value = [UInt8](repeating: UInt8(room % 251), count: 40)
            try engine.put(batch("\(written)", value))
            written += 1
            disk.setCapacity(try used(disk) + room)
            try? engine.flush(tree: 1)
            try? engine.compact(tree: 1)
            disk.setCapacity(nil)
            try engine.put(batch("\(written)", value))
            written += 1
            try engine.flush(tree: 1)
        }
        try engine.compact(tree: 1)
        #expect(try engine.allEntries().count == written)
        try engine.close()
        let again = try openEngine(disk)
        #expect(try again.allEntries().count == written)
        #expect(again.unknownFiles.isEmpty)
    }

    private func used(_ disk: InMemoryFileSystem) throws -> Int {
        disk.setCapacity(1 << 40)
        return (1 << 40) - (try disk.freeSpace(at: "/db"))
    }
}
