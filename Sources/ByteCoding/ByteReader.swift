/// Reads integers (little-endian) and lengths from a run of bytes, one after another.
///
/// It holds only a position; the bytes are an argument, so that it can be stored and the bytes
/// stay borrowed. Nothing it meets can trap.
public struct ByteReader: Sendable {
    /// Offset of the next byte.
    public var position: Int
    /// Offset behind the last byte.
    public let end: Int

    /// Reads the bytes of `range`.
    @inlinable
    public init(_ range: ByteRange) {
        position = range.offset
        end = range.end
    }

    /// Reads all of `bytes`.
    @inlinable
    public init(over bytes: RawSpan) {
        position = 0
        end = bytes.byteCount
    }

    /// Bytes not read yet.
    @inlinable
    public var remaining: Int { end - position }

    @inlinable
    mutating func advance(
        _ count: Int,
        _ field: CodingError.StaticText
    ) throws(CodingError) -> Int {
        guard count >= 0, count <= end - position else {
            throw .truncated(field: field, needed: count, available: end - position)
        }
        let start = position
        position += count
        return start
    }

    /// One byte.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func uint8(
        in bytes: RawSpan,
        _ field: CodingError.StaticText = "byte"
    ) throws(CodingError) -> UInt8 {
        let start = try advance(1, field)
        return unsafe bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self)
    }

    /// Two bytes, little-endian.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func uint16(
        in bytes: RawSpan,
        _ field: CodingError.StaticText = "integer"
    ) throws(CodingError) -> UInt16 {
        let start = try advance(2, field)
        return UInt16(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: start,
                as: UInt16.self
            )
        )
    }

    /// Four bytes, little-endian.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func uint32(
        in bytes: RawSpan,
        _ field: CodingError.StaticText = "integer"
    ) throws(CodingError) -> UInt32 {
        let start = try advance(4, field)
        return UInt32(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: start,
                as: UInt32.self
            )
        )
    }

    /// Eight bytes, little-endian.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func uint64(
        in bytes: RawSpan,
        _ field: CodingError.StaticText = "integer"
    ) throws(CodingError) -> UInt64 {
        let start = try advance(8, field)
        return UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: start,
                as: UInt64.self
            )
        )
    }

    /// A run of `count` bytes, as a range into `bytes`.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func range(
        _ count: Int,
        _ field: CodingError.StaticText = "bytes"
    ) throws(CodingError) -> ByteRange {
        ByteRange(offset: try advance(count, field), count: count)
    }

    /// A run of bytes behind its length (four bytes), checked against `limit` first.
    ///
    /// - Throws: `tooLong`, `truncated`.
    @inlinable
    public mutating func prefixed(
        in bytes: RawSpan,
        limit: Int,
        _ field: CodingError.StaticText = "bytes"
    ) throws(CodingError) -> ByteRange {
        let length = try uint32(in: bytes, field)
        guard length <= limit else {
            throw .tooLong(field: field, length: UInt64(length), limit: limit)
        }
        return try range(Int(length), field)
    }

    /// UTF-8 text behind its length (four bytes).
    ///
    /// - Throws: `tooLong`, `truncated`, `invalid` when it is not UTF-8.
    public mutating func string(
        in bytes: RawSpan,
        limit: Int,
        _ field: CodingError.StaticText = "text"
    ) throws(CodingError) -> String {
        let range = try prefixed(in: bytes, limit: limit, field)
        guard let text = String(validating: bytes.array(range), as: UTF8.self) else {
            throw .invalid(field: field, value: UInt64(range.count))
        }
        return text
    }

    /// A number of elements (four bytes), checked against `limit`.
    ///
    /// - Throws: `tooLong`, `truncated`.
    @inlinable
    public mutating func count(
        in bytes: RawSpan,
        limit: Int,
        _ field: CodingError.StaticText = "count"
    ) throws(CodingError) -> Int {
        let number = try uint32(in: bytes, field)
        guard number <= limit else {
            throw .tooLong(field: field, length: UInt64(number), limit: limit)
        }
        return Int(number)
    }

    /// Ends the reading.
    ///
    /// - Throws: `trailingBytes` when bytes are left.
    @inlinable
    public func finish() throws(CodingError) {
        guard position == end else { throw .trailingBytes(count: end - position) }
    }
}
