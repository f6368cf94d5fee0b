import ClusterPrimitives
import StorageEngine
import Testing

@Suite struct `Bloom filters` {
    private func read(_ payload: [UInt8]) -> BloomFilter? {
        BloomFilter(payload: payload.span.bytes)
    }

    @Test(arguments: [0, 1, 7, 500, 20_000])
    func `no hash that was put in is denied, before and after storing`(_ count: Int) throws {
        var random = SeededRandom(seed: UInt64(count))
        let hashes = (0..<count).map { _ in random.next() }
        let filter = BloomFilter(hashes: hashes)
        let stored = try #require(read(filter.payload))
        for hash in hashes {
            #expect(filter.mayContain(hash))
            #expect(stored.mayContain(hash))
        }
    }

    @Test func `fewer than two in a hundred others are let through`() {
        var random = SeededRandom(seed: 99)
        let filter = BloomFilter(hashes: (0..<20_000).map { _ in random.next() })
        let wrong = (0..<20_000).count { _ in filter.mayContain(random.next()) }
        #expect(wrong < 400, "\(wrong) of 20,000")
    }

    @Test func `a payload of another shape is refused`() {
        let payload = BloomFilter(hashes: [1, 2, 3]).payload
        #expect(read(payload) != nil)
        #expect(read([]) == nil)
        #expect(read([0, 0, 0, 0]) == nil)
        #expect(read([255, 255, 255, 255]) == nil)
        #expect(read(payload.dropLast()) == nil)
        #expect(read((payload + [0])) == nil)
    }
}
