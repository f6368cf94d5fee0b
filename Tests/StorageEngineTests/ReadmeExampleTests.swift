import FileSystems
import StorageEngine
import Testing

@Suite struct `The example in the README` {
    @Test func `opens, writes, reads, scans, snapshots and restores`() throws {
        let disk = InMemoryFileSystem()
        let (value, keys) = try example(disk)
        #expect(value == Array("2 l".utf8))
        #expect(keys == ["eggs", "milk"])
        var options = EngineOptions()
        options.identity = 0x5EED
        let trees = try Engine.read(directory: "shelf-copy", on: disk, options: options)
        #expect(try trees[1]?.scan().entries.count == 2)
    }

    /// The lines between the marks are those of the README; `TidyTests` compares them.
    private func example(_ disk: any FileSystem) throws -> ([UInt8]?, [String]) {
        // README: begin
        var options = EngineOptions()
        options.identity = 0x5EED  // drawn at random once, kept with your configuration
        let engine = try Engine.open(directory: "shelf", on: disk, options: options)
        if engine.trees.isEmpty { try engine.createTree(1, rule: .overwrite) }

        // One batch: all of it is on the disk on return, or none.
        var batch = WriteBatch()
        batch.put(tree: 1, prefix: 7, key: Array("milk".utf8), value: Array("2 l".utf8))
        batch.put(tree: 1, prefix: 7, key: Array("eggs".utf8), value: Array("12".utf8))
        batch.delete(tree: 1, prefix: 7, key: Array("rum".utf8))
        try engine.write(batch)

        var milk: [UInt8]?
        if case .found(let value, _) = try engine.get(tree: 1, prefix: 7, key: Array("milk".utf8)) {
            milk = value
        }

        // A view shows one moment, however long it takes to read it.
        let view = try engine.snapshot(tree: 1)
        let page = try view.scan(from: .from(prefix: 7), through: 7, maximumEntries: 100)
        let keys = page.entries.map { String(decoding: $0.key, as: UTF8.self) }

        // Upkeep, on a thread of yours, whenever there is some.
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        try engine.createSnapshot(at: "shelf-copy")
        try engine.close()
        // README: end
        return (milk, keys)
    }
}
