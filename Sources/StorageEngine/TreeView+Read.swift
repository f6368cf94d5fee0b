internal import ByteCoding

extension TreeView {
    /// Bytes that a walk over a table reads at once.
    private static let readAhead = 64 << 10

    func get(
        prefix: UInt64,
        key: RawSpan,
        tree: Tree,
        disk: DiskAccess
    ) throws(StorageError) -> (Lookup, ReadBasis) {
        var lookup = Lookup.absent
        let (answer, basis) = try withOrderedKey(prefix, key) { key throws(StorageError) in
            try find(key, tree: tree, disk: disk) { value, stamp in
                lookup = .found(value.array(), stamp: stamp)
            }
        }
        return (answer == .needsDisk ? .needsDisk : lookup, basis)
    }

    func salvage(
        prefix: UInt64,
        key: RawSpan,
        tree: Tree
    ) throws(StorageError) -> (value: [UInt8]?, damage: [StorageError]) {
        try withOrderedKey(prefix, key) { key throws(StorageError) in salvage(key, tree: tree) }
    }

    /// Lends the value of a key, if it is there.
    func lend(
        prefix: UInt64,
        key: RawSpan,
        tree: Tree,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
    ) throws(StorageError) {
        _ = try withOrderedKey(prefix, key) { key throws(StorageError) in
            try find(key, tree: tree, disk: .allowed, body)
        }
    }

    func visit(
        tree: Tree,
        from position: ScanPosition?,
        through lastPrefix: UInt64,
        _ body: (_ prefix: UInt64, _ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Bool
    ) throws(StorageError) {
        let start = position ?? .from(prefix: 0)
        var lower = orderedKey(start.prefix, start.key.span.bytes)
        if start.isExclusive { lower.append(0) }
        let nothing: [UInt8] = []
        let upper = lastPrefix == .max ? nil : orderedKey(lastPrefix + 1, nothing.span.bytes)
        for range in lost where range.overlaps(lower, upper) {
            throw .lost(tree: tree.number, range: range)
        }
        var cursor = try MergingCursor(
            memtables: frozen + [active],
            runs: runs,
            rule: tree.rule,
            from: lower.span.bytes,
            before: upper,
            readAhead: Self.readAhead,
            keepsBlocks: true
        )
        let rule = tree.rule
        var goesOn = true
        while goesOn {
            let hasMore = try cursor.next { ordered, value, stamp, _ in
                let found = prefix(ofOrderedKey: ordered)
                if found > lastPrefix {
                    goesOn = false
                } else if !rule.isDeletion(stamp) {
                    let key = ordered.extracting(prefixSize..<ordered.byteCount)
                    goesOn = body(found, key, value, stamp)
                }
            }
            if !hasMore { return }
        }
    }

    func scan(
        tree: Tree,
        from position: ScanPosition?,
        through lastPrefix: UInt64,
        maximumBytes: Int,
        maximumEntries: Int
    ) throws(StorageError) -> ScanPage {
        let limit = max(1, maximumEntries)
        var entries: [ScanEntry] = []
        var size = 0
        var next: ScanPosition?
        try visit(tree: tree, from: position, through: lastPrefix) { prefix, key, value, stamp in
            let bytes = key.byteCount + value.byteCount
            if let last = entries.last, entries.count == limit || size + bytes > maximumBytes {
                next = .after(prefix: last.prefix, key: last.key)
                return false
            }
            size += bytes
            entries.append(
                ScanEntry(prefix: prefix, key: key.array(), value: value.array(), stamp: stamp)
            )
            return true
        }
        return ScanPage(entries: entries, next: next)
    }
}
