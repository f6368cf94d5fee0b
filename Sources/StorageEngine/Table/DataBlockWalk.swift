/// Walks the entries of a data block in order, putting each key together in memory of its own.
///
/// Owns nothing of the block: who moves it keeps the block's memory alive. A copy shares the key's
/// memory, so that only one of the two may go on.
struct DataBlockWalk {
    private var block: DataBlock?
    private var base: UnsafeRawPointer
    private var entriesEnd = 0
    private var next = 0
    private var nextValue = 0
    private var valuesEnd = 0
    private var keyMemory: Memory
    private var keyCapacity: Int
    private(set) var keyBase: UnsafeMutableRawPointer
    private(set) var keyCount = 0
    private(set) var valueBase: UnsafeRawPointer
    private(set) var valueCount = 0
    private(set) var stamp: UInt64 = 0
    private(set) var isWhole = false
    private(set) var first: UInt64 = 0
    private(set) var second: UInt64 = 0

    /// What a step came to.
    enum Step {
        case entry
        case end
        case malformed
    }

    /// A walk that has no block yet; its first step is the end.
    init() {
        keyMemory = Memory(capacity: 128)
        keyCapacity = 128
        keyBase = unsafe keyMemory.base
        base = unsafe UnsafeRawPointer(keyMemory.base)
        valueBase = unsafe UnsafeRawPointer(keyMemory.base)
    }

    /// Goes before the entry at a restart of a block.
    mutating func enter(_ block: DataBlock, at restart: DataBlock.Restart) {
        self.block = block
        base = unsafe block.base
        entriesEnd = block.entriesEnd
        valuesEnd = block.valuesEnd
        next = restart.offset
        nextValue = restart.valueOffset
        keyCount = 0
    }

    /// Leaves the block.
    mutating func leave() {
        block = nil
        entriesEnd = 0
        next = 0
        keyCount = 0
    }

    /// Lends the entry.
    @inline(__always)
    func withEntry<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        let key = unsafe UnsafeRawBufferPointer(start: keyBase, count: keyCount)
        let value = unsafe UnsafeRawBufferPointer(start: valueBase, count: valueCount)
        return unsafe body(key.bytes, value.bytes)
    }

    /// Where the entry lies; valid until the next step.
    @inline(__always)
    var place: EntryPlace {
        unsafe EntryPlace(
            first: first,
            second: second,
            stamp: stamp,
            key: UnsafeRawPointer(keyBase),
            keyCount: keyCount,
            value: valueBase,
            valueCount: valueCount,
            isWhole: isWhole
        )
    }

    /// A copy of the key.
    var key: [UInt8] { withEntry { key, _ in key.array() } }

    /// Goes to the next entry.
    @inline(__always)
    mutating func step() -> Step {
        guard next < entriesEnd else { return next == entriesEnd ? .end : .malformed }
        guard
            let entry = block?.entry(at: next), entry.shared <= keyCount,
            entry.valueCount <= valuesEnd - nextValue
        else { return .malformed }
        let count = entry.shared + entry.unshared
        if count > keyCapacity { growKey(to: count, keeping: entry.shared) }
        // Fits: `count` is at most the capacity, and the entry's bytes lie inside the block.
        unsafe (keyBase + entry.shared).copyMemory(
            from: base + entry.keyOffset,
            byteCount: entry.unshared
        )
        keyCount = count
        if entry.shared < 16 { loadLeadingWords() }
        valueBase = unsafe base + nextValue
        valueCount = entry.valueCount
        stamp = entry.stamp
        isWhole = entry.isWhole
        next = entry.end
        nextValue += entry.valueCount
        // The ends of the next value, if it is as long as this one: a merge comes to it some
        // entries of other runs later, by when they have arrived.
        unsafe prefetch(base + nextValue)
        unsafe prefetch(base + nextValue + valueCount)
        return .entry
    }

    @inline(__always)
    private mutating func loadLeadingWords() {
        if keyCount >= 16 {
            first = unsafe UInt64(bigEndian: keyBase.loadUnaligned(as: UInt64.self))
            second = unsafe UInt64(
                bigEndian: keyBase.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            )
        } else {
            let key = unsafe UnsafeRawBufferPointer(start: keyBase, count: keyCount)
            first = unsafe leadingBytes(of: key.bytes, from: 0)
            second = unsafe leadingBytes(of: key.bytes, from: 8)
        }
    }

    private mutating func growKey(to count: Int, keeping kept: Int) {
        let memory = Memory(capacity: max(count, keyCapacity * 2))
        unsafe memory.base.copyMemory(from: keyBase, byteCount: kept)
        keyMemory = memory
        keyCapacity = memory.capacity
        keyBase = unsafe memory.base
    }
}
