internal import ByteCoding

/// MurmurHash3 x64-128 with seed 0, as Cassandra computes it: tail bytes are sign-extended.
enum Murmur3 {
    private static let c1: UInt64 = 0x87C3_7B91_1142_53D5
    private static let c2: UInt64 = 0x4CF5_AD43_2745_937F

    /// The low half (`h1`) of the hash of `range` in `bytes`, which must hold it.
    static func lowHalf(_ bytes: RawSpan, _ range: ByteRange) -> UInt64 {
        var h1: UInt64 = 0
        var h2: UInt64 = 0
        var offset = range.offset
        let end = range.end
        while end - offset >= 16 {
            h1 ^= scrambled1(word(bytes, offset))
            h1 = (rotate(h1, 27) &+ h2) &* 5 &+ 0x52DC_E729
            h2 ^= scrambled2(word(bytes, offset + 8))
            h2 = (rotate(h2, 31) &+ h1) &* 5 &+ 0x3849_5AB5
            offset += 16
        }
        let tail = end - offset
        if tail > 8 { h2 ^= scrambled2(signedTail(bytes, offset + 8, count: tail - 8)) }
        if tail > 0 { h1 ^= scrambled1(signedTail(bytes, offset, count: Swift.min(8, tail))) }
        h1 ^= UInt64(range.count)
        h2 ^= UInt64(range.count)
        h1 &+= h2
        h2 &+= h1
        return mixed(h1) &+ mixed(h2)
    }

    /// The bytes from `offset`, little-endian, each sign-extended before it is shifted into place.
    private static func signedTail(_ bytes: RawSpan, _ offset: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<count {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset + index, as: Int8.self)
            value ^= UInt64(bitPattern: Int64(byte)) << UInt64(index * 8)
        }
        return value
    }

    private static func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
    }

    private static func scrambled1(_ value: UInt64) -> UInt64 { rotate(value &* c1, 31) &* c2 }

    private static func scrambled2(_ value: UInt64) -> UInt64 { rotate(value &* c2, 33) &* c1 }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 - count)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return value ^ value >> 33
    }
}
