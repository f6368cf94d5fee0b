import FileSystems
import StorageEngine
import Testing

@Suite struct `Compression of a tree` {
    private func fill(_ engine: Engine, _ rounds: Int) throws {
        for round in 0..<rounds {
            for index in 0..<100 {
                let text = "round \(round), key \(index): " + String(repeating: "again ", count: 20)
                try engine.put(batch("key \(index + 100 * round)", Array(text.utf8)))
            }
            try engine.flush(tree: 1)
        }
    }

    @Test func `a change reaches old tables as they are compacted, and outlives a restart`() throws
    {
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk) { $0.segmentSize = 1 << 20 }
        try engine.createTree(1, rule: largestWins)
        try fill(engine, 4)
        let plain = engine.statistics().trees[0].tableBytes
        let entries = try engine.allEntries()
        try engine.setCompression(.zlib(level: 6), tree: 1)
        #expect(engine.statistics().trees[0].tableBytes == plain)
        #expect(try engine.allEntries() == entries)
        try engine.close()
        engine = try openEngine(disk)
        try engine.compact(tree: 1)
        let small = engine.statistics().trees[0].tableBytes
        #expect(small * 2 < plain, "\(small) of \(plain) bytes")
        #expect(try engine.allEntries() == entries)
        #expect(try engine.verify(tree: 1) == [])
        for entry in entries {
            #expect(
                try engine.get(tree: 1, prefix: entry.prefix, key: entry.key)
                    == .found(entry.value, stamp: entry.stamp)
            )
        }
        try engine.setCompression(.none, tree: 1)
        try fill(engine, 1)
        try engine.compact(tree: 1)
        #expect(engine.statistics().trees[0].tableBytes > plain - plain / 10)
        #expect(try engine.allEntries().map(\.value) == entries.map(\.value))
    }

    @Test func `tables of both kinds are read side by side`() throws {
        let engine = try openEngine(InMemoryFileSystem()) { $0.segmentSize = 1 << 20 }
        try engine.createTree(1, rule: largestWins, compression: .zlib(level: 1))
        try fill(engine, 1)
        try engine.setCompression(.none, tree: 1)
        for index in 0..<100 {
            try engine.put(batch("key \(index)", Array("z \(index)".utf8)))
        }
        try engine.flush(tree: 1)
        #expect(engine.statistics().trees[0].runCount == 2)
        for index in 0..<100 {
            #expect(try engine.value("key \(index)") == Array("z \(index)".utf8))
        }
        #expect(throws: StorageError.unknownTree(2)) {
            try engine.setCompression(.none, tree: 2)
        }
    }
}
