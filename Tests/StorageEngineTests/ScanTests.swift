import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `Scans` {
    @Test(arguments: [1, 3, 50])
    func `pages go over all runs in order, each entry once`(pageOf count: Int) throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: largestWins)
        var random = SeededRandom(seed: 7)
        var expected: [UInt64: [String: [UInt8]]] = [:]
        for step in 0..<400 {
            let prefix = random.chance(1, in: 4) ? UInt64.max : UInt64(random.below(5))
            let key = String(random.below(40))
            let value = random.bytes(random.below(60))
            try engine.put(batch(1, prefix, key, value))
            let old = expected[prefix]?[key]
            let isLess = old.map { $0.lexicographicallyPrecedes(value) } ?? true
            if isLess { expected[prefix, default: [:]][key] = value }
            if step % 90 == 89 { try engine.perform(.flush(1)) }
        }
        let found = try engine.allEntries(pageOf: count)
        let wanted = expected.sorted { $0.key < $1.key }.flatMap { prefix, values in
            values.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
                .map { (prefix, Array($0.key.utf8), $0.value) }
        }
        #expect(found.map(\.prefix) == wanted.map(\.0))
        #expect(found.map(\.key) == wanted.map(\.1))
        #expect(found.map(\.value) == wanted.map(\.2))
    }

    @Test func `a page ends at its bounds and says where the next begins`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: .overwrite)
        for prefix in 0..<5 as Range<UInt64> {
            try engine.put(batch(1, prefix, "k", [UInt8](repeating: 1, count: 100)))
        }
        let first = try engine.scan(tree: 1, through: 3, maximumBytes: 250)
        #expect(first.entries.map(\.prefix) == [0, 1])
        #expect(first.next == .after(prefix: 1, key: Array("k".utf8)))
        let second = try engine.scan(tree: 1, from: first.next, through: 3, maximumBytes: 1)
        #expect(second.entries.map(\.prefix) == [2])
        let third = try engine.scan(tree: 1, from: second.next, through: 3)
        #expect(third.entries.map(\.prefix) == [3])
        #expect(third.next == nil)
        let inclusive = try engine.scan(tree: 1, from: .from(prefix: 4, key: Array("k".utf8)))
        #expect(inclusive.entries.count == 1)
    }

    @Test(arguments: [Compression.none, .zlib(level: 1)])
    func `a short scan keeps its blocks in the cache, a long one only the first`(
        _ compression: Compression
    ) throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: .overwrite, compression: compression)
        // Four entries a block.
        for prefix in 0..<400 as Range<UInt64> {
            try engine.put(batch(1, prefix, "k", [UInt8](repeating: 1, count: 100)))
        }
        try engine.flush(tree: 1)
        func scan(
            from prefix: UInt64,
            entries: Int
        ) throws -> (blocks: Int, hits: Int, misses: Int) {
            let before = engine.statistics()
            _ = try engine.scan(
                tree: 1,
                from: .from(prefix: prefix),
                maximumBytes: .max,
                maximumEntries: entries
            )
            let statistics = engine.statistics()
            return (
                statistics.cacheBytes / 512, statistics.cacheHits - before.cacheHits,
                statistics.cacheMisses - before.cacheMisses
            )
        }
        let first = try scan(from: 200, entries: 10)
        #expect((2...5).contains(first.blocks))
        #expect(first.hits == 0)
        // The first block, and the next, with which those behind it were read.
        #expect(first.misses == 2)
        let second = try scan(from: 200, entries: 10)
        #expect(second.blocks == first.blocks)
        #expect(second.hits > 1)
        #expect(second.misses == 0)
        let all = try scan(from: 0, entries: 400)
        #expect((first.blocks...first.blocks + 24).contains(all.blocks))
    }

    @Test func `many keys in order, in reverse and at random keep their order`() throws {
        for order in 0..<3 {
            let engine = try openEngine(InMemoryFileSystem()) { $0.segmentSize = 1 << 20 }
            try engine.createTree(1, rule: .overwrite)
            var numbers = (0..<20_000).map { UInt64($0) }
            var random = SeededRandom(seed: 3)
            if order == 1 { numbers.reverse() }
            if order == 2 { random.shuffle(&numbers) }
            var writes = WriteBatch()
            for number in numbers {
                // Few prefixes, so that the keys' bytes decide.
                let key = String(number + 100_000)
                writes.put(
                    tree: 1,
                    prefix: number / 5000,
                    key: Array(key.utf8),
                    value: [UInt8(number % 256)],
                    stamp: number
                )
            }
            try engine.put(writes)
            for isFlushed in [false, true] {
                if isFlushed { try engine.perform(.flush(1)) }
                let entries = try engine.allEntries(pageOf: 999)
                let keys = entries.map { String(decoding: $0.key, as: UTF8.self) }
                #expect(keys == (0..<20_000).map { String($0 + 100_000) })
                for number in stride(from: 0 as UInt64, to: 20_000, by: 997) {
                    #expect(
                        try engine.value(1, number / 5000, String(number + 100_000))
                            == [UInt8(number % 256)]
                    )
                }
                #expect(try engine.value(1, 0, "200000") == nil)
            }
        }
    }
}
