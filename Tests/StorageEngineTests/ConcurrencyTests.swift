import FileSystems
import StorageEngine
import Testing

@Suite struct `Several threads` {
    @Test func `append, apply and read while others sync and flush`() async throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: union)
        try engine.createTree(2, rule: .overwrite)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 as Range<UInt8> {
                group.addTask {
                    for index in 0..<200 {
                        var writes = batch(1, 0, "shared \(index % 20)", [writer])
                        writes.put(
                            tree: 2,
                            prefix: UInt64(writer),
                            key: Array("\(index)".utf8),
                            value: [writer],
                            stamp: UInt64(index)
                        )
                        let position = try engine.append(writes)
                        engine.apply(writes, at: position)
                        let found = try #require(try engine.value(2, UInt64(writer), "\(index)"))
                        #expect(found == [writer])
                    }
                }
            }
            group.addTask {
                for _ in 0..<100 { try engine.sync() }
            }
            group.addTask {
                for round in 0..<20 { try engine.perform(.flush(UInt32(round % 2 + 1))) }
            }
            try await group.waitForAll()
        }
        func check(_ engine: Engine) throws {
            #expect(
                try engine.allEntries(1).map(\.value) == .init(repeating: [0, 1, 2, 3], count: 20)
            )
            #expect(try engine.allEntries(2).count == 800)
        }
        try check(engine)
        try engine.close()
        try check(openEngine(disk))
    }

    @Test func `writers that sync and writers that do not all come through after a full disk`()
        async throws
    {
        let disk = InMemoryFileSystem()
        let faults = FaultyFileSystem(disk)
        let engine = try openEngine(faults)
        try engine.createTree(1, rule: .overwrite)
        faults.add(FaultRule(.append, pathContains: ".log", times: 1, .noSpace))
        #expect(throws: StorageError.self) { try engine.write(batch("lost", [1])) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 as Range<UInt8> {
                group.addTask {
                    for index in 0..<200 {
                        let durability = writer < 4 ? Durability.synced : .written
                        try engine.write(
                            batch("\(writer) \(index)", [writer]),
                            durability: durability
                        )
                    }
                }
            }
            try await group.waitForAll()
        }
        try engine.sync()
        #expect(try openEngine(disk.copy()).allEntries().count == 1600)
    }

    @Test func `memory is given back exactly by flushes and drops`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        for tree in 1...3 as ClosedRange<UInt32> { try engine.createTree(tree, rule: union) }
        for index in 0..<300 {
            let tree = UInt32(index % 3 + 1)
            try engine.put(batch(tree, 0, "\(index % 50)", [UInt8](repeating: 1, count: 500)))
        }
        let statistics = engine.statistics()
        #expect(statistics.memoryInUse == statistics.trees.reduce(0) { $0 + $1.memtableBytes })
        try engine.perform(.flush(1))
        try engine.perform(.flush(2))
        try engine.dropTree(3)
        #expect(engine.statistics().memoryInUse == 0)
    }
}
