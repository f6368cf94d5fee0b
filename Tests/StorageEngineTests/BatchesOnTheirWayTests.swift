import FileSystems
import StorageEngine
import Testing

@Suite struct `Batches on their way` {
    /// Fills the disk but for some bytes.
    private func fill(_ disk: InMemoryFileSystem, leaving bytes: Int) throws {
        disk.setCapacity(1 << 40)
        let used = (1 << 40) - (try disk.freeSpace(at: "/"))
        disk.setCapacity(used + bytes)
    }

    @Test func `a batch that a flush's write took back is not taken for durable by a later sync`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) { $0.spareSegments = 0 }
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("old", [1]))
        let lost = batch("lost", [UInt8](repeating: 2, count: 600))
        let position = try engine.append(lost)
        try fill(disk, leaving: 100)
        #expect(throws: StorageError.self) { try engine.flush(tree: 1) }
        disk.setCapacity(nil)
        try engine.put(batch("new", [3]))
        try engine.sync()
        #expect(engine.apply(lost, at: position).map(\.result) == [.takenBack])
        #expect(try engine.value("lost") == nil)
        #expect(engine.statistics().memoryInUse == engine.statistics().trees[0].memtableBytes)
        try engine.flush(tree: 1)
        #expect(try openEngine(disk.copy()).allEntries().map(\.value) == [[3], [1]])
    }

    @Test func `records of a tree that was made while others' batches waited survive`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) { $0.spareSegments = 0 }
        try engine.createTree(1, rule: .overwrite)
        let waiting = batch("waiting", [UInt8](repeating: 2, count: 900))
        let position = try engine.append(waiting)
        try engine.createTree(2, rule: .overwrite)
        try fill(disk, leaving: 100)
        _ = try? engine.sync()
        engine.apply(waiting, at: position)
        disk.setCapacity(nil)
        try engine.put(batch(2, 0, "kept", [3]))
        let again = try openEngine(disk.copy())
        #expect(try again.value(2, 0, "kept") == [3])
    }

    @Test func `the first record of a tree made after a full disk survives two crashes`() throws {
        // However full the segment is in which the tree begins.
        for size in stride(from: 0, to: 500, by: 8) {
            let disk = InMemoryFileSystem()
            let faults = FaultyFileSystem(disk)
            func open(_ disk: any FileSystem) throws -> Engine {
                try openEngine(disk) { options in
                    options.segmentSize = 600
                    options.spareSegments = 0
                }
            }
            let engine = try open(faults)
            try engine.createTree(1, rule: .overwrite)
            try engine.put(batch("old", [UInt8](repeating: 1, count: size)))
            faults.add(FaultRule(.append, pathContains: ".log", times: 1, .noSpace))
            #expect(throws: StorageError.self) { try engine.put(batch("lost", [2])) }
            try engine.createTree(2, rule: .overwrite)
            let second = try disk.copy()
            let again = try open(second)
            try again.put(batch(2, 0, "first", [3]))
            try again.put(batch(2, 0, "next", [4]))
            let last = try open(second.copy())
            #expect(try last.value(2, 0, "first") == [3], "behind \(size) bytes")
            #expect(try last.value(2, 0, "next") == [4], "behind \(size) bytes")
        }
    }

    @Test func `a batch for a dropped tree does not come into the next tree of its number`() throws
    {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        let late = batch("late", [1])
        let position = try engine.append(late)
        try engine.dropTree(1)
        try engine.createTree(1, rule: .overwrite)
        #expect(engine.apply(late, at: position).map(\.result) == [.treeDropped])
        #expect(try engine.value("late") == nil)
        #expect(try openEngine(disk.copy()).value("late") == nil)
    }

    @Test func `a table that the manifest has no room for leaves no file behind`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) { $0.spareSegments = 0 }
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<40 as Range<UInt8> {
            try engine.put(batch("\(index)", [UInt8](repeating: index, count: 100)))
            try fill(disk, leaving: Int(index) * 100)
            _ = try? engine.flush(tree: 1)
            disk.setCapacity(nil)
            while let job = engine.nextMaintenance() { try engine.perform(job) }
        }
        try engine.close()
        let again = try openEngine(disk)
        #expect(again.unknownFiles.isEmpty)
        #expect(try again.allEntries().count == 40)
    }

    @Test func `a deletion is not forgotten while an older batch is on its way to a memtable`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.setPurgeHorizon(.everything(now: 1), tree: 1)
        try engine.put(batch("other", [1]))
        try engine.flush(tree: 1)
        let late = batch("key", [1])
        let position = try engine.append(late)
        var deletion = WriteBatch()
        deletion.delete(tree: 1, prefix: 0, key: Array("key".utf8))
        try engine.put(deletion)
        try engine.flush(tree: 1)
        try engine.compact(tree: 1)
        engine.apply(late, at: position)
        #expect(try engine.value("key") == nil)
        try engine.put(batch("more", [1]))
        try engine.flush(tree: 1)
        try engine.compact(tree: 1)
        #expect(try engine.value("key") == nil)
        #expect(engine.statistics().purgedEntries == 1)
        #expect(try openEngine(disk.copy()).value("key") == nil)
    }
}
