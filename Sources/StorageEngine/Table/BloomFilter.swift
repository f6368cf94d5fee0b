internal import ByteCoding

/// A set that may claim too much: about one key in a hundred that is not in it.
///
/// Blocked (Putze, Sanders and Singler, 2007): the high half of a key's hash picks 512 bits, one
/// cache line, the low half six bits in them; 10 bits a key.
///
///     filter := count: uint32, word: uint64 × count
///
/// Unchecked because of the address of the words, which nobody writes to once `init` has returned.
package struct BloomFilter: @unchecked Sendable {
    // On disk: never renumber.
    private static let bitsPerKey = 10
    private static let probes = 6
    private let memory: Memory
    private let words: UnsafeMutablePointer<UInt64>
    private let blocks: Int

    /// A filter of zeros; `blocks` is at least 1.
    private init(blocks: Int) {
        // A block then is one cache line.
        let memory = Memory(capacity: 64 * blocks, alignment: 64)
        words = unsafe memory.base.bindMemory(to: UInt64.self, capacity: 8 * blocks)
        unsafe words.initialize(repeating: 0, count: 8 * blocks)
        self.memory = memory
        self.blocks = blocks
    }

    /// A filter that holds these hashes.
    package init(hashes: [UInt64]) {
        self.init(blocks: max(1, (hashes.count * Self.bitsPerKey + 511) / 512))
        for hash in hashes {
            let block = block(of: hash)
            var bits = hash
            for _ in 0..<Self.probes {
                let bit = Int(bits & 511)
                unsafe block[bit / 64] |= 1 << UInt64(bit % 64)
                bits = (bits >> 9) | (bits << 55)
            }
        }
    }

    /// Reads a filter; nil if the payload has another shape.
    package init?(payload bytes: RawSpan) {
        var reader = ByteReader(over: bytes)
        do throws(CodingError) {
            let count = try reader.count(in: bytes, limit: bytes.byteCount / 8)
            guard count > 0, count % 8 == 0 else { return nil }
            self.init(blocks: count / 8)
            for index in 0..<count { unsafe words[index] = try reader.uint64(in: bytes) }
            try reader.finish()
        } catch {
            return nil
        }
    }

    /// The bytes to be stored.
    package var payload: [UInt8] {
        var writer = ByteWriter(capacity: 4 + blocks * 64)
        writer.uint32(UInt32(blocks * 8))
        for index in 0..<blocks * 8 { writer.uint64(unsafe words[index]) }
        return writer.bytes
    }

    /// Bytes that it takes in memory.
    package var sizeInBytes: Int { blocks * 64 }

    /// The eight words of a hash; inside the memory, since the product's high half is below
    /// `blocks`.
    // On disk: never renumber.
    @inline(__always)
    private func block(of hash: UInt64) -> UnsafeMutablePointer<UInt64> {
        let mixed = hash &* 0x9E37_79B9_7F4A_7C15
        return unsafe words + Int(mixed.multipliedFullWidth(by: UInt64(blocks)).high) * 8
    }

    /// Whether a hash may be among those it was made of; false is certain.
    @inline(__always)
    package func mayContain(_ hash: UInt64) -> Bool {
        withExtendedLifetime(memory) {
            let block = block(of: hash)
            var bits = hash
            for _ in 0..<Self.probes {
                let bit = Int(bits & 511)
                if unsafe block[bit / 64] & (1 << UInt64(bit % 64)) == 0 { return false }
                bits = (bits >> 9) | (bits << 55)
            }
            return true
        }
    }
}
