import ClusterPrimitives
import StorageEngine
import Testing

@Suite struct `The block cache` {
    private func block(_ size: Int) -> Block {
        [UInt8](repeating: 1, count: size).withUnsafeBytes { unsafe Block(copying: $0) }
    }

    @Test(arguments: [10_000, 100_000, 64 << 20])
    func `it never holds more bytes than its capacity`(_ capacity: Int) {
        let cache = BlockCache(capacity: capacity)
        var random = SeededRandom(seed: UInt64(capacity))
        for _ in 0..<20_000 {
            let offset = random.below(3000)
            let owner = UInt64(random.below(3))
            switch random.below(10) {
            case 0: cache.remove(owner, offset)
            default:
                if cache.block(owner, offset) == nil {
                    cache.insert(block(random.below(9000)), owner, offset)
                }
            }
            #expect(cache.statistics.sizeInBytes <= capacity)
        }
        #expect(cache.statistics.blockCount > 0)
        for owner in 0..<3 as Range<UInt64> {
            for offset in 0..<3000 { cache.remove(owner, offset) }
        }
        #expect(cache.statistics.blockCount == 0)
        #expect(cache.statistics.sizeInBytes == 0)
    }

    @Test func `a block is given back to its owner and place only`() {
        let cache = BlockCache(capacity: 1 << 20)
        let (first, second) = (block(10), block(20))
        cache.insert(first, 1, 100)
        cache.insert(second, 2, 100)
        #expect(cache.block(1, 100) === first)
        #expect(cache.block(2, 100) === second)
        #expect(cache.block(1, 200) == nil)
        #expect(cache.statistics.hits == 2)
        #expect(cache.statistics.misses == 1)
        cache.remove(1, 100)
        #expect(cache.peek(1, 100) == nil)
        #expect(cache.peek(2, 100) === second)
    }

    @Test func `what is in use survives a scan of many times the capacity`() {
        let cache = BlockCache(capacity: 1 << 20)
        let size = 4000
        // Used twice: the first time brings a block in, the second keeps it.
        for _ in 0..<3 {
            for offset in 0..<100 where cache.block(1, offset) == nil {
                cache.insert(block(size), 1, offset)
            }
        }
        for offset in 0..<10_000 where cache.block(2, offset) == nil {
            cache.insert(block(size), 2, offset)
        }
        let kept = (0..<100).count { cache.peek(1, $0) != nil }
        #expect(kept == 100)
    }

    @Test func `a skewed load hits nearly as often as the skew allows`() {
        let cache = BlockCache(capacity: 1 << 20)
        var random = SeededRandom(seed: 3)
        var hits = 0
        for round in 0..<60_000 {
            // Nine in ten go to 150 blocks, which fit; the others to 100,000.
            let offset = random.chance(9, in: 10) ? random.below(150) : 150 + random.below(100_000)
            if cache.block(1, offset) != nil {
                if round >= 30_000 { hits += 1 }
            } else {
                cache.insert(block(4000), 1, offset)
            }
        }
        #expect(hits > 26_000, "\(hits) of 30,000")
    }

    @Test func `once it is full a block is admitted when it is asked for again`() {
        let cache = BlockCache(capacity: 100_000)
        var offset = 0
        while cache.admits(1, offset, size: 4000), offset < 1000 {
            cache.insert(block(4000), 1, offset)
            offset += 1
        }
        #expect(cache.statistics.blockCount == offset)
        #expect(offset < 1000 && offset > 20)
        #expect(cache.admits(1, offset, size: 4000))
        // What was asked for long before is forgotten.
        for other in 1000..<21_000 { _ = cache.admits(1, other, size: 4000) }
        #expect(!cache.admits(1, offset, size: 4000))
        #expect(!cache.admits(1, 5000, size: 60_000))
        #expect(!BlockCache(capacity: 0).admits(1, 1, size: 1))
    }

    @Test func `a block that would crowd out all others is not kept`() {
        let cache = BlockCache(capacity: 100_000)
        cache.insert(block(10), 1, 1)
        cache.insert(block(90_000), 1, 2)
        #expect(cache.peek(1, 1) != nil)
        #expect(cache.peek(1, 2) == nil)
        BlockCache(capacity: 0).insert(block(1), 1, 1)
    }
}
