/// A walk over a memtable's entries, ascending, while the writer works.
///
/// Weakly consistent: each entry is as it was at some moment of the walk; none comes twice, and
/// none that was there before the walk began is left out. For one thread at a time.
///
/// Why: the cursor stands on a slot of a leaf and remembers the leaf's version. If that is still
/// the same, the next slot has the next key. If it is not, the cursor looks for the first key
/// behind its own from the root. At the end of an unchanged leaf it goes to the first slot of the
/// leaf to the right: a split moves keys only to new leaves on the right of their own and leaves
/// each leaf's least possible key as it was. So all keys of that leaf are behind all that the
/// cursor has passed, and what came between them meanwhile is new or was passed.
package struct MemtableCursor {
    private let table: Memtable
    private var entry: MemtableEntry?
    /// The first eight bytes of the key.
    package private(set) var first: UInt64 = 0
    /// The eight bytes behind them.
    package private(set) var second: UInt64 = 0
    // Where the entry was found, if there is one.
    private var leaf: MemtableNode?
    private var version: UInt64 = 0
    private var index = 0
    private var count = 0

    /// A cursor at the first entry whose ordered key is `key` or behind it; no bytes for the first
    /// entry of all.
    package init(_ table: Memtable, from key: RawSpan) {
        self.table = table
        seek(key, isExclusive: false)
    }

    /// Whether all entries are behind the cursor; then it has no entry.
    package var isAtEnd: Bool { entry == nil }

    /// The entry's stamp; 0 at the end.
    package var stamp: UInt64 { withExtendedLifetime(table) { entry?.stamp ?? 0 } }

    /// Lends the entry's key and value; the cursor must not be at the end.
    package func withEntry<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        guard let entry else { preconditionFailure("a cursor at its end has no entry") }
        // The spans lent lie in the arena, which must outlive the call of `body`.
        return withExtendedLifetime(table) { entry.withBytes(body) }
    }

    /// Where the entry lies, for as long as the memtable lives; nil at the end.
    var place: EntryPlace? { entry?.place(first: first, second: second) }

    /// Goes to the next entry; stays at the end.
    package mutating func advance() {
        guard let leaf, let entry else { return }
        let next = index + 1
        if next < count {
            let slot = leaf.slot(next)
            if leaf.isStill(at: version) { return take(slot, at: next) }
        } else {
            let neighbour = leaf.next
            if leaf.isStill(at: version) { return enter(neighbour) }
        }
        entry.withBytes { key, _ in seek(key, isExclusive: true) }
    }

    private mutating func take(_ slot: MemtableSlot, at index: Int) {
        entry = MemtableEntry(reference: slot.reference)
        first = slot.first
        second = slot.second
        self.index = index
    }

    private mutating func take(
        _ slot: MemtableSlot,
        at index: Int,
        of position: Memtable.LeafPosition,
        count: Int
    ) {
        leaf = position.leaf
        version = position.version
        self.count = count
        take(slot, at: index)
    }

    /// Goes to the first slot of a leaf; to the end if there is no leaf.
    private mutating func enter(_ reference: UInt64) {
        guard let leaf = MemtableNode(reference: reference) else {
            entry = nil
            return
        }
        while true {
            let version = leaf.version
            if version & 1 == 1 { continue }
            // A leaf that a word leads to has an entry whenever its version is even.
            let count = leaf.count
            let slot = leaf.slot(0)
            if leaf.isStill(at: version) {
                return take(slot, at: 0, of: .init(leaf: leaf, version: version), count: count)
            }
        }
    }

    private mutating func seek(_ key: RawSpan, isExclusive: Bool) {
        let sought = SoughtKey(key)
        while true {
            guard let position = table.leafPosition(of: sought, key) else {
                entry = nil
                return
            }
            let leaf = position.leaf
            let count = leaf.count
            let (found, isEqual) = leaf.search(count, sought, key)
            let index = isEqual && isExclusive ? found + 1 : found
            if index < count {
                let slot = leaf.slot(index)
                if leaf.isStill(at: position.version) {
                    return take(slot, at: index, of: position, count: count)
                }
            } else {
                let neighbour = leaf.next
                if leaf.isStill(at: position.version) { return enter(neighbour) }
            }
        }
    }
}
