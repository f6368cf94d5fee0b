internal import FileSystems
internal import Synchronization

/// Blocks of tables, decompressed, in a bounded number of bytes.
///
/// S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023): a block comes into a small queue, a tenth
/// of the room, and is moved to the main one only if it was asked for again before it came to the
/// small queue's end. So what is read once passes through a tenth of the room and leaves the rest
/// alone. Of blocks that were dropped a trace is kept: if they come back soon they go to the main
/// queue at once. A hit changes a counter and no order.
///
/// A full cache asks `admits` first: what is read once never comes in.
package final class BlockCache: Sendable {
    /// What the cache has done, and holds.
    package struct Statistics: Equatable, Sendable {
        /// Blocks that were asked for and there.
        package var hits = 0
        /// Blocks that were asked for and not there.
        package var misses = 0
        /// Bytes of the blocks, with what keeping them takes.
        package var sizeInBytes = 0
        /// Number of blocks.
        package var blockCount = 0
    }

    /// One part of the blocks with the lock that guards it.
    private final class Shard: Sendable {
        let state: Lock<BlockCacheShard>

        init(capacity: Int) { state = Lock(BlockCacheShard(capacity: capacity)) }
    }

    private static let maximumShards = 16
    /// Below this a shard could not hold a few hundred blocks.
    private static let minimumShardCapacity = 2 << 20

    private let shards: [Shard]
    private let lastOwner = Atomic<UInt64>(0)

    /// A cache of at most `capacity` bytes; 0 keeps nothing.
    package init(capacity: Int) {
        var count = 1
        while count < Self.maximumShards, capacity / (2 * count) >= Self.minimumShardCapacity {
            count *= 2
        }
        shards = (0..<count).map { _ in Shard(capacity: max(0, capacity) / count) }
    }

    /// A name under which blocks are kept that no other bears.
    package func makeOwner() -> UInt64 {
        lastOwner.wrappingAdd(1, ordering: .relaxed).newValue
    }

    @inline(__always)
    private func hash(_ owner: UInt64, _ offset: Int) -> UInt64 {
        let mixed =
            (owner &* 0x9E37_79B9_7F4A_7C15) ^ UInt64(truncatingIfNeeded: offset)
        let folded = mixed.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return folded.high ^ folded.low
    }

    @inline(__always)
    private func shard(_ hash: UInt64) -> Shard {
        shards[Int(truncatingIfNeeded: hash >> 48) & (shards.count - 1)]
    }

    /// The block of an owner at an offset; counts as a use.
    ///
    /// `isMissed` says whether it counts, too, where it is not there, since it is read then.
    @inline(__always)
    package func block(_ owner: UInt64, _ offset: Int, isMissed: Bool = true) -> Block? {
        let hash = hash(owner, offset)
        return shard(hash).state.withLock {
            $0.block(owner, offset, hash, isUse: true, isMissed: isMissed)
        }
    }

    /// The block of an owner at an offset, without any effect on how long it stays.
    package func peek(_ owner: UInt64, _ offset: Int) -> Block? {
        let hash = hash(owner, offset)
        return shard(hash).state.withLock { $0.block(owner, offset, hash, isUse: false) }
    }

    /// Whether a block that was asked for and is not there should be kept once it was read.
    ///
    /// While there is room each is. After that only one that was asked for before, not longer ago
    /// than about twice the blocks that fit: so one that is read once costs no memory of its own
    /// and pushes no other out.
    package func admits(_ owner: UInt64, _ offset: Int, size: Int) -> Bool {
        let hash = hash(owner, offset)
        return shard(hash).state.withLock { $0.admits(hash, size: size) }
    }

    /// Keeps a block, unless it would take more than half of its shard.
    package func insert(_ block: Block, _ owner: UInt64, _ offset: Int) {
        let hash = hash(owner, offset)
        // The dropped blocks are released outside of the lock.
        var dropped: [Block] = []
        shard(hash).state.withLock { $0.insert(block, owner, offset, hash, dropping: &dropped) }
    }

    /// Drops a block and its trace, since its table is no more.
    package func remove(_ owner: UInt64, _ offset: Int) {
        let hash = hash(owner, offset)
        _ = shard(hash).state.withLock { $0.remove(owner, offset, hash) }
    }

    /// What the cache has done so far, and holds now.
    package var statistics: Statistics {
        var sum = Statistics()
        for shard in shards {
            let part = shard.state.withLock { $0.statistics }
            sum.hits += part.hits
            sum.misses += part.misses
            sum.sizeInBytes += part.sizeInBytes
            sum.blockCount += part.blockCount
        }
        return sum
    }
}
