internal import ByteCoding

/// The payload of a data block that was read, checked and decompressed; never changes.
///
/// Unchecked because of the address in `entries`, which points into memory that the block owns and
/// nobody writes to.
package final class Block: @unchecked Sendable {
    private let memory: Memory
    /// The payload's shape, or nil if it cannot be a data block's; valid while the block is alive.
    let entries: DataBlock?

    /// Takes over memory that nobody writes to any more.
    init(_ memory: Memory, offset: Int, count: Int) {
        self.memory = memory
        entries = unsafe DataBlock(base: UnsafeRawPointer(memory.base + offset), count: count)
    }

    /// A block of these bytes.
    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        let memory = Memory(capacity: bytes.count)
        unsafe UnsafeMutableRawBufferPointer(start: memory.base, count: bytes.count)
            .copyMemory(from: bytes)
        self.init(memory, offset: 0, count: bytes.count)
    }

    /// Bytes that it takes.
    package var sizeInBytes: Int { memory.capacity }
}
