internal import ByteCoding

// The order of entries is that of their ordered keys' bytes, unsigned. An ordered key is the prefix
// in eight bytes, the most significant first, and then the key. It is how batches, memtables and
// tables keep keys, so that each comparison is one of bytes.

/// The bytes of the prefix in front of an ordered key.
let prefixSize = 8

/// The ordered key of a prefix and a key.
package func orderedKey(_ prefix: UInt64, _ key: RawSpan) -> [UInt8] {
    var writer = ByteWriter(capacity: prefixSize + key.byteCount)
    writer.uint64(prefix.bigEndian)
    writer.raw(ByteRange(offset: 0, count: key.byteCount), of: key)
    return writer.bytes
}

/// Lends the ordered key of a prefix and a key, from the stack if it is short.
@inline(__always)
func withOrderedKey<R>(
    _ prefix: UInt64,
    _ key: RawSpan,
    _ body: (RawSpan) throws(StorageError) -> R
) throws(StorageError) -> R {
    let count = prefixSize + key.byteCount
    return unsafe try withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) {
        memory throws(StorageError) in
        unsafe memory.storeBytes(of: prefix.bigEndian, as: UInt64.self)
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[prefixSize...])
        unsafe key.withUnsafeBytes { unsafe rest.copyMemory(from: $0) }
        return unsafe try body(UnsafeRawBufferPointer(memory).bytes)
    }
}

/// The prefix of an ordered key.
package func prefix(ofOrderedKey key: RawSpan) -> UInt64 {
    leadingBytes(of: key, from: 0)
}

/// Eight bytes of a key as a number in their order, with zeros where the key has ended.
package func leadingBytes(of key: RawSpan, from offset: Int) -> UInt64 {
    if key.byteCount >= offset + 8 {
        return UInt64(
            bigEndian: unsafe key.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
    }
    var value: UInt64 = 0
    for index in 0..<8 {
        let byte: UInt8 =
            offset + index < key.byteCount
            ? unsafe key.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self) : 0
        value = value << 8 | UInt64(byte)
    }
    return value
}

/// The order of an array's bytes and others.
@inline(__always)
func compareBytes(_ left: [UInt8], _ right: RawSpan) -> Int {
    compareBytes(left.span.bytes, right)
}

/// The order of two runs of bytes, unsigned; negative if the left comes first.
package func compareBytes(_ left: RawSpan, _ right: RawSpan) -> Int {
    let count = min(left.byteCount, right.byteCount)
    var offset = 0
    while offset + 8 <= count {
        let a = UInt64(
            bigEndian: unsafe left.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
        let b = UInt64(
            bigEndian: unsafe right.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
        if a != b { return a < b ? -1 : 1 }
        offset += 8
    }
    while offset < count {
        let a = unsafe left.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        let b = unsafe right.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        if a != b { return a < b ? -1 : 1 }
        offset += 1
    }
    return left.byteCount == right.byteCount ? 0 : left.byteCount < right.byteCount ? -1 : 1
}
