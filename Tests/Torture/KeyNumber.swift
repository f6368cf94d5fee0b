/// A key of the test: a number that names its writer, what kind of key it is, and which one.
struct KeyNumber: Hashable, Sendable {
    let rawValue: UInt64

    var writer: UInt8 { UInt8(rawValue >> 56) }
    var isGrown: Bool { rawValue >> 48 & 1 == 1 }
    var index: UInt64 { rawValue & 0xFFFF_FFFF_FFFF }

    /// One of the keys that are written over and over.
    static func hot(_ writer: UInt8, _ index: Int) -> KeyNumber {
        KeyNumber(rawValue: UInt64(writer) << 56 | UInt64(index))
    }

    /// One of the keys that are written once, and deleted `Workload.window` keys later.
    static func grown(_ writer: UInt8, _ index: UInt64) -> KeyNumber {
        KeyNumber(rawValue: UInt64(writer) << 56 | 1 << 48 | index)
    }

    /// The tree it lies in.
    var tree: UInt32 { 1 + UInt32(index & 1) }

    /// One of 64 prefixes.
    var prefix: UInt64 { (rawValue &* 0x9E37_79B9_7F4A_7C15) & (63 << 58) }

    /// Eight bytes of the number, and up to 39 more.
    var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: rawValue >> (56 - 8 * $0)) }
            + [UInt8](repeating: 0x78, count: Int(index % 40))
    }

    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The key that the engine has under a prefix, or nil if it is none of the test's.
    init?(tree: UInt32, prefix: UInt64, bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        self.init(rawValue: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        guard self.bytes == bytes, self.prefix == prefix, self.tree == tree else { return nil }
    }
}

extension KeyNumber: CustomStringConvertible {
    /// Writer, kind and index.
    var description: String { "writer \(writer) \(isGrown ? "grown" : "hot") key \(index)" }
}
