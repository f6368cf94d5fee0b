internal import Synchronization

/// A node of a memtable's tree: 64-bit words in an arena.
///
///     node := version, count, next, level, newest index, padding to 8 words,
///             64 × first word of the key, 64 × second word, 64 × reference of an entry,
///             inner nodes only: 64 × child
///
/// A leaf of `count` entries has them in its first slots. An inner node of `count` children has
/// one slot fewer: slot i is the least key that child i + 1 may have. `next` is the leaf to the
/// right. `level` is 0 for a leaf and never changes. `newest index`, one more than the slot of
/// the leaf's newest key or 0, is for the writer alone.
///
/// All words are atomics, so that readers may look while the writer writes; whether what they saw
/// belongs together is told by `version` (`Memtable`). Whatever they see, they stay inside the
/// node and inside live memory: `count` is at most 64; a slot below a `count` that was read
/// acquiring was filled before that count was stored; references and children are stored releasing
/// and loaded acquiring, always those of entries and nodes that were complete by then; and nothing
/// is given back before the memtable ends. An entry or a child found in slots that do not belong
/// together may be the wrong one, but it is one.
struct MemtableNode {
    static let fanOut = 64

    private static let firsts = 8
    private static let seconds = firsts + fanOut
    private static let references = seconds + fanOut
    private static let children = references + fanOut
    private static let leafWords = children
    private static let innerWords = children + fanOut

    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// The node that a word names; nil for 0.
    init?(reference: UInt64) {
        guard
            let words = unsafe UnsafeMutablePointer<Atomic<UInt64>>(
                bitPattern: UInt(truncatingIfNeeded: reference)
            )
        else { return nil }
        unsafe self.words = unsafe words
    }

    /// A new node without slots, for one thread until its reference is stored releasing.
    init(in arena: borrowing Arena, level: UInt64) {
        let count = level == 0 ? Self.leafWords : Self.innerWords
        let memory = unsafe arena.take(8 * count, alignment: 64)
        unsafe words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count {
            unsafe (words + index).initialize(to: Atomic(index == 3 ? level : 0))
        }
    }

    /// What stands for the node in words of others.
    var reference: UInt64 { unsafe UInt64(UInt(bitPattern: words)) }

    private func load(_ index: Int) -> UInt64 {
        unsafe words[index].load(ordering: .relaxed)
    }

    private func store(_ value: UInt64, _ index: Int) {
        unsafe words[index].store(value, ordering: .relaxed)
    }

    // MARK: Reading

    /// The version; odd while the writer changes the node.
    var version: UInt64 { unsafe words[0].load(ordering: .acquiring) }

    /// Whether nothing was changed since the version was read.
    func isStill(at version: UInt64) -> Bool {
        atomicMemoryFence(ordering: .acquiring)
        return load(0) == version
    }

    var count: Int { Int(unsafe words[1].load(ordering: .acquiring)) }

    var next: UInt64 { unsafe words[2].load(ordering: .acquiring) }

    var level: UInt64 { load(3) }

    func first(_ slot: Int) -> UInt64 { load(Self.firsts + slot) }

    func second(_ slot: Int) -> UInt64 { load(Self.seconds + slot) }

    func entryReference(_ slot: Int) -> UInt64 {
        unsafe words[Self.references + slot].load(ordering: .acquiring)
    }

    func entry(_ slot: Int) -> MemtableEntry {
        guard let entry = MemtableEntry(reference: entryReference(slot)) else {
            preconditionFailure("slot \(slot) of a node has no entry")
        }
        return entry
    }

    func child(_ index: Int) -> MemtableNode {
        let reference = unsafe words[Self.children + index].load(ordering: .acquiring)
        guard let child = MemtableNode(reference: reference) else {
            preconditionFailure("an inner node has no child \(index)")
        }
        return child
    }

