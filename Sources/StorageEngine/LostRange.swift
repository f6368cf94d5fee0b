/// Keys of a tree of which records may have been lost to damage.
///
/// A read of such a key fails, unless what it finds is newer than whatever was lost.
public struct LostRange: Hashable, Sendable {
    /// The ordered key at which the range begins: the prefix in eight bytes, then the key.
    public let lower: [UInt8]
    /// The ordered key before which it ends; nil if it has no end.
    public let upper: [UInt8]?
    /// No record newer than this was lost.
    public let newestStamp: UInt64

    package init(lower: [UInt8], upper: [UInt8]?, newestStamp: UInt64) {
        self.lower = lower
        self.upper = upper
        self.newestStamp = newestStamp
    }

    func contains(_ key: RawSpan) -> Bool {
        guard compareBytes(lower.span.bytes, key) <= 0 else { return false }
        guard let upper else { return true }
        return compareBytes(key, upper.span.bytes) < 0
    }

    /// Whether it has keys in common with `lower..<upper`.
    func overlaps(_ lower: [UInt8], _ upper: [UInt8]?) -> Bool {
        if let upper, compareBytes(upper.span.bytes, self.lower.span.bytes) <= 0 { return false }
        guard let end = self.upper else { return true }
        return compareBytes(lower.span.bytes, end.span.bytes) < 0
    }
}

extension LostRange: CustomStringConvertible {
    /// The first and last prefix, which are tokens in a node.
    public var description: String {
        let first = prefix(ofOrderedKey: lower.span.bytes)
        let last = upper.map { String(prefix(ofOrderedKey: $0.span.bytes)) } ?? "the end"
        return "prefixes \(first) to \(last)"
    }
}
