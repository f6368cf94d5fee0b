import FileSystems
import StorageEngine
import Testing

@Suite struct `A full disk` {
    private func isDiskFull(_ body: () throws -> Void) -> Bool {
        do { try body() } catch StorageError.diskFull { return true } catch { return false }
        return false
    }

    private func used(_ disk: InMemoryFileSystem) throws -> Int {
        try disk.contents("/").values.reduce(0) { $0 + $1.count }
    }

    @Test func `below the reserve only deletions are taken, and all else goes on`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) {
            $0.diskReserve = 50_000
            $0.spareSegments = 0
        }
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<50 {
            try engine.put(batch("key \(index)", [UInt8](repeating: 1, count: 500)))
            if index % 10 == 9 { try engine.flush(tree: 1) }
        }
        disk.setCapacity(try used(disk) + 49_000)
        _ = engine.nextMaintenance()
        let refusal = StorageError.diskReserve(limit: 50_000)
        let large = batch("more", [1])
        #expect(throws: refusal) { try engine.put(large) }
        #expect(throws: refusal) { try engine.append(large) }
        var mixed = batch("more", [1])
        mixed.delete(tree: 1, prefix: 0, key: Array("key 3".utf8))
        #expect(throws: refusal) { try engine.put(mixed) }
        #expect(try engine.value("key 3")?.count == 500)
        for index in 0..<45 {
            var deletion = WriteBatch()
            deletion.delete(tree: 1, prefix: 0, key: Array("key \(index)".utf8))
            try engine.put(deletion)
        }
        #expect(try engine.value("key 3") == nil)
        #expect(try engine.value("key 48")?.count == 500)
        try engine.flush(tree: 1)
        try engine.setPurgeHorizon(.everything(now: 1), tree: 1)
        try engine.compact(tree: 1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        // The deletions have made the room that was missing.
        try engine.put(large)
        #expect(try engine.allEntries().count == 6)
    }

    @Test func `room that comes back or goes is noticed by the next write or segment`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) {
            $0.diskReserve = 50_000
            $0.spareSegments = 0
        }
        try engine.createTree(1, rule: .overwrite)
        disk.setCapacity(try used(disk) + 10_000)
        // Nobody asks for upkeep: the next segment of 4 KiB notices.
        var refused = 0
        for index in 0..<30 where refused == 0 {
            do {
                try engine.put(batch("key \(index)", [UInt8](repeating: 1, count: 500)))
            } catch StorageError.diskReserve {
                refused = index
            }
        }
        #expect((1..<20).contains(refused))
        disk.setCapacity(nil)
        try engine.put(batch("key", [1]))
    }

    @Test func `an engine that opens on a disk below its reserve refuses from the start`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.close()
        disk.setCapacity(try used(disk) + 20_000)
        engine = try openEngine(disk) { $0.diskReserve = 50_000 }
        #expect(throws: StorageError.diskReserve(limit: 50_000)) {
            try engine.put(batch("a", [1]))
        }
    }

    /// Runs a job with less and less too little room until it goes well.
    private func starve(
        _ disk: InMemoryFileSystem,
        _ engine: Engine,
        _ job: () throws -> Void,
        step: Int = 61
    ) throws -> Int {
        let start = try used(disk)
        let entries = try engine.allEntries()
        var failures = 0
        for room in Swift.stride(from: 0, to: 1 << 20, by: step) {
            disk.setCapacity(try used(disk) + room)
            if !isDiskFull(job) { break }
            failures += 1
            disk.setCapacity(nil)
            // What a compaction has done before the disk was full stays done.
            while engine.nextMaintenance() == .removeObsoleteFiles {
                try engine.perform(.removeObsoleteFiles)
            }
            let names = try disk.list("/db/1")
            let tables = engine.statistics().trees[0].tableCount
            #expect(names.count == tables, "\(names) with room for \(room) bytes")
            #expect(try used(disk) - start < 40_000, "with room for \(room) bytes")
            #expect(try engine.allEntries() == entries, "with room for \(room) bytes")
        }
        disk.setCapacity(nil)
        #expect(try engine.allEntries() == entries)
        return failures
    }

    @Test func `a flush that found no room leaves nothing behind and is tried again`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk) { $0.spareSegments = 0 }
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<20 {
            try engine.put(batch("key \(index)", [UInt8](repeating: 1, count: 100)))
        }
        let failures = try starve(disk, engine, { try engine.perform(.flush(1)) })
        #expect(failures > 20)
        if engine.nextMaintenance() == .flush(1) { try engine.perform(.flush(1)) }
        #expect(engine.statistics().trees[0].tableCount == 1)
        try engine.put(batch("after", [1]))
        try engine.close()
        engine = try openEngine(disk)
        #expect(try engine.allEntries().count == 21)
        #expect(engine.unknownFiles == [])
    }

    @Test func `a compaction that found no room leaves nothing behind and is tried again`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk) {
            $0.spareSegments = 0
            $0.fragmentSize = 2000
        }
        try engine.createTree(1, rule: .overwrite)
        for round in 0..<4 as Range<UInt8> {
            for index in 0..<20 {
                try engine.put(batch("key \(index)", [UInt8](repeating: round, count: 100)))
            }
            try engine.flush(tree: 1)
        }
        let failures = try starve(disk, engine, { try engine.compact(tree: 1) })
        #expect(failures > 5)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(engine.statistics().trees[0].runCount == 1)
        try engine.close()
        engine = try openEngine(disk)
        #expect(
            try engine.allEntries().map(\.value)
                == .init(
                    repeating: [UInt8](repeating: 3, count: 100),
                    count: 20
                )
        )
        #expect(engine.unknownFiles == [])
    }

    @Test func `an edit that found no room on the manifest is as if it had never been`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        disk.setCapacity(try used(disk))
        var made: [UInt32] = [1]
        while made.count < 2000,
            !isDiskFull({ try engine.createTree(UInt32(made.count + 1), rule: largestWins) })
        {
            made.append(UInt32(made.count + 1))
        }
        #expect(made.count < 2000)
        #expect(engine.trees == made)
        // What a crash would leave opens without the tree.
        #expect(try openEngine(try disk.copy()).trees == made)
        let next = UInt32(made.count + 1)
        disk.setCapacity(nil)
        try engine.createTree(next, rule: largestWins)
        try engine.put(batch(next, 0, "a", [1]))
        try engine.close()
        engine = try openEngine(disk)
        #expect(engine.trees == made + [next])
        #expect(try engine.value(next, 0, "a") == [1])
    }

    @Test func `writers are slowed as memory fills, and refused with the numbers at the limit`()
        throws
    {
        let engine = try openEngine(InMemoryFileSystem()) {
            $0.memoryBudget = 400_000
            $0.segmentSize = 1 << 20
        }
        try engine.createTree(1, rule: .overwrite)
        #expect(engine.writeDelay == .zero)
        var delays: [Duration] = []
        var refusal: StorageError?
        for index in 0..<200 where refusal == nil {
            do throws(StorageError) {
                try engine.write(batch("key \(index)", [UInt8](repeating: 1, count: 4000)))
                delays.append(engine.writeDelay)
            } catch {
                refusal = error
            }
        }
        let used = engine.statistics().memoryInUse
        #expect(refusal == .overloaded(used: used, limit: 400_000))
        #expect(delays == delays.sorted())
        #expect(delays.first == .zero)
        #expect(try #require(delays.last) > .milliseconds(5))
        #expect(engine.writeDelay <= .milliseconds(10))
        #expect(engine.nextMaintenance() == .flush(1))
        try engine.perform(.flush(1))
        #expect(engine.writeDelay == .zero)
        try engine.write(batch("after", [1]))
    }
}
