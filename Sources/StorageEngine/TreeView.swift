internal import ByteCoding

/// The runs of a tree at one moment: memtables and tables.
///
/// It never changes; only its active memtable may still take records. Whoever holds a view holds
/// its tables' files.
final class TreeView: Sendable {
    let active: Memtable
    /// The oldest first; all wait for their flush.
    let frozen: [Memtable]
    /// The run with the newest stamp first.
    let runs: [Run]
    let lost: [LostRange]

    init(active: Memtable, frozen: [Memtable], runs: [Run], lost: [LostRange]) {
        self.active = active
        self.frozen = frozen
        self.runs = runs
        self.lost = lost
    }

    /// Bytes of its memtables.
    var memoryInUse: Int { frozen.reduce(active.sizeInBytes) { $0 + $1.sizeInBytes } }

    /// The oldest log segment with a record that is only in memory.
    var oldestSegment: UInt64 {
        frozen.reduce(active.oldestSegment) { min($0, $1.oldestSegment) }
    }

    var newestStamp: UInt64 {
        let inMemory = frozen.reduce(active.newestStamp) { max($0, $1.newestStamp) }
        return max(inMemory, runs.first?.newestStamp ?? 0)
    }

    /// All parts of tables.
    var parts: [Part] { runs.flatMap(\.parts) }

    /// A view with other parts of tables.
    func with(parts: [Part]) -> TreeView {
        TreeView(active: active, frozen: frozen, runs: Run.runs(of: parts), lost: lost)
    }

    func with(lost: [LostRange]) -> TreeView {
        TreeView(active: active, frozen: frozen, runs: runs, lost: lost)
    }

    /// Whether anything but the active memtable may hold a key under a stamp not below this one.
    func mayHold(_ key: RawSpan, notOlderThan stamp: UInt64) -> Bool {
        for memtable in frozen where memtable.newestStamp >= stamp {
            if memtable.mayContain(key) { return true }
        }
        guard let first = runs.first, first.newestStamp >= stamp else { return false }
        let hash = Table.hash(key)
        for run in runs {
            guard run.newestStamp >= stamp else { break }
            if let part = run.part(for: key), part.table.mayContain(hash: hash) { return true }
        }
        return false
    }
}

/// A part of a table, with the table.
final class Part: Sendable {
    let reference: TableReference
    let table: Table

    init(reference: TableReference, table: Table) {
        self.reference = reference
        self.table = table
    }

    func contains(_ key: RawSpan) -> Bool {
        guard compareBytes(reference.lower, key) <= 0 else { return false }
        guard let upper = reference.upper else {
            return compareBytes(reference.metadata.lastKey, key) >= 0
        }
        return compareBytes(key, upper.span.bytes) < 0
    }

    /// Whether all of it lies before a key.
    func isBefore(_ key: RawSpan) -> Bool {
        if let upper = reference.upper { return compareBytes(upper.span.bytes, key) <= 0 }
        return compareBytes(reference.metadata.lastKey, key) < 0
    }

    /// Bytes of the file that belong to the tree, by the share of the key space that the bounds
    /// leave.
    var sizeInBytes: Int {
        let reference = reference
        let metadata = reference.metadata
        let first = Double(prefix(ofOrderedKey: metadata.firstKey.span.bytes))
        let last = Double(prefix(ofOrderedKey: metadata.lastKey.span.bytes))
        guard last > first else { return Int(clamping: metadata.length) }
        let lower = max(first, Double(prefix(ofOrderedKey: reference.lower.span.bytes)))
        let upper = reference.upper.map { Double(prefix(ofOrderedKey: $0.span.bytes)) } ?? last
        let share = min(max((min(upper, last) - lower) / (last - first), 0), 1)
        return Int(Double(metadata.length) * share)
    }
}

/// Parts of tables that do not overlap, in the order of their keys.
struct Run: Sendable {
    let order: UInt64
    let parts: [Part]
    let newestStamp: UInt64

    init(order: UInt64, parts: [Part]) {
        self.order = order
        self.parts = parts.sorted { precedes($0.reference.lower, $1.reference.lower) }
        newestStamp = parts.reduce(0) { max($0, $1.reference.metadata.newestStamp) }
    }

    /// The runs that parts make up, the one with the newest stamp first.
    static func runs(of parts: [Part]) -> [Run] {
        Dictionary(grouping: parts) { $0.reference.order }
            .map { Run(order: $0.key, parts: $0.value) }
            .sorted { ($0.newestStamp, $0.order) > ($1.newestStamp, $1.order) }
    }

    /// The part whose bounds contain a key.
    func part(for key: RawSpan) -> Part? {
        if parts.count == 1 { return parts[0].contains(key) ? parts[0] : nil }
        let count = partCount(notBehind: key)
        guard count > 0, parts[count - 1].contains(key) else { return nil }
        return parts[count - 1]
    }

    /// The place of the first part that has a key of its own at or behind a key.
    func firstPart(notBefore key: RawSpan) -> Int {
        let count = partCount(notBehind: key)
        return count > 0 && !parts[count - 1].isBefore(key) ? count - 1 : count
    }

    /// How many parts begin at a key or before it.
    private func partCount(notBehind key: RawSpan) -> Int {
        var low = 0
        var high = parts.count
        while low < high {
            let middle = (low + high) / 2
            let order = compareBytes(parts[middle].reference.lower, key)
            if order <= 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
