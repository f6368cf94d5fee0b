/// Walks several runs as one, joining the entries of a key.
struct MergingCursor {
    private var cursors: [any EntryCursor]
    private var heads: [ScanEntry?] = []
    private let rule: MergeRule

    /// Merges runs of which the oldest comes first.
    init(_ cursors: [any EntryCursor], rule: MergeRule) throws(StorageError) {
        self.cursors = cursors
        self.rule = rule
        for index in self.cursors.indices { heads.append(try self.cursors[index].next()) }
    }

    /// The next key with its joined value, or nil behind the last.
    mutating func next() throws(StorageError) -> ScanEntry? {
        var least: ScanEntry?
        for head in heads {
            guard let head else { continue }
            if let current = least {
                let order = compare(head.prefix, head.key, current.prefix, current.key)
                if order >= 0 { continue }
            }
            least = head
        }
        guard let least else { return nil }
        var joined: (value: [UInt8], stamp: UInt64)?
        for index in heads.indices {
            guard let head = heads[index],
                compare(head.prefix, head.key, least.prefix, least.key) == 0
            else { continue }
            joined = rule.join(joined, (head.value, head.stamp))
            heads[index] = try cursors[index].next()
        }
        return ScanEntry(
            prefix: least.prefix,
            key: least.key,
            value: joined?.value ?? least.value,
            stamp: joined?.stamp ?? least.stamp
        )
    }
}

extension MergeRule {
    /// Joins a value with one of a later run.
    func join(
        _ existing: (value: [UInt8], stamp: UInt64)?,
        _ incoming: (value: [UInt8], stamp: UInt64)
    ) -> (value: [UInt8], stamp: UInt64) {
        guard let existing else { return incoming }
        let stamp = max(existing.stamp, incoming.stamp)
        switch join(existing.value.span.bytes, incoming.value.span.bytes) {
        case .keepExisting: return (existing.value, stamp)
        case .takeIncoming: return (incoming.value, stamp)
        case .merged(let value): return (value, stamp)
        }
    }
}
