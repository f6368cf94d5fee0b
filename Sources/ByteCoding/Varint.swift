extension ByteWriter {
    /// Appends a number in groups of seven bits, the lowest first; all but the last group carry
    /// bit 7.
    @inlinable
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            uint8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        uint8(UInt8(truncatingIfNeeded: rest))
    }
}

extension ByteReader {
    /// Reads a number in groups of seven bits, in its only accepted form: the shortest.
    ///
    /// - Throws: `truncated`; `invalid` when a shorter form exists or 64 bits are exceeded.
    @inlinable
    public mutating func varint(
        in bytes: RawSpan,
        _ field: CodingError.StaticText = "number"
    ) throws(CodingError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try uint8(in: bytes, field)
            guard shift < 63 || byte <= 1, byte != 0 || shift == 0 else {
                throw .invalid(field: field, value: UInt64(byte))
            }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// Reads a count or a length as a `varint`, checked against `limit`.
    ///
    /// - Throws: `tooLong`, `truncated`, `invalid`.
    @inlinable
    public mutating func shortCount(
        in bytes: RawSpan,
        limit: Int,
        _ field: CodingError.StaticText = "count"
    ) throws(CodingError) -> Int {
        let value = try varint(in: bytes, field)
        guard value <= UInt64(limit) else {
            throw .tooLong(field: field, length: value, limit: limit)
        }
        return Int(value)
    }

    /// Reads a run of bytes behind its length as a `varint`.
    ///
    /// - Throws: `tooLong`, `truncated`, `invalid`.
    @inlinable
    public mutating func shortPrefixed(
        in bytes: RawSpan,
        limit: Int,
        _ field: CodingError.StaticText = "bytes"
    ) throws(CodingError) -> ByteRange {
        let count = try shortCount(in: bytes, limit: limit, field)
        return try range(count, field)
    }
}

extension RawSpan {
    /// Whether two ranges, each inside its span, hold equal bytes.
    @inlinable
    public func isEqual(
        _ range: ByteRange,
        to other: RawSpan,
        _ otherRange: ByteRange
    ) -> Bool {
        guard range.count == otherRange.count else { return false }
        var offset = 0
        while offset + 8 <= range.count {
            let left = unsafe unsafeLoadUnaligned(
                fromByteOffset: range.offset + offset,
                as: UInt64.self
            )
            let right = unsafe other.unsafeLoadUnaligned(
                fromByteOffset: otherRange.offset + offset,
                as: UInt64.self
            )
            guard left == right else { return false }
            offset += 8
        }
        while offset < range.count {
            let left = unsafe unsafeLoad(fromByteOffset: range.offset + offset, as: UInt8.self)
            let right = unsafe other.unsafeLoad(
                fromByteOffset: otherRange.offset + offset,
                as: UInt8.self
            )
            guard left == right else { return false }
            offset += 1
        }
        return true
    }

    /// The order of two ranges, each inside its span, byte by byte; a prefix comes first.
    ///
    /// - Returns: negative, 0 or positive as this range comes before, equals or follows the other.
    @inlinable
    public func compare(_ range: ByteRange, to other: RawSpan, _ otherRange: ByteRange) -> Int {
        let common = min(range.count, otherRange.count)
        var offset = 0
        while offset < common {
            let left = unsafe unsafeLoad(fromByteOffset: range.offset + offset, as: UInt8.self)
            let right = unsafe other.unsafeLoad(
                fromByteOffset: otherRange.offset + offset,
                as: UInt8.self
            )
            if left != right { return Int(left) - Int(right) }
            offset += 1
        }
        return range.count - otherRange.count
    }
}
