package import ByteCoding
internal import Synchronization

/// The newest entries of a tree, in order: a B+tree of leading bytes and references over an arena.
///
/// One thread at a time writes (the caller sees to it); any number read at the same time, without
/// locks. Nothing is ever removed, and what an entry says never changes: a new value of a key is a
/// new entry, to which the key's slot then points.
///
/// Why readers are right:
///
/// - *What they touch is alive and complete.* See `MemtableNode` and `MemtableEntry`: whatever mix
///   of old and new words a reader sees, it stays inside memory that was written before a word led
///   to it and that lives as long as the memtable.
/// - *What they conclude held at one moment.* Each node has a version that is odd while its slots
///   move, and the tree has one, `structure`, that is odd from before a leaf is split until its
///   parents know of it. Versions are seqlocks: a reader that saw any change sees, behind an
///   acquiring fence, that the version is no longer the one it began with. A reader notes
///   `structure`, descends, notes the leaf's version and checks `structure`: if it is unchanged,
///   the leaf was the key's at that moment, and any later split changes the leaf's version first.
///   It searches the leaf and checks the leaf's version: if that is unchanged, so was the leaf. If
///   either check fails it begins again. So readers repeat only for a split during their descent
///   or a new key in their leaf during their search.
/// - *They find what was there.* A key whose insertion happened before the lookup began is in the
///   leaf that is the key's. Its slot's reference is replaced by one store, which moves no slot and
///   so needs no version; a reader gets that entry or a newer one.
/// - *They get on.* The writer holds a version odd for some hundred nanoseconds and waits for
///   nothing meanwhile; readers spin.
///
/// The writer takes the memory for a new leaf and fills it before any version becomes odd.
package final class Memtable: Sendable {
    private static let numbers = Atomic<UInt64>(0)

    /// No other memtable of the process has it.
    let number = numbers.add(1, ordering: .relaxed).newValue
    let entries = Arena(firstChunk: 4 << 10)
    let nodes = Arena(firstChunk: 2 << 10)

    /// The version of the whole tree: odd while a leaf is being split.
    let structure = Atomic<UInt64>(0)
    /// The root node; 0 without entries.
    let root = Atomic<UInt64>(0)

    private let keys = Atomic<Int>(0)
    private let entryBytes = Atomic<Int>(0)
    private let newest = Atomic<UInt64>(0)
    private let oldest = Atomic<UInt64>(.max)
    private let segment = Atomic<UInt64>(.max)

    /// A memtable without entries; it holds no memory until the first.
    package init() {}

    /// Whether nothing was inserted.
    package var isEmpty: Bool { count == 0 }

    /// Number of keys.
    package var count: Int { keys.load(ordering: .relaxed) }

    /// Bytes of memory, counted by the rule of `Arena`; 0 without entries.
    package var sizeInBytes: Int { entries.sizeInBytes + nodes.sizeInBytes }

    /// Bytes that are not those of keys and values: nodes, headers and what chunks have left.
    ///
    /// The bytes of replaced entries count as keys and values.
    package var indexSizeInBytes: Int {
        sizeInBytes - entryBytes.load(ordering: .relaxed)
    }

    /// The largest stamp of an entry, also of replaced ones; 0 without entries.
    package var newestStamp: UInt64 { newest.load(ordering: .relaxed) }

    /// The smallest stamp of what came in and was not dismissed for what was there; `UInt64.max`
    /// without entries.
    package var oldestStamp: UInt64 { oldest.load(ordering: .relaxed) }

    /// The oldest log segment with a record that is here and in no table; `UInt64.max` without one.
    package var oldestSegment: UInt64 { segment.load(ordering: .relaxed) }

    // MARK: Writing

    /// Inserts a value, joined with what the memtable has of the key; for one thread at a time.
    ///
    /// `key` is an ordered key of at most 65535 bytes, `value` has less than 2 GiB; both lie inside
    /// `source`. `segment` is the record's log segment, which counts whatever comes of the record.
    /// A value that replaces the other keeps its stamp, a merged one gets the larger of both.
    /// `basis` is what the value was made of, if it holds all that was found then: it replaces that
    /// unjoined, under the larger stamp.
    /// O(log count), with one search at most.
    package func insert(
        _ key: ByteRange,
        _ value: ByteRange,
        of source: RawSpan,
        stamp: UInt64,
        segment: UInt64,
        basis: ReadBasis = .none,
        rule: MergeRule
    ) -> ApplyOutcome.Result {
        let key = source.extracting(key.offset..<key.end)
        let value = source.extracting(value.offset..<value.end)
        let sought = SoughtKey(key)
        // What was frozen meanwhile may hold what the value lacks. Where stamps decide, the value
        // may be of an older one than what it was made of.
        var isWhole = basis.memtable == number && !rule.newestStampWins
        if segment < oldestSegment { self.segment.store(segment, ordering: .relaxed) }
        if isWhole, let leaf = leaf(of: basis) {
            replace(leaf.entry(basis.slot), in: leaf, basis.slot, key, value, stamp: stamp)
            return .inserted
        }
        guard let leaf = leaf(of: sought, key) else {
            insertFirst(slot(sought, add(key, value, stamp: stamp, isWhole: isWhole)))
            return .inserted
        }
        let (index, isEqual) = leaf.search(leaf.count, sought, key)
        guard isEqual else {
            let entry = add(key, value, stamp: stamp, isWhole: isWhole)
            insert(slot(sought, entry), at: index, of: leaf)
            return .inserted
        }
        let existing = leaf.entry(index)
        if isWhole, basis.entry == existing.reference {
            replace(existing, in: leaf, index, key, value, stamp: stamp)
            return .inserted
        }
        isWhole = isWhole || existing.isWhole
        let (outcome, replacement) = existing.withBytes {
            _,
            held -> (ApplyOutcome.Result, MemtableEntry?) in
            switch rule.join(held, stamp: existing.stamp, value, stamp: stamp) {
            case .keepExisting:
                return (.keptExisting(held.array()), nil)
            case .takeIncoming:
                return (.inserted, add(key, value, stamp: stamp, isWhole: isWhole))
            case .merged(let bytes):
                noteOldest(stamp)
                let larger = max(stamp, existing.stamp)
                let merged = bytes.span.bytes
                return (.merged, add(key, merged, stamp: larger, isWhole: isWhole))
            }
        }
        if let replacement { leaf.setEntry(index, replacement.reference) }
        return outcome
    }

    /// The leaf in which a basis was found, if its slot still names the key's entry.
    ///
    /// A leaf lives as long as its memtable, and names each entry in one of its slots at most.
    private func leaf(of basis: ReadBasis) -> MemtableNode? {
        guard let leaf = MemtableNode(reference: basis.leaf), basis.slot < leaf.count,
            leaf.entryReference(basis.slot) == basis.entry
        else { return nil }
        return leaf
    }

    /// Puts a value in the place of the entry that it was made of, all of which it has.
    private func replace(
        _ existing: MemtableEntry,
        in leaf: MemtableNode,
        _ slot: Int,
        _ key: RawSpan,
        _ value: RawSpan,
        stamp: UInt64
    ) {
        noteOldest(stamp)
        let larger = max(stamp, existing.stamp)
        let entry = add(key, value, stamp: larger, isWhole: true)
        leaf.setEntry(slot, entry.reference)
    }

    /// Writes an entry and counts what readers may rely on before they can see it.
    private func add(
        _ key: RawSpan,
        _ value: RawSpan,
        stamp: UInt64,
        isWhole: Bool
    ) -> MemtableEntry {
        let entry = MemtableEntry(in: entries, key, value, stamp: stamp, isWhole: isWhole)
        let bytes = entryBytes.load(ordering: .relaxed) + key.byteCount + value.byteCount
        entryBytes.store(bytes, ordering: .relaxed)
        if stamp > newestStamp { newest.store(stamp, ordering: .relaxed) }
        noteOldest(stamp)
        return entry
    }

    private func noteOldest(_ stamp: UInt64) {
        if stamp < oldestStamp { oldest.store(stamp, ordering: .relaxed) }
    }

    private func slot(_ sought: SoughtKey, _ entry: MemtableEntry) -> MemtableSlot {
        MemtableSlot(first: sought.first, second: sought.second, reference: entry.reference)
    }

    func countKey() {
        keys.store(count + 1, ordering: .relaxed)
    }

    /// The leaf in which a key belongs, for the writer.
    private func leaf(of sought: SoughtKey, _ key: RawSpan) -> MemtableNode? {
        guard var node = MemtableNode(reference: root.load(ordering: .relaxed)) else { return nil }
        while node.level > 0 { node = node.child(node.childIndex(sought, key)) }
        return node
    }

    // MARK: Reading

    /// Lends the value of a key and its stamp, if the key is here; from any thread.
    package func find<R>(
        _ key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> R
    ) -> R? {
        lend(key) { found in found.entry.withBytes { _, value in body(value, found.entry.stamp) } }
    }

    /// An entry, and the leaf and slot that named it.
    struct FoundEntry {
        let entry: MemtableEntry
        let leaf: MemtableNode
        let slot: Int
    }

    /// Lends the entry of a key, if it is here; from any thread.
    @discardableResult
    func lend<R>(_ key: RawSpan, _ body: (FoundEntry) -> R) -> R? {
        // The entry lies in the arena, which must outlive the call of `body`.
        withExtendedLifetime(self) { entry(of: key).map(body) }
    }

    /// Whether the key is here; from any thread.
    package func mayContain(_ key: RawSpan) -> Bool {
        withExtendedLifetime(self) { entry(of: key) != nil }
    }

    private func entry(of key: RawSpan) -> FoundEntry? {
        let sought = SoughtKey(key)
        while true {
            guard let position = leafPosition(of: sought, key) else { return nil }
            let leaf = position.leaf
            let (index, isEqual) = leaf.search(leaf.count, sought, key)
            let reference = isEqual ? leaf.entryReference(index) : 0
            if leaf.isStill(at: position.version) {
                return MemtableEntry(reference: reference).map {
                    FoundEntry(entry: $0, leaf: leaf, slot: index)
                }
            }
        }
    }

    /// A leaf and an even version of it.
    struct LeafPosition {
        let leaf: MemtableNode
        let version: UInt64
    }

    /// The leaf that was the key's while it had the version; nil without entries.
    func leafPosition(of sought: SoughtKey, _ key: RawSpan) -> LeafPosition? {
        while true {
            let before = structure.load(ordering: .acquiring)
            if before & 1 == 1 { continue }
            guard var node = MemtableNode(reference: root.load(ordering: .acquiring)) else {
                return nil
            }
            while node.level > 0 { node = node.child(node.childIndex(sought, key)) }
            let version = node.version
            atomicMemoryFence(ordering: .acquiring)
            if version & 1 == 0, structure.load(ordering: .relaxed) == before {
                return LeafPosition(leaf: node, version: version)
            }
        }
    }
}