    /// The first of `count` slots whose key is not before the one sought, and whether it is that
    /// one.
    func search(
        _ count: Int,
        _ key: SoughtKey,
        _ bytes: RawSpan
    ) -> (slot: Int, isEqual: Bool) {
        var low = lowerBound(Self.firsts, 0, count, key.first)
        guard low < count, first(low) == key.first else { return (low, false) }
        var high = upperBound(Self.firsts, low, count, key.first)
        if high > low + 1 {
            low = lowerBound(Self.seconds, low, high, key.second)
            guard low < high, second(low) == key.second else { return (low, false) }
            high = upperBound(Self.seconds, low, high, key.second)
        }
        while low < high {
            let middle = (low + high) / 2
            let order = entry(middle).compareKey(with: bytes)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    /// Which child of an inner node the key belongs to.
    func childIndex(_ key: SoughtKey, _ bytes: RawSpan) -> Int {
        let (slot, isEqual) = search(max(count, 1) - 1, key, bytes)
        return isEqual ? slot + 1 : slot
    }

    /// The first of the words from `low` up to `high` that is not less than `value`.
    ///
    /// Counts the lines of 8 words whose last is less, and then the words of the next line that
    /// are. The loads do not wait for one another, which takes half the time of a binary search
    /// when the node is not in the processor's cache, and no longer when it is.
    private func lowerBound(_ base: Int, _ low: Int, _ high: Int, _ value: UInt64) -> Int {
        let base = base + low
        let count = high - low
        // Often all words from `low` on are the same.
        if count <= 0 || load(base) >= value { return low }
        var index = 0
        for line in 0..<(Self.fanOut / 8) { index += isLess(base, 8 * line + 7, count, value) }
        index *= 8
        if index < Self.fanOut {
            let start = index
            for offset in 0..<8 { index += isLess(base, start + offset, count, value) }
        }
        return low + index
    }

    /// 1 for one of the first `count` words from `base` that is less than `value`, else 0.
    ///
    /// `index` may be up to 63 even if there are fewer words: behind the first and second words of
    /// the slots come as many words of the node, whose values do not count.
    private func isLess(_ base: Int, _ index: Int, _ count: Int, _ value: UInt64) -> Int {
        let isBelow = load(base + index) < value ? 1 : 0
        let isInside = index < count ? 1 : 0
        return isInside & isBelow
    }

    /// The first of the words behind `low` up to `high` that is greater than `value`, which word
    /// `low` is.
    private func upperBound(_ base: Int, _ low: Int, _ high: Int, _ value: UInt64) -> Int {
        if low + 1 == high || load(base + low + 1) != value { return low + 1 }
        if value == .max || load(base + high - 1) == value { return high }
        return lowerBound(base, low + 1, high, value + 1)
    }

    // MARK: Writing

    /// Makes the changes of `body` visible as one to those who check the version.
    func change(_ body: () -> Void) {
        let version = load(0)
        store(version + 1, 0)
        atomicMemoryFence(ordering: .releasing)
        body()
        unsafe words[0].store(version + 2, ordering: .releasing)
    }

    func setCount(_ count: Int) {
        unsafe words[1].store(UInt64(count), ordering: .releasing)
    }

    func setNext(_ reference: UInt64) {
        unsafe words[2].store(reference, ordering: .releasing)
    }

    /// The slot of the leaf's newest key; nil if that is unknown.
    var newestIndex: Int? {
        get { load(4) == 0 ? nil : Int(load(4)) - 1 }
        nonmutating set { store(newValue.map { UInt64($0) + 1 } ?? 0, 4) }
    }

    func setEntry(_ slot: Int, _ reference: UInt64) {
        unsafe words[Self.references + slot].store(reference, ordering: .releasing)
    }

    func setChild(_ index: Int, _ reference: UInt64) {
        unsafe words[Self.children + index].store(reference, ordering: .releasing)
    }

    func setSlot(_ slot: Int, _ separator: MemtableSlot) {
        store(separator.first, Self.firsts + slot)
        store(separator.second, Self.seconds + slot)
        setEntry(slot, separator.reference)
    }

    func slot(_ slot: Int) -> MemtableSlot {
        MemtableSlot(first: first(slot), second: second(slot), reference: entryReference(slot))
    }

    /// Moves the slots from `slot` up to `end` to the right by one.
    func openSlot(_ slot: Int, before end: Int) {
        openWord(Self.firsts, slot, end)
        openWord(Self.seconds, slot, end)
        var index = end
        while index > slot {
            setEntry(index, entryReference(index - 1))
            index -= 1
        }
    }

    private func openWord(_ base: Int, _ slot: Int, _ end: Int) {
        var index = base + end
        while index > base + slot {
            store(load(index - 1), index)
            index -= 1
        }
    }
}

/// What a node knows of a key: 16 leading bytes and the reference of an entry with all of it.
struct MemtableSlot {
    let first: UInt64
    let second: UInt64
    let reference: UInt64
}

/// The leading words of a key that is looked for; nodes are told its bytes beside them.
struct SoughtKey {
    let first: UInt64
    let second: UInt64

    init(_ bytes: RawSpan) {
        first = leadingBytes(of: bytes, from: 0)
        second = leadingBytes(of: bytes, from: 8)
    }
}
