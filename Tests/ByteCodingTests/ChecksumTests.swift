import ByteCoding
import ClusterPrimitives
import Testing

@Suite struct `CRC-32C` {
    /// The definition, one bit at a time.
    private static func reference(_ bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt32 {
        var crc = ~seed
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
        }
        return ~crc
    }

    @Test func `has the published check value`() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([]) == 0)
        // RFC 3720, B.4.
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    }

    @Test func `agrees with its definition for every size and alignment`() {
        var random = SeededRandom(seed: 1)
        let bytes = random.bytes(96)
        for start in 0..<16 {
            for end in start...bytes.count {
                let span = bytes.span.bytes.extracting(start..<end)
                #expect(CRC32C.checksum(span) == Self.reference(bytes[start..<end]))
            }
        }
    }

    @Test func `agrees with its definition where several streams run side by side`() {
        var random = SeededRandom(seed: 3)
        let bytes = random.bytes(9000)
        let ends = [383, 384, 385, 391, 768, 1151, 3071, 3072, 3073, 3456, 6144, 6543, 8192, 9000]
        for end in ends {
            for start in [0, 1, 7] {
                let seed = UInt32(truncatingIfNeeded: random.next())
                let span = bytes.span.bytes.extracting(start..<end)
                let expected = Self.reference(bytes[start..<end], seed: seed)
                #expect(CRC32C.checksum(span, seed: seed) == expected, "\(start)..<\(end)")
            }
        }
    }

    @Test func `goes on from any cut`() {
        var random = SeededRandom(seed: 2)
        let bytes = random.bytes(200)
        let whole = CRC32C.checksum(bytes)
        for cut in bytes.indices {
            let first = CRC32C.checksum(Array(bytes[..<cut]))
            #expect(CRC32C.checksum(Array(bytes[cut...]), seed: first) == whole)
        }
    }
}

@Suite struct `XXH64` {
    /// Hashes of the bytes 7i + n, i from 0 to n − 1, by the xxhash package for Python.
    private static let vectors: [(count: Int, seed: UInt64, hash: UInt64)] = [
        (0, 0, 0xEF46_DB37_51D8_E999), (0, 0x9E37_79B9_7F4A_7C15, 0xC434_9FC9_3C01_0000),
        (1, 0, 0x8A41_2781_1B21_E730), (1, 0x9E37_79B9_7F4A_7C15, 0x3288_8F61_9F93_0A8F),
        (4, 0, 0xB4D5_16AF_63F9_C743), (4, 0x9E37_79B9_7F4A_7C15, 0x66B3_7262_B877_8F78),
        (7, 0, 0x2163_DF11_C0CD_F8CD), (7, 0x9E37_79B9_7F4A_7C15, 0xE93B_5479_16A0_B504),
        (31, 0, 0xC025_B4C3_C488_0C7A), (31, 0x9E37_79B9_7F4A_7C15, 0x90D7_148C_EE43_76A6),
        (32, 0, 0x178A_E25C_EE6F_7994), (32, 0x9E37_79B9_7F4A_7C15, 0x6276_AEDE_B413_740B),
        (33, 0, 0x4072_A282_63E9_77EF), (33, 0x9E37_79B9_7F4A_7C15, 0x73A7_3081_9DD6_7FF7),
        (63, 0, 0x4794_8108_B5FF_3162), (63, 0x9E37_79B9_7F4A_7C15, 0xEA92_1EA0_9096_79CD),
        (100, 0, 0x3A7F_DC0F_EBF6_F5DC), (100, 0x9E37_79B9_7F4A_7C15, 0xBA58_02E4_58BA_555F),
    ]

    @Test func `agrees with the reference implementation`() {
        for (count, seed, hash) in Self.vectors {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + count) }
            #expect(Hash64.hash(bytes, seed: seed) == hash, "\(count) bytes, seed \(seed)")
        }
    }

    @Test func `of a range is that of its bytes alone`() {
        var random = SeededRandom(seed: 3)
        let bytes = random.bytes(80)
        for start in 0..<9 {
            for end in start...bytes.count {
                let range = ByteRange(offset: start, count: end - start)
                let alone = Hash64.hash(Array(bytes[start..<end]))
                #expect(Hash64.hash(bytes.span.bytes, range) == alone)
            }
        }
    }
}
