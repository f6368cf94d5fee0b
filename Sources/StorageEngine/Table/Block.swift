internal import ByteCoding

/// The payload of a data block that was read, checked and decompressed; never changes.
package final class Block: Sendable {
    private let memory: Memory
    private let offset: Int
    private let count: Int

    /// Takes over memory that nobody writes to any more.
    init(_ memory: Memory, offset: Int, count: Int) {
        self.memory = memory
        self.offset = offset
        self.count = count
    }

    /// A block of these bytes.
    package convenience init(copying bytes: [UInt8]) {
        let memory = Memory(capacity: bytes.count)
        unsafe bytes.withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(start: memory.base, count: $0.count)
                .copyMemory(from: $0)
        }
        self.init(memory, offset: 0, count: bytes.count)
    }

    /// Bytes that it takes.
    package var sizeInBytes: Int { memory.capacity }

    /// The payload's first byte; valid while the block is alive.
    var base: UnsafeRawPointer { unsafe UnsafeRawPointer(memory.base + offset) }

    /// The payload's shape, or nil if it cannot be a data block's; valid while the block is alive.
    @inline(__always)
    var entries: DataBlock? { unsafe DataBlock(base: base, count: count) }
}
