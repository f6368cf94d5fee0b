public import ByteCoding
internal import Synchronization

/// Whether a lookup may wait for the disk.
public enum DiskAccess: Sendable {
    /// It may.
    case allowed
    /// It answers from memory, or that it cannot.
    case forbidden
}

extension Engine {
    /// Looks a key up, joined over all runs.
    ///
    /// The key is a range of `source`. With the disk forbidden the answer is `needsDisk`, unless
    /// memory and the tables' filters and bounds suffice. A key whose block is damaged is never
    /// `absent`.
    ///
    /// - Throws: `unknownTree`, `corruption`, `io`.
    public func get(
        tree number: UInt32,
        prefix: UInt64,
        key: ByteRange,
        of source: RawSpan,
        disk: DiskAccess = .allowed
    ) throws(StorageError) -> Lookup {
        guard let tree = tree(number) else { throw .unknownTree(number) }
        let (newest, tables) = tree.state.withLock {
            state -> ((value: [UInt8], stamp: UInt64)?, [Table]) in
            let newest = state.newest(prefix, key, of: source).map { found in
                (value: found.bytes.span.bytes.array(found.entry.value), stamp: found.entry.stamp)
            }
            return (newest, state.tables)
        }
        if tree.rule.isOverwrite, let newest {
            return .found(newest.value, stamp: newest.stamp)
        }
        var joined: (value: [UInt8], stamp: UInt64)?
        if !tables.isEmpty {
            let hash = BloomFilter.hash(prefix, key, of: source)
            for table in tables where table.mayContain(prefix, key, of: source, hash: hash) {
                guard disk == .allowed else { return .needsDisk }
                if let found = try table.find(prefix, key, of: source) {
                    joined = tree.rule.join(joined, found)
                }
            }
        }
        if let newest { joined = tree.rule.join(joined, newest) }
        guard let joined else { return .absent }
        return .found(joined.value, stamp: joined.stamp)
    }

    /// Looks a key up that is an array.
    ///
    /// - Throws: as the other `get`.
    public func get(
        tree number: UInt32,
        prefix: UInt64,
        key: [UInt8],
        disk: DiskAccess = .allowed
    ) throws(StorageError) -> Lookup {
        try get(
            tree: number,
            prefix: prefix,
            key: ByteRange(offset: 0, count: key.count),
            of: key.span.bytes,
            disk: disk
        )
    }

    /// The newest stamp of a tree's entries; 0 if it has none.
    ///
    /// - Throws: `unknownTree`.
    public func newestStamp(tree number: UInt32) throws(StorageError) -> UInt64 {
        guard let tree = tree(number) else { throw .unknownTree(number) }
        return tree.state.withLock { state in
            let inMemory = state.frozen.reduce(state.active.newestStamp) {
                max($0, $1.table.newestStamp)
            }
            return state.tables.reduce(inMemory) { max($0, $1.metadata.newestStamp) }
        }
    }

    /// A page of entries in ascending order, joined over all runs.
    ///
    /// A page shows one moment; the next page may show a later one.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - position: where to begin; nil for the first entry.
    ///   - lastPrefix: the last prefix that belongs to the range.
    ///   - maximumBytes: keys and values after which the page ends; one entry always fits.
    ///   - maximumEntries: entries after which the page ends, at least 1.
    /// - Returns: the entries and where the next page begins.
    /// - Throws: `unknownTree`, `corruption`, `io`.
    public func scan(
        tree number: UInt32,
        from position: ScanPosition? = nil,
        through lastPrefix: UInt64 = .max,
        maximumBytes: Int = 1 << 20,
        maximumEntries: Int = 1024
    ) throws(StorageError) -> ScanPage {
        guard let tree = tree(number) else { throw .unknownTree(number) }
        let start = position ?? .from(prefix: 0)
        let limit = max(1, maximumEntries)
        let (active, frozen, tables): (Active, [FrozenMemtable], [Table]) = tree.state.withLock {
            state in
            (
                Self.copy(
                    state.active,
                    from: start,
                    through: lastPrefix,
                    maximumBytes: maximumBytes,
                    maximumEntries: limit
                ),
                state.frozen, state.tables
            )
        }
        var cursors: [any EntryCursor] = tables.map { TableCursor($0, from: start) }
        cursors += frozen.map { MemtableCursor($0, from: start) }
        cursors.append(ArrayCursor(active.entries))
        var merged = try MergingCursor(cursors, rule: tree.rule)
        var entries: [ScanEntry] = []
        var size = 0
        while let entry = try merged.next() {
            guard entry.prefix <= lastPrefix else { break }
            guard start.admits(entry.prefix, entry.key) else { continue }
            let bytes = entry.key.count + entry.value.count
            let isUnknown =
                active.isCutShort
                && active.entries.last.map {
                    compare($0.prefix, $0.key, entry.prefix, entry.key) < 0
                } ?? false
            if let last = entries.last,
                entries.count == limit || size + bytes > maximumBytes || isUnknown
            {
                return ScanPage(
                    entries: entries,
                    next: .after(prefix: last.prefix, key: last.key)
                )
            }
            entries.append(entry)
            size += bytes
        }
        // Behind what was copied the active memtable may have more of the range.
        let next = active.isCutShort ? entries.last : nil
        return ScanPage(
            entries: entries,
            next: next.map { .after(prefix: $0.prefix, key: $0.key) }
        )
    }

    /// The active memtable's part of a page, copied, since it changes once the lock is given back.
    private struct Active: Sendable {
        var entries: [ScanEntry] = []
        /// Whether the memtable has more, behind the last of these.
        var isCutShort = false
    }

    private static func copy(
        _ memtable: borrowing Memtable,
        from start: ScanPosition,
        through lastPrefix: UInt64,
        maximumBytes: Int,
        maximumEntries: Int
    ) -> Active {
        var slot = memtable.lowerBound(
            start.prefix,
            ByteRange(offset: 0, count: start.key.count),
            of: start.key.span.bytes
        )
        var active = Active()
        var size = 0
        while let entry = memtable.scanEntry(at: &slot), entry.prefix <= lastPrefix {
            guard start.admits(entry.prefix, entry.key) else { continue }
            active.entries.append(entry)
            size += entry.key.count + entry.value.count
            if active.entries.count > maximumEntries || size > maximumBytes {
                active.isCutShort = true
                break
            }
        }
        return active
    }
}
