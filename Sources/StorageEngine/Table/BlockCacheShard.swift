/// One shard of a block cache: three queues over one hash table.
struct BlockCacheShard: Sendable {
    /// Bytes that keeping a block takes beside its own.
    private static let overhead = 160
    private static let maximumUses: UInt8 = 3
    /// What blocks usually take at least.
    private static let leastBlock = 4 << 10

    private enum Queue: UInt8 {
        case small
        case main
        /// Traces: their blocks were dropped.
        case ghost
    }

    private struct Slot {
        // What a hit needs comes first and lies together.
        var owner: UInt64 = 0
        var offset = 0
        var block: Block?
        var uses: UInt8 = 0
        var queue = Queue.small
        var previous: Int32 = 0
        var next: Int32 = 0
        var hash: UInt64 = 0
        var size = 0
    }

    /// The first three are the ends of the queues, each a ring: behind it comes the oldest.
    private var slots: [Slot]
    private var free: [Int32] = []
    /// Open addressing, linear probing; −1 is empty.
    private var table = [Int32](repeating: -1, count: 64)
    private var counts = [0, 0, 0]
    private var sizes = [0, 0, 0]
    private let capacity: Int
    /// Of blocks that were asked for and not kept, a part of the hash, each in a place that
    /// another part of it picks; the later takes the place of the earlier.
    private var asked: [UInt32]
    private(set) var statistics = BlockCache.Statistics()

    init(capacity: Int) {
        self.capacity = capacity
        var traces = 64
        while traces < capacity / Self.leastBlock * 2 { traces *= 2 }
        asked = Array(repeating: 0, count: traces)
        slots = [Slot(), Slot(), Slot()]
        for queue in 0..<3 {
            slots[queue].previous = Int32(queue)
            slots[queue].next = Int32(queue)
        }
    }

