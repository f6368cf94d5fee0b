package import ByteCoding

/// A point of the ring: Cassandra's `Murmur3Partitioner` token of a key.
///
/// The low half of MurmurHash3 x64-128 (A. Appleby) with seed 0, of the key alone, and with the
/// two deviations that Cassandra made and all its drivers repeat: bytes of the tail are
/// sign-extended, and the least value is replaced by the greatest. So token-aware Cassandra
/// drivers route straight to a replica.
///
/// The least token, `min`, is the token of no key and of no member; it marks where the circle is
/// cut open.
package struct Token: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The token itself.
    // On disk and on the wire: the hash never changes.
    package let rawValue: Int64

    /// The token of this value.
    package init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    /// The token of a stored prefix; undoes `ordered`.
    package init(ordered: UInt64) {
        rawValue = Int64(bitPattern: ordered ^ 1 << 63)
    }

    /// The token of the key that lies at `range` in `bytes`, which must hold it.
    package init(ofKey bytes: RawSpan, _ range: ByteRange) {
        let hash = Int64(bitPattern: Murmur3.lowHalf(bytes, range))
        rawValue = hash == .min ? .max : hash
    }

    /// The token of a key.
    package init(ofKey key: [UInt8]) {
        self.init(ofKey: key.span.bytes, ByteRange(offset: 0, count: key.count))
    }

    /// The value with its sign bit flipped, so that unsigned order is token order: the prefix
    /// under which a key is stored.
    package var ordered: UInt64 { UInt64(bitPattern: rawValue) ^ 1 << 63 }

    /// Where the circle is cut open; the token of no key.
    package static let min = Token(.min)
    /// The greatest token.
    package static let max = Token(.max)

    /// Orders by signed value.
    package static func < (left: Token, right: Token) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The signed value in decimal, as Cassandra's tools print it.
    package var description: String { String(rawValue) }
}
