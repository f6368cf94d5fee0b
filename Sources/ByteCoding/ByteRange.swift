/// Where bytes lie inside a larger run of bytes that the reader holds.
///
/// A range into a read dies with the step that was given the read.
public struct ByteRange: Equatable, Sendable {
    /// Bytes before the first.
    public var offset: Int
    /// Number of bytes, at least 0.
    public var count: Int

    /// The `count` bytes from `offset`.
    @inlinable
    public init(offset: Int, count: Int) {
        self.offset = offset
        self.count = count
    }

    /// No bytes.
    public static let empty = ByteRange(offset: 0, count: 0)

    /// The offset behind the last byte.
    @inlinable
    public var end: Int { offset + count }
}

extension RawSpan {
    /// The bytes of a range, copied.
    ///
    /// `range` must lie inside the span.
    @inlinable
    public func array(_ range: ByteRange) -> [UInt8] {
        unsafe withUnsafeBytes { unsafe Array($0[range.offset..<range.end]) }
    }

    /// All bytes, copied.
    @inlinable
    public func array() -> [UInt8] {
        unsafe withUnsafeBytes { unsafe Array($0) }
    }
}
