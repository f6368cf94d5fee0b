internal import ByteCoding

/// A set that may claim too much: about one key in a hundred that is not in it.
///
/// Blocked (Putze, Sanders and Singler, 2007): the high half of a key's hash picks 512 bits, one
/// cache line, the low half six bits in them; 10 bits a key.
///
///     filter := count: uint32, word: uint64 × count
package struct BloomFilter: Sendable {
    // On disk: never renumber.
    private static let bitsPerKey = 10
    private static let probes = 6
    private let words: [UInt64]

    /// A filter that holds these hashes.
    package init(hashes: [UInt64]) {
        let blocks = max(1, (hashes.count * Self.bitsPerKey + 511) / 512)
        var words = [UInt64](repeating: 0, count: blocks * 8)
        for hash in hashes {
            let base = Self.base(hash, blocks)
            var bits = hash
            for _ in 0..<Self.probes {
                let bit = Int(bits & 511)
                words[base + bit / 64] |= 1 << UInt64(bit % 64)
                bits = (bits >> 9) | (bits << 55)
            }
        }
        self.words = words
    }

    /// Reads a filter; nil if the payload has another shape.
    package init?(payload bytes: RawSpan) {
        var reader = ByteReader(over: bytes)
        var words: [UInt64] = []
        do throws(CodingError) {
            let count = try reader.count(in: bytes, limit: bytes.byteCount / 8)
            guard count > 0, count % 8 == 0 else { return nil }
            words.reserveCapacity(count)
            for _ in 0..<count { words.append(try reader.uint64(in: bytes)) }
            try reader.finish()
        } catch {
            return nil
        }
        self.words = words
    }

    /// The bytes to be stored.
    package var payload: [UInt8] {
        var writer = ByteWriter(capacity: 4 + words.count * 8)
        writer.uint32(UInt32(words.count))
        for word in words { writer.uint64(word) }
        return writer.bytes
    }

    /// Bytes that it takes in memory.
    package var sizeInBytes: Int { words.count * 8 }

    // On disk: never renumber.
    private static func base(_ hash: UInt64, _ blocks: Int) -> Int {
        let mixed = hash &* 0x9E37_79B9_7F4A_7C15
        return Int(mixed.multipliedFullWidth(by: UInt64(blocks)).high) * 8
    }

    /// Whether a hash may be among those it was made of; false is certain.
    package func mayContain(_ hash: UInt64) -> Bool {
        let base = Self.base(hash, words.count / 8)
        var bits = hash
        for _ in 0..<Self.probes {
            let bit = Int(bits & 511)
            if words[base + bit / 64] & (1 << UInt64(bit % 64)) == 0 { return false }
            bits = (bits >> 9) | (bits << 55)
        }
        return true
    }
}
