/// Appends integers (little-endian) and runs of bytes to an array.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public var bytes: [UInt8]

    /// An empty writer with room for `capacity` bytes.
    @inlinable
    public init(capacity: Int = 0) {
        bytes = []
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// Number of bytes written.
    @inlinable
    public var count: Int { bytes.count }

    /// Appends one byte.
    @inlinable
    public mutating func uint8(_ value: UInt8) {
        bytes.append(value)
    }

    /// Appends two bytes.
    @inlinable
    public mutating func uint16(_ value: UInt16) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends four bytes.
    @inlinable
    public mutating func uint32(_ value: UInt32) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends eight bytes.
    @inlinable
    public mutating func uint64(_ value: UInt64) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends integers of one size, which costs little more than to append one.
    @inlinable
    public mutating func integers<let count: Int, Value: FixedWidthInteger & BitwiseCopyable>(
        _ values: InlineArray<count, Value>
    ) {
        var little = values
        for index in little.indices { little[index] = little[index].littleEndian }
        unsafe little.span.bytes.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends bytes as they are.
    @inlinable
    public mutating func raw(_ source: [UInt8]) {
        bytes.append(contentsOf: source)
    }

    /// Appends the bytes of `range` in `span`, which must hold them.
    @inlinable
    public mutating func raw(_ range: ByteRange, of span: RawSpan) {
        unsafe span.withUnsafeBytes { source in
            // Rebased, or the slice would be walked by its generic witnesses.
            unsafe bytes.append(
                contentsOf: UnsafeRawBufferPointer(rebasing: source[range.offset..<range.end])
            )
        }
    }

    /// Appends the bytes of a span.
    @inlinable
    public mutating func raw(_ span: RawSpan) {
        unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Appends a length (four bytes) and the bytes of a span.
    @inlinable
    public mutating func prefixed(_ span: RawSpan) {
        uint32(UInt32(span.byteCount))
        raw(span)
    }

    /// Appends a length (four bytes) and the bytes.
    @inlinable
    public mutating func prefixed(_ source: [UInt8]) {
        uint32(UInt32(source.count))
        raw(source)
    }

    /// Appends a length (four bytes) and the bytes of `range` in `span`.
    @inlinable
    public mutating func prefixed(_ range: ByteRange, of span: RawSpan) {
        uint32(UInt32(range.count))
        raw(range, of: span)
    }

    /// Appends a length (four bytes) and the UTF-8 bytes of `text`.
    @inlinable
    public mutating func string(_ text: String) {
        let utf8 = Array(text.utf8)
        prefixed(utf8)
    }

    /// Overwrites the four bytes at `offset`, which were written before.
    @inlinable
    public mutating func patchUInt32(_ value: UInt32, at offset: Int) {
        let little = value.littleEndian
        bytes[offset] = UInt8(truncatingIfNeeded: little)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: little >> 8)
        bytes[offset + 2] = UInt8(truncatingIfNeeded: little >> 16)
        bytes[offset + 3] = UInt8(truncatingIfNeeded: little >> 24)
    }
}
