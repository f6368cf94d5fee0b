import FileSystems
import StorageEngine
import Testing

@Suite struct `The engine` {
    @Test func `a failed sync poisons for good`() throws {
        let disk = FaultyFileSystem(InMemoryFileSystem())
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("a", [1]))
        disk.add(FaultRule(.sync, pathContains: ".log", times: 1, .inputOutputError))
        let lost = batch("b", [2])
        _ = try engine.append(lost)
        #expect(throws: StorageError.self) { try engine.sync() }
        func isPoisoned(_ body: () throws -> Void) -> Bool {
            do { try body() } catch StorageError.poisoned { return true } catch { return false }
            return false
        }
        #expect(isPoisoned { try engine.sync() })
        #expect(isPoisoned { _ = try engine.append(lost) })
        #expect(isPoisoned { try engine.createTree(2, rule: .overwrite) })
        #expect(isPoisoned { try engine.perform(.flush(1)) })
        #expect(try engine.value("a") == [1])
        #expect(isPoisoned { try engine.close() })
    }

    @Test func `a full disk fails a flush, which goes well once there is room`() throws {
        let disk = FaultyFileSystem(InMemoryFileSystem())
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("a", [1]))
        disk.add(FaultRule(.append, pathContains: ".tmp", .noSpace))
        let error = #expect(throws: StorageError.self) { try engine.perform(.flush(1)) }
        guard case .diskFull = error else {
            Issue.record("not a full disk: \(String(describing: error))")
            return
        }
        #expect(try engine.value("a") == [1])
        #expect(engine.nextMaintenance() == .flush(1))
        disk.removeRules()
        try engine.perform(.flush(1))
        #expect(try engine.value("a") == [1])
        #expect(engine.statistics().trees[0].tableCount == 1)
    }

    @Test func `a second opener is told who holds the lock, until it is closed`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        #expect(throws: StorageError.locked(holder: "this process")) { try openEngine(disk) }
        try engine.close()
        _ = try openEngine(disk)
    }

    @Test func `two appends are durable after one sync, and neither before`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        let first = try engine.append(batch("a", [1]))
        let second = try engine.append(batch("b", [2]))
        #expect(first.end < second.end)
        #expect(engine.durablePosition < first.end)
        #expect(try engine.sync() == second.end)
        #expect(engine.durablePosition == second.end)
        // Nothing was applied yet, so nothing is to be seen.
        #expect(try engine.value("a") == nil)
    }

    @Test func `what the batch may not hold is refused before it has a place`() throws {
        let engine = try openEngine(InMemoryFileSystem()) {
            $0.memoryBudget = 1 << 20
            $0.maximumKeySize = 4
            $0.maximumValueSize = 900_000
        }
        #expect(throws: StorageError.unknownTree(1)) { try engine.append(batch("a", [1])) }
        try engine.createTree(1, rule: .overwrite)
        #expect(throws: StorageError.tooLarge(what: "key", size: 5, limit: 4)) {
            try engine.append(batch("abcde", [1]))
        }
        #expect(throws: StorageError.tooLarge(what: "value", size: 900_001, limit: 900_000)) {
            try engine.append(batch("a", [UInt8](repeating: 0, count: 900_001)))
        }
        let large = batch("a", [UInt8](repeating: 0, count: 600_000))
        try engine.put(large)
        #expect(throws: StorageError.self) { try engine.append(large) }
        #expect(engine.nextMaintenance() == .flush(1))
        try engine.perform(.flush(1))
        #expect(engine.nextMaintenance() == nil)
        #expect(engine.statistics().memoryInUse == 0)
        try engine.put(large)
    }

    @Test func `a value above memory and segments is written, flushed, compacted and read`() throws
    {
        let disk = InMemoryFileSystem()
        func open() throws -> Engine {
            try openEngine(disk) {
                $0.memoryBudget = 32 << 20
                $0.segmentSize = 8 << 20
                $0.fragmentSize = 8 << 20
                $0.cacheSize = 8 << 20
                $0.maximumValueSize = 72 << 20
            }
        }
        var engine = try open()
        try engine.createTree(1, rule: newestWins, compression: .zlib(level: 1))
        let value = [UInt8](repeating: 7, count: 40 << 20)
        try engine.put(batch("a", [1]))
        try engine.put(batch("b", value, stamp: 2))
        #expect(engine.nextMaintenance() == .flush(1))
        #expect(throws: StorageError.self) { try engine.append(batch("c", value)) }
        try engine.close()
        engine = try open()
        #expect(try engine.value("b") == value)
        try engine.perform(.flush(1))
        try engine.put(batch("c", [3]))
        try engine.perform(.flush(1))
        try engine.compact(tree: 1)
        #expect(try engine.value("b") == value)
        #expect(try engine.allEntries().map(\.value.count) == [1, 40 << 20, 1])
        try engine.setCompression(.none, tree: 1)
        try engine.put(batch("b", value, stamp: 3))
        try engine.perform(.flush(1))
        try engine.compact(tree: 1)
        #expect(try engine.value("b") == value)
        #expect(engine.damage.isEmpty)
    }

    @Test func `values of a key are joined over tables and memtables`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: union)
        try engine.put(batch("a", [1]))
        try engine.perform(.flush(1))
        try engine.put(batch("a", [3]))
        try engine.perform(.flush(1))
        #expect(try engine.put(batch("a", [2])) == [.init(result: .inserted, needsCheck: true)])
        #expect(
            try engine.put(batch("a", [9], stamp: 5))
                == [.init(result: .merged, needsCheck: false)]
        )
        #expect(try engine.value("a") == [1, 2, 3, 9])
        #expect(try engine.allEntries().map(\.value) == [[1, 2, 3, 9]])
        #expect(try engine.newestStamp(tree: 1) == 5)
        try engine.close()
        engine = try openEngine(disk)
        #expect(try engine.value("a") == [1, 2, 3, 9])
    }

    @Test func `the writer of a value that lost is given the one that stays`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: largestWins)
        try engine.put(batch("a", [5]))
        let outcome = try engine.put(batch("a", [4]))
        #expect(outcome == [.init(result: .keptExisting([5]), needsCheck: false)])
        #expect(try engine.value("a") == [5])
    }

    @Test func `a lookup that may not read the disk says when it would have to`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("a", [5]))
        try engine.perform(.flush(1))
        let key = Array("a".utf8)
        #expect(try engine.get(tree: 1, prefix: 0, key: key, disk: .forbidden) == .needsDisk)
        #expect(try engine.get(tree: 1, prefix: 1, key: key, disk: .forbidden) == .absent)
        try engine.put(batch("a", [6]))
        #expect(
            try engine.get(tree: 1, prefix: 0, key: key, disk: .forbidden)
                == .found([6], stamp: engine.newestStamp(tree: 1))
        )
    }

    @Test func `a tree that was dropped and made anew is empty, also after recovery`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("a", [1]))
        try engine.dropTree(1)
        #expect(throws: StorageError.unknownTree(1)) { try engine.value("a") }
        try engine.createTree(1, rule: .overwrite)
        #expect(throws: StorageError.treeExists(1)) {
            try engine.createTree(1, rule: .overwrite)
        }
        for _ in 0..<3 {
            #expect(try engine.value("a") == nil)
            try engine.close()
            engine = try openEngine(disk)
        }
        #expect(engine.trees == [1])
    }

    @Test func `the log is trimmed once its records are in tables and applied`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<50 {
            try engine.put(batch("key \(index)", [UInt8](repeating: 1, count: 400)))
        }
        let pending = batch("pending", [1])
        let position = try engine.append(pending)
        for index in 0..<50 {
            try engine.put(batch("key \(index)", [UInt8](repeating: 2, count: 400)))
        }
        try engine.perform(.flush(1))
        #expect(engine.statistics().logBytes > 20_000)
        engine.apply(pending, at: position)
        try engine.perform(.flush(1))
        #expect(engine.statistics().logBytes < 10_000)
        let segments = try disk.list("/db/log").filter { $0.hasSuffix(".log") }
        #expect(segments.count == 1)
        #expect(try engine.value("pending") == [1])
    }

    @Test func `a batch without records settles no other's place in the log`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        let late = batch("a", [1])
        let position = try engine.append(late)
        try engine.sync()
        try engine.put(WriteBatch())
        try engine.put(batch("b", [2]))
        try engine.flush(tree: 1)
        engine.apply(late, at: position)
        try engine.close()
        engine = try openEngine(disk)
        #expect(try engine.value("a") == [1])
        try engine.close()
    }

    @Test func `what a flush made a table of is not read from the log again`() throws {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk) { $0.segmentSize = 1 << 20 }
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<50 {
            try engine.put(batch("key-\(index)", [UInt8](repeating: 1, count: 50)))
        }
        try engine.perform(.flush(1))
        for _ in 0..<3 {
            try engine.close()
            engine = try openEngine(disk) { $0.segmentSize = 1 << 20 }
            #expect(engine.statistics().memoryInUse == 0)
            try engine.perform(.flush(1))
        }
        #expect(engine.statistics().trees[0].tableCount == 1)
        #expect(try engine.allEntries().count == 50)
    }

    @Test func `files of another identity are refused`() throws {
        let disk = InMemoryFileSystem()
        try openEngine(disk).close()
        let error = #expect(throws: StorageError.self) {
            try openEngine(disk) { $0.identity = 1 }
        }
        guard case .foreignFile = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
