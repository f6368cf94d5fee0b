internal import ByteCoding

/// Walks several runs as one, joining the entries of a key.
struct MergingCursor {
    private var memtables: [MemtableCursor]
    private var runs: [RunCursor]
    /// The first sixteen bytes of each cursor's key, memtables first.
    private var heads: [Head] = []
    private let rule: MergeRule

    private struct Head {
        var first: UInt64
        var second: UInt64
        var isAtEnd: Bool
    }

    /// Merges runs from the first entry at or behind `key`, to the last before `upper`.
    ///
    /// Memtables go on behind `upper`; whoever walks them stops there.
    init(
        memtables: [Memtable],
        runs: [Run],
        rule: MergeRule,
        from key: RawSpan,
        before upper: [UInt8]?,
        readAhead: Int
    ) throws(StorageError) {
        self.rule = rule
        self.memtables = []
        self.runs = []
        for memtable in memtables where !memtable.isEmpty {
            self.memtables.append(MemtableCursor(memtable, from: key))
        }
        for run in runs {
            let cursor = try RunCursor(run, from: key, before: upper, readAhead: readAhead)
            if !cursor.isAtEnd { self.runs.append(cursor) }
        }
        for index in 0..<self.memtables.count + self.runs.count {
            heads.append(Head(first: 0, second: 0, isAtEnd: false))
            updateHead(index)
        }
    }

    private mutating func updateHead(_ index: Int) {
        if index < memtables.count {
            let isAtEnd = memtables[index].isAtEnd
            heads[index] = Head(
                first: isAtEnd ? 0 : memtables[index].first,
                second: isAtEnd ? 0 : memtables[index].second,
                isAtEnd: isAtEnd
            )
        } else {
            let run = index - memtables.count
            heads[index] = Head(
                first: runs[run].first,
                second: runs[run].second,
                isAtEnd: runs[run].isAtEnd
            )
        }
    }

    private mutating func advance(_ index: Int) throws(StorageError) {
        if index < memtables.count {
            memtables[index].advance()
        } else {
            try runs[index - memtables.count].advance()
        }
        updateHead(index)
    }

    private func withEntry<R>(_ index: Int, _ body: (RawSpan, RawSpan) -> R) -> R {
        if index < memtables.count { return memtables[index].withEntry(body) }
        return runs[index - memtables.count].withEntry(body)
    }

    private func stamp(_ index: Int) -> UInt64 {
        index < memtables.count
            ? memtables[index].stamp : runs[index - memtables.count].stamp
    }

    /// The order of two cursors' keys.
    private func order(_ left: Int, _ right: Int) -> Int {
        if heads[left].first != heads[right].first {
            return heads[left].first < heads[right].first ? -1 : 1
        }
        if heads[left].second != heads[right].second {
            return heads[left].second < heads[right].second ? -1 : 1
        }
        return withEntry(left) { key, _ in
            withEntry(right) { other, _ in compareBytes(key, other) }
        }
    }

    /// The cursors at the least key go here, in ascending order of their indexes.
    private var least: [Int] = []

    private mutating func findLeast() {
        least.removeAll(keepingCapacity: true)
        for index in heads.indices where !heads[index].isAtEnd {
            guard let current = least.first else {
                least.append(index)
                continue
            }
            let order = order(index, current)
            if order > 0 { continue }
            if order < 0 { least.removeAll(keepingCapacity: true) }
            least.append(index)
        }
    }

    /// Lends the next key with its joined value, and moves on; false behind the last.
    ///
    /// Deletions and tombstones are lent like all others.
    mutating func next(
        _ body: (_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Void
    ) throws(StorageError) -> Bool {
        findLeast()
        guard let first = least.first else { return false }
        if least.count == 1 {
            let stamp = stamp(first)
            withEntry(first) { key, value in body(key, value, stamp) }
            try advance(first)
            return true
        }
        var winner = first
        var merged: (value: [UInt8], stamp: UInt64)?
        for index in least.dropFirst() {
            let incomingStamp = stamp(index)
            let existingStamp = merged?.stamp ?? stamp(winner)
            let joined = withEntry(index) { _, incoming in
                if let merged {
                    return rule.join(
                        merged.value.span.bytes,
                        stamp: existingStamp,
                        incoming,
                        stamp: incomingStamp
                    )
                }
                return withEntry(winner) { _, existing in
                    rule.join(existing, stamp: existingStamp, incoming, stamp: incomingStamp)
                }
            }
            let newest = max(existingStamp, incomingStamp)
            switch joined {
            case .keepExisting:
                if merged != nil {
                    merged?.stamp = newest
                } else if newest != existingStamp {
                    merged = (withEntry(winner) { $1.array() }, newest)
                }
            case .takeIncoming:
                winner = index
                merged =
                    newest == incomingStamp ? nil : (withEntry(index) { $1.array() }, newest)
            case .merged(let value):
                merged = (value, newest)
            }
        }
        if let merged {
            withEntry(first) { key, _ in body(key, merged.value.span.bytes, merged.stamp) }
        } else {
            let stamp = stamp(winner)
            withEntry(winner) { key, value in body(key, value, stamp) }
        }
        let done = least
        for index in done { try advance(index) }
        return true
    }
}
