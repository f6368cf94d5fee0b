internal import ByteCoding

/// Walks the entries of one run in order, from a position on.
protocol EntryCursor {
    /// The next entry, or nil behind the last.
    mutating func next() throws(StorageError) -> ScanEntry?
}

/// Walks a copy of entries.
struct ArrayCursor: EntryCursor {
    private let entries: [ScanEntry]
    private var index = 0

    init(_ entries: [ScanEntry]) { self.entries = entries }

    mutating func next() -> ScanEntry? {
        guard index < entries.count else { return nil }
        defer { index += 1 }
        return entries[index]
    }
}

/// Walks a memtable.
struct MemtableCursor: EntryCursor {
    private let table: FrozenMemtable
    private var slot: Memtable.Slot

    init(_ table: FrozenMemtable, from position: ScanPosition) {
        self.table = table
        slot = table.table.lowerBound(
            position.prefix,
            ByteRange(offset: 0, count: position.key.count),
            of: position.key.span.bytes
        )
    }

    mutating func next() -> ScanEntry? {
        table.table.scanEntry(at: &slot)
    }
}

extension Memtable {
    /// A copy of the entry at a slot, and one slot on; nil behind the last.
    func scanEntry(at slot: inout Slot) -> ScanEntry? {
        guard let (prefix, entry) = entry(at: &slot) else { return nil }
        slot.index += 1
        let bytes = arena.chunks[entry.chunk]
        return ScanEntry(
            prefix: prefix,
            key: bytes.span.bytes.array(entry.key),
            value: bytes.span.bytes.array(entry.value),
            stamp: entry.stamp
        )
    }
}

/// Walks a table, a block at a time.
struct TableCursor: EntryCursor {
    private let table: Table
    private let start: ScanPosition
    private var blockNumber: Int
    private var block: Table.Block?
    private var index = 0

    init(_ table: Table, from position: ScanPosition) {
        self.table = table
        start = position
        blockNumber = table.blockIndex(position.prefix, position.key.span.bytes)
    }

    mutating func next() throws(StorageError) -> ScanEntry? {
        while true {
            guard let current = block else {
                guard blockNumber < table.blockCount else { return nil }
                let loaded = try table.block(blockNumber)
                index = try table.lowerBound(loaded, start.prefix, start.key.span.bytes)
                block = loaded
                continue
            }
            guard index < current.count else {
                blockNumber += 1
                block = nil
                continue
            }
            let entry = try current.entry(index)
            index += 1
            let span = current.bytes.span.bytes
            return ScanEntry(
                prefix: entry.prefix,
                key: span.array(entry.key),
                value: span.array(entry.value),
                stamp: entry.stamp
            )
        }
    }
}
