internal import ByteCoding

/// Walks several runs as one, joining the entries of a key.
struct MergingCursor {
    private var memtables: [MemtableCursor] = []
    private var runs: [RunCursor] = []
    /// The entries of those that have not come to their end, memtables first.
    private var heads: [Head] = []
    /// The head whose entry was lent and not yet left.
    private var lent: Int?
    private let rule: MergeRule

    private struct Head {
        var entry: EntryPlace
        /// The cursor's place among memtables and, behind those, runs.
        var source: Int
    }

    /// Merges runs from the first entry at or behind `key`, to the last before `upper`.
    ///
    /// Memtables go on behind `upper`; whoever walks them stops there. `keepsBlocks` lets the first
    /// blocks of each table come into the cache, as point reads do.
    init(
        memtables: [Memtable],
        runs: [Run],
        rule: MergeRule,
        from key: RawSpan,
        before upper: [UInt8]?,
        readAhead: Int,
        keepsBlocks: Bool = false
    ) throws(StorageError) {
        self.rule = rule
        heads.reserveCapacity(memtables.count + runs.count)
        for memtable in memtables where !memtable.isEmpty {
            let cursor = MemtableCursor(memtable, from: key)
            guard let entry = cursor.place else { continue }
            heads.append(Head(entry: entry, source: self.memtables.count))
            self.memtables.append(cursor)
        }
        guard !runs.isEmpty else { return }
        let start = key.array()
        self.runs.reserveCapacity(runs.count)
        // All are begun before the first is read, so that they wait for memory together.
        for run in runs {
            let cursor = RunCursor(
                run,
                from: start,
                before: upper,
                readAhead: readAhead,
                keepsBlocks: keepsBlocks
            )
            if let cursor { self.runs.append(cursor) }
        }
        var index = 0
        while index < self.runs.count {
            if let entry = try self.runs[index].advance() {
                heads.append(Head(entry: entry, source: self.memtables.count + index))
                index += 1
            } else {
                self.runs.remove(at: index)
            }
        }
    }

    /// Lends the next key with its joined value; false behind the last.
    ///
    /// Deletions and tombstones are lent like all others. A joined value is whole if one of those
    /// that it was joined of is.
    @inline(__always)
    mutating func next(
        _ body: (_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> Void
    ) throws(StorageError) -> Bool {
        if let lent {
            try advance(lent)
            self.lent = nil
        }
        guard !heads.isEmpty else { return false }
        let (least, isAlone) = findLeast()
        guard isAlone else {
            try join(from: least, body)
            return true
        }
        let entry = heads[least].entry
        entry.withBytes { key, value in body(key, value, entry.stamp, entry.isWhole) }
        lent = least
        return true
    }

    /// The first head with the least key, and whether no other has that key.
    private func findLeast() -> (head: Int, isAlone: Bool) {
        var least = 0
        var isAlone = true
        var first = heads[0].entry.first
        for index in 1..<max(heads.count, 1) {
            let other = heads[index].entry.first
            if other > first { continue }
            if other == first {
                let order = order(index, least)
                if order > 0 { continue }
                if order == 0 {
                    isAlone = false
                    continue
                }
            }
            least = index
            isAlone = true
            first = other
        }
        return (least, isAlone)
    }

    /// The order of two heads' keys.
    private func order(_ left: Int, _ right: Int) -> Int {
        let left = heads[left].entry
        let right = heads[right].entry
        if left.first != right.first { return left.first < right.first ? -1 : 1 }
        if left.second != right.second { return left.second < right.second ? -1 : 1 }
        return left.withBytes { key, _ in
            right.withBytes { other, _ in compareBytes(key, other) }
        }
    }

    /// Leaves the entry of a head; the head goes with its cursor's last.
    private mutating func advance(_ head: Int) throws(StorageError) {
        let source = heads[head].source
        if source >= memtables.count {
            if let entry = try runs[source - memtables.count].advance() {
                heads[head].entry = entry
                return
            }
            // The tables are let go of, so that their files may be removed.
            runs.remove(at: source - memtables.count)
        } else {
            memtables[source].advance()
            if let entry = memtables[source].place {
                heads[head].entry = entry
                return
            }
            memtables.remove(at: source)
        }
        heads.remove(at: head)
        for index in head..<heads.count { heads[index].source -= 1 }
    }

    /// Lends a key that several have, and leaves it.
    @inline(never)
    private mutating func join(
        from first: Int,
        _ body: (_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> Void
    ) throws(StorageError) {
        let sharing = (first..<heads.count).filter { $0 == first || order($0, first) == 0 }
        let isWhole = sharing.contains { heads[$0].entry.isWhole }
        var winner = heads[first].entry
        var merged: (value: [UInt8], stamp: UInt64)?
        for index in sharing.dropFirst() {
            let incoming = heads[index].entry
            let existingStamp = merged?.stamp ?? winner.stamp
            let joined = incoming.withBytes { _, value in
                if let merged {
                    return rule.join(
                        merged.value.span.bytes,
                        stamp: existingStamp,
                        value,
                        stamp: incoming.stamp
                    )
                }
                return winner.withBytes { _, existing in
                    rule.join(existing, stamp: existingStamp, value, stamp: incoming.stamp)
                }
            }
            let newest = max(existingStamp, incoming.stamp)
            switch joined {
            case .keepExisting:
                if merged != nil {
                    merged?.stamp = newest
                } else if newest != existingStamp {
                    merged = (winner.withBytes { $1.array() }, newest)
                }
            case .takeIncoming:
                winner = incoming
                merged =
                    newest == incoming.stamp
                    ? nil : (incoming.withBytes { $1.array() }, newest)
            case .merged(let value):
                merged = (value, newest)
            }
        }
        winner.withBytes { key, value in
            if let merged {
                body(key, merged.value.span.bytes, merged.stamp, isWhole)
            } else {
                body(key, value, winner.stamp, isWhole)
            }
        }
        // From the last, since a head that goes moves those behind it.
        for index in sharing.reversed() { try advance(index) }
    }
}
