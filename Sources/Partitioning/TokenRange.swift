/// The tokens above `start` up to and including `end`.
///
/// It never wraps: what crosses the end of the circle is split there in two, so that a range is a
/// contiguous run of storage. The range from `Token.min` holds every key below its end.
package struct TokenRange: Hashable, Sendable, CustomStringConvertible {
    /// Exclusive.
    package let start: Token
    /// Inclusive.
    package let end: Token

    /// The range (start, end]; `end` must not lie before `start`.
    package init(after start: Token, through end: Token) {
        precondition(start <= end, "the range (\(start), \(end)] would wrap")
        self.start = start
        self.end = end
    }

    /// Every token that a key can have.
    package static let full = TokenRange(after: .min, through: .max)

    /// Whether `token` lies in it.
    package func contains(_ token: Token) -> Bool {
        start < token && token <= end
    }

    /// Number of tokens in it.
    package var width: UInt64 { end.ordered - start.ordered }

    /// The share of the circle, 0…1.
    package var share: Double { Double(width) / 0x1p64 }

    /// `(start, end]`.
    package var description: String { "(\(start), \(end)]" }
}
