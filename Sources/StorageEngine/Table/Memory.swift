internal import CPrefetch

/// A run of memory that is freed with its last owner.
///
/// Unchecked because it only lends its address: whoever makes it fills it before others see it, and
/// whoever writes to it later is its only user.
final class Memory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    /// Memory of `capacity` bytes, not set to anything.
    init(capacity: Int, alignment: Int = 16) {
        self.capacity = capacity
        base = .allocate(byteCount: max(capacity, 1), alignment: alignment)
    }

    deinit { unsafe base.deallocate() }
}

/// How many bytes two runs of at least `count` bytes have in common from their first.
@inline(__always)
func commonLength(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Int {
    var offset = 0
    while offset + 8 <= count {
        let difference =
            unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            ^ right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if difference != 0 {
            return offset + UInt64(littleEndian: difference).trailingZeroBitCount / 8
        }
        offset += 8
    }
    while offset < count,
        unsafe left.load(fromByteOffset: offset, as: UInt8.self)
            == right.load(fromByteOffset: offset, as: UInt8.self)
    {
        offset += 1
    }
    return offset
}

/// The key that comes right behind another: no key lies between them.
func successor(of key: [UInt8]) -> [UInt8] { key + [0] }

/// Brings memory into the processor's cache, a line of 64 bytes at a time, and waits for none.
///
/// Changes nothing, whatever the address.
@inline(__always)
func prefetch(_ address: UnsafeRawPointer, count: Int = 1) {
    var offset = 0
    while offset < count {
        unsafe starling_prefetch(address + offset)
        offset += 64
    }
}
