internal import Synchronization

/// Memory that is only ever taken, in chunks that never move, and given back as a whole.
///
///     chunk := previous chunk: word, padding to 64, bytes
///
/// The first chunk is small and each next one twice as large up to `largestChunk`, so that a tree
/// with little in it costs little. What is longer than a quarter of the largest chunk has a chunk
/// of its own, so that no more than a quarter of a chunk is left unused at its end.
///
/// `take` is for one thread at a time; the memory it returns is the caller's until the arena ends.
/// The fields are atomics only so that they need no exclusivity checks and `sizeInBytes` may be
/// read from any thread; none orders anything.
struct Arena: ~Copyable, Sendable {
    static let largestChunk = 256 << 10
    private static let chunkAlignment = 64
    /// Bytes in front of a chunk's first.
    private static let headerSize = 64

    /// The bytes of all chunks, counted by the rule above and not by what the allocator gave.
    private let reserved = Atomic<Int>(0)
    private let newestChunk = Atomic<UInt>(0)
    /// Where the free bytes of the chunk that is being filled begin and end.
    private let free = Atomic<UInt>(0)
    private let end = Atomic<UInt>(0)
    private let nextChunkSize: Atomic<Int>

    /// An arena without a chunk; the first will have `firstChunk` bytes, a power of two from 128
    /// to `largestChunk`.
    init(firstChunk: Int) {
        nextChunkSize = Atomic(firstChunk)
    }

    /// Bytes of all chunks.
    var sizeInBytes: Int { reserved.load(ordering: .relaxed) }

    /// Takes memory of `size` bytes with any contents, aligned to a power of two up to 64.
    func take(_ size: Int, alignment: Int) -> UnsafeMutableRawPointer {
        guard size <= Self.largestChunk / 4 else { return unsafe ownChunk(size) }
        let mask = UInt(alignment - 1)
        var start = (free.load(ordering: .relaxed) + mask) & ~mask
        if start + UInt(size) > end.load(ordering: .relaxed) {
            var capacity = nextChunkSize.load(ordering: .relaxed)
            while capacity < size + Self.headerSize { capacity *= 2 }
            let chunk = unsafe newChunk(capacity)
            nextChunkSize.store(min(2 * capacity, Self.largestChunk), ordering: .relaxed)
            end.store(UInt(bitPattern: chunk) + UInt(capacity), ordering: .relaxed)
            start = UInt(bitPattern: chunk) + UInt(Self.headerSize)
        }
        free.store(start + UInt(size), ordering: .relaxed)
        guard let memory = unsafe UnsafeMutableRawPointer(bitPattern: start) else {
            preconditionFailure("an arena without a chunk")
        }
        return unsafe memory
    }

    private func ownChunk(_ size: Int) -> UnsafeMutableRawPointer {
        unsafe newChunk(size + Self.headerSize) + Self.headerSize
    }

    private func newChunk(_ size: Int) -> UnsafeMutableRawPointer {
        let chunk = UnsafeMutableRawPointer.allocate(
            byteCount: size,
            alignment: Self.chunkAlignment
        )
        unsafe chunk.storeBytes(of: newestChunk.load(ordering: .relaxed), as: UInt.self)
        newestChunk.store(UInt(bitPattern: chunk), ordering: .relaxed)
        reserved.store(reserved.load(ordering: .relaxed) + size, ordering: .relaxed)
        return unsafe chunk
    }

    deinit {
        var next = newestChunk.load(ordering: .relaxed)
        while let chunk = unsafe UnsafeMutableRawPointer(bitPattern: next) {
            next = unsafe chunk.load(as: UInt.self)
            unsafe chunk.deallocate()
        }
    }
}