    @inline(__always)
    private func find(_ owner: UInt64, _ offset: Int, _ hash: UInt64) -> Int? {
        let mask = table.count - 1
        var probe = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = Int(table[probe])
            if slot < 0 { return nil }
            if slots[slot].offset == offset, slots[slot].owner == owner { return slot }
            probe = (probe + 1) & mask
        }
    }

    @inline(__always)
    mutating func block(
        _ owner: UInt64,
        _ offset: Int,
        _ hash: UInt64,
        isUse: Bool,
        isMissed: Bool = true
    ) -> Block? {
        guard let slot = find(owner, offset, hash), let block = slots[slot].block else {
            if isUse, isMissed { statistics.misses += 1 }
            return nil
        }
        if isUse {
            statistics.hits += 1
            if slots[slot].uses < Self.maximumUses { slots[slot].uses += 1 }
        }
        return block
    }

    /// Whether a block that is not there is to be kept; notes that it was asked for.
    mutating func admits(_ hash: UInt64, size: Int) -> Bool {
        let size = size + Self.overhead
        guard size <= capacity / 2 else { return false }
        if statistics.sizeInBytes + size <= capacity { return true }
        let place = Int(truncatingIfNeeded: hash) & (asked.count - 1)
        let trace = UInt32(truncatingIfNeeded: hash >> 32)
        if asked[place] == trace { return true }
        asked[place] = trace
        return false
    }

    mutating func insert(
        _ block: Block,
        _ owner: UInt64,
        _ offset: Int,
        _ hash: UInt64,
        dropping dropped: inout [Block]
    ) {
        let size = block.sizeInBytes + Self.overhead
        guard size <= capacity / 2 else { return }
        var queue = Queue.small
        if let slot = find(owner, offset, hash) {
            // Two readers missed the block at the same time.
            guard slots[slot].block == nil else { return }
            queue = .main
            discard(slot)
        }
        while statistics.sizeInBytes + size > capacity { evict(into: &dropped) }
        let slot = takeSlot()
        slots[slot].owner = owner
        slots[slot].offset = offset
        slots[slot].hash = hash
        slots[slot].block = block
        slots[slot].size = size
        slots[slot].uses = 0
        push(slot, queue)
        enter(slot)
        statistics.sizeInBytes += size
        statistics.blockCount += 1
    }

    /// Drops one block, or gives one another chance.
    ///
    /// Ends: each round drops a block, moves one out of the small queue, or takes a use from one of
    /// the main queue.
    private mutating func evict(into dropped: inout [Block]) {
        if counts[1] == 0 || counts[0] > 0 && sizes[0] > capacity / 10 {
            let slot = Int(slots[0].next)
            pop(slot)
            if slots[slot].uses > 0 {
                slots[slot].uses = 0
                push(slot, .main)
                return
            }
            drop(slot, into: &dropped)
            push(slot, .ghost)
            while counts[2] > max(counts[1], 16) { discard(Int(slots[2].next)) }
        } else {
            let slot = Int(slots[1].next)
            pop(slot)
            if slots[slot].uses > 0 {
                slots[slot].uses -= 1
                push(slot, .main)
                return
            }
            drop(slot, into: &dropped)
            leave(slot)
            free.append(Int32(slot))
        }
    }

    private mutating func drop(_ slot: Int, into dropped: inout [Block]) {
        if let block = slots[slot].block { dropped.append(block) }
        slots[slot].block = nil
        statistics.sizeInBytes -= slots[slot].size
        statistics.blockCount -= 1
        slots[slot].size = 0
    }

    /// Takes a block or a trace out.
    mutating func remove(_ owner: UInt64, _ offset: Int, _ hash: UInt64) -> Block? {
        guard let slot = find(owner, offset, hash) else { return nil }
        let block = slots[slot].block
        if block != nil {
            statistics.sizeInBytes -= slots[slot].size
            statistics.blockCount -= 1
        }
        discard(slot)
        return block
    }

    private mutating func discard(_ slot: Int) {
        pop(slot)
        leave(slot)
        slots[slot].block = nil
        free.append(Int32(slot))
    }

    private mutating func takeSlot() -> Int {
        if let slot = free.popLast() { return Int(slot) }
        slots.append(Slot())
        return slots.count - 1
    }

    // The queues.

    private mutating func push(_ slot: Int, _ queue: Queue) {
        let end = Int(queue.rawValue)
        let newest = Int(slots[end].previous)
        slots[slot].queue = queue
        slots[slot].previous = Int32(newest)
        slots[slot].next = Int32(end)
        slots[newest].next = Int32(slot)
        slots[end].previous = Int32(slot)
        counts[end] += 1
        sizes[end] += slots[slot].size
    }

    private mutating func pop(_ slot: Int) {
        let (previous, next) = (Int(slots[slot].previous), Int(slots[slot].next))
        slots[previous].next = Int32(next)
        slots[next].previous = Int32(previous)
        let end = Int(slots[slot].queue.rawValue)
        counts[end] -= 1
        sizes[end] -= slots[slot].size
    }

    // The hash table.

    private mutating func enter(_ slot: Int) {
        if 2 * (counts[0] + counts[1] + counts[2]) > table.count { grow() }
        place(slot)
    }

    private mutating func place(_ slot: Int) {
        let mask = table.count - 1
        var probe = Int(truncatingIfNeeded: slots[slot].hash) & mask
        while table[probe] >= 0 { probe = (probe + 1) & mask }
        table[probe] = Int32(slot)
    }

    private mutating func grow() {
        let present = table.filter { $0 >= 0 }
        table = [Int32](repeating: -1, count: table.count * 2)
        for slot in present { place(Int(slot)) }
    }

    /// Takes a slot out, and moves those back that had to step over it.
    private mutating func leave(_ slot: Int) {
        let mask = table.count - 1
        var hole = Int(truncatingIfNeeded: slots[slot].hash) & mask
        while table[hole] != Int32(slot) { hole = (hole + 1) & mask }
        var probe = (hole + 1) & mask
        while table[probe] >= 0 {
            let home = Int(truncatingIfNeeded: slots[Int(table[probe])].hash) & mask
            // Whether the hole lies between where it should be and where it is.
            if (probe - home) & mask >= (probe - hole) & mask {
                table[hole] = table[probe]
                hole = probe
            }
            probe = (probe + 1) & mask
        }
        table[hole] = -1
    }
}
