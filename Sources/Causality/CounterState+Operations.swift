import ClusterPrimitives

/// Whether a counter may fall.
public enum CounterDirection: Sendable {
    /// A G-counter: negative amounts are refused.
    case growOnly
    /// A PN-counter.
    case upAndDown
}

/// What became of an increment.
public enum CounterOutcome: Equatable, Sendable {
    /// A delta to be joined with the state, here and on the other replicas.
    case changed(CounterState)
    /// The operation has been counted already, or adds nothing: answer it as done.
    case unchanged
    /// The id was used with another amount, is empty or too long, or the amount is negative where
    /// the counter only grows: refuse as invalid.
    case invalid
    /// Too many entries wait to be folded: refuse as overloaded.
    case tooManyEntries
    /// The actor's total does not fit into 64 bits.
    case overflow
}

extension CounterState {
    /// Entries not yet folded at which further ids are refused: 4,096.
    ///
    /// More lets a key take more operations with ids in the time they are remembered, and makes
    /// its state larger: about 100 bytes each.
    public static let maximumEntries = 4096

    /// Counts an amount without an id; a retry counts again.
    ///
    /// To be called by the actor's node for its own copy of the key, one call for a key at a time.
    ///
    /// - Parameters:
    ///   - amount: what is added.
    ///   - direction: whether a negative amount is taken.
    ///   - actor: whose totals move.
    ///   - version: the stamp of the write.
    /// - Returns: what became of it.
    public func increment(
        by amount: Int64,
        _ direction: CounterDirection = .upAndDown,
        actor: ActorID,
        version: Version
    ) -> CounterOutcome {
        guard amount >= 0 || direction == .upAndDown else { return .invalid }
        guard amount != 0 else { return .unchanged }
        var delta = skeleton(version)
        let index = delta.position(of: actor)
        guard delta.rows[index].add(amount) else { return .overflow }
        return .changed(delta.withoutEmptyRows)
    }

    /// Counts an amount once for its id, whichever replica is asked how often.
    ///
    /// - Parameters:
    ///   - amount: what is added; the same in every retry.
    ///   - id: the operation's id, 1 to 64 bytes.
    ///   - direction: whether negative amounts are taken.
    ///   - actor: who mints the entry; its node holds this state as its own copy of the key.
    ///   - version: the stamp of the write.
    ///   - limit: entries not folded at which the operation is refused.
    /// - Returns: what became of it. Also where it is unchanged, the state that holds the entry
    ///   must be on as many replicas as the write's level asks for before it is answered.
    public func increment(
        by amount: Int64,
        id: [UInt8],
        _ direction: CounterDirection = .upAndDown,
        actor: ActorID,
        version: Version,
        limit: Int = CounterState.maximumEntries
    ) -> CounterOutcome {
        guard Self.idSize.contains(id.count), amount >= 0 || direction == .upAndDown else {
            return .invalid
        }
        for row in rows {
            for entry in row.entries where entry.id == id {
                return entry.amount == amount ? .unchanged : .invalid
            }
        }
        guard unfoldedCount < limit else { return .tooManyEntries }
        let last = rows.first { $0.actor == actor }?.last ?? 0
        guard last < Dot.maximumCounter else { return .overflow }
        var delta = skeleton(version)
        let index = delta.position(of: actor)
        delta.rows[index].entries.append(
            Entry(
                number: last + 1,
                kind: .counts,
                timestamp: version.timestamp,
                id: id,
                amount: amount
            )
        )
        return .changed(delta.withoutEmptyRows)
    }

    /// The deletion of the key: what this state counts, counts no more.
    ///
    /// - Parameter version: the stamp of the deletion.
    /// - Returns: a delta; nil where there is nothing to delete.
    public func reset(version: Version) -> CounterState? {
        guard !isAbsent else { return nil }
        var delta = self
        delta.newestVersion = max(newestVersion, version)
        for row in delta.rows.indices {
            delta.rows[row].resetAdded = delta.rows[row].added
            delta.rows[row].resetTaken = delta.rows[row].taken
            for entry in delta.rows[row].entries.indices
            where delta.rows[row].entries[entry].kind == .counts {
                delta.rows[row].entries[entry].kind = .reset
            }
        }
        return delta
    }

    /// Folds an actor's entries into its total, in the order of their numbers, as far as they are
    /// old enough and all replicas hold them.
    ///
    /// To be called by the actor's own node for its own copy of the key, one call for a key at a
    /// time; or, once the actor's process has ended, by the node's next one on the same disk.
    ///
    /// - Parameters:
    ///   - actor: whose entries are folded.
    ///   - replicas: the state of every replica of the key, all read after this was begun.
    ///   - limit: entries of this timestamp or a later one stay; 10 minutes ago is right, since
    ///     so long a retry finds its id.
    ///   - version: the stamp of the folding.
    /// - Returns: a delta; nil where nothing can be folded.
    public func fold(
        actor: ActorID,
        replicas: [CounterState],
        olderThan limit: HybridTimestamp,
        version: Version
    ) -> CounterState? {
        var merged = self
        for replica in replicas { merged.merge(replica) }
        guard let index = merged.rows.firstIndex(where: { $0.actor == actor }) else { return nil }
        var row = merged.rows[index]
        let begun = row.folded
        for entry in row.entries {
            let isHeld = replicas.allSatisfy { replica in
                replica.rows.contains { $0.actor == actor && $0.holds(entry.number) }
            }
            // A missing number would be an entry that this node does not know.
            guard entry.number == row.folded + 1, isHeld, entry.timestamp < limit else { break }
            if entry.kind == .counts, !row.add(entry.amount) { break }
            row.folded = entry.number
        }
        guard row.folded > begun else { return nil }
        row.entries.removeAll { $0.number <= row.folded }
        merged.rows[index] = row
        return merged.skeleton(version)
    }

    /// Folds the entries of several actors, of all of whom the caller is the node, as `fold` does.
    public func fold(
        actors: Set<ActorID>,
        replicas: [CounterState],
        olderThan limit: HybridTimestamp,
        version: Version
    ) -> CounterState? {
        var all: CounterState?
        for row in rows where actors.contains(row.actor) {
            let delta = fold(
                actor: row.actor,
                replicas: replicas,
                olderThan: limit,
                version: version
            )
            guard let delta else { continue }
            all =
                all.map { joined in
                    var joined = joined
                    joined.merge(delta)
                    return joined
                } ?? delta
        }
        return all
    }

    /// Whether one of these actors has an entry that is older than the limit, the first of its row.
    public func isFoldable(
        actors: Set<ActorID>,
        _ actor: ActorID,
        olderThan limit: HybridTimestamp
    ) -> Bool {
        rows.contains { row in
            guard let first = row.entries.first, first.timestamp < limit else { return false }
            return row.actor == actor || actors.contains(row.actor)
        }
    }

    /// What every delta must carry: all rows, void entries, and those that count in their place.
    ///
    /// Who learned only that an entry is void would count none of its id.
    private func skeleton(_ version: Version) -> CounterState {
        var result = self
        result.newestVersion = max(newestVersion, version)
        var voided: Set<[UInt8]> = []
        for row in rows {
            for entry in row.entries where entry.kind == .void { voided.insert(entry.id) }
        }
        for row in result.rows.indices {
            result.rows[row].entries.removeAll { !voided.contains($0.id) }
        }
        return result.withoutEmptyRows
    }

    private var withoutEmptyRows: CounterState {
        var result = self
        result.rows.removeAll {
            $0.folded == 0 && $0.added == 0 && $0.taken == 0 && $0.entries.isEmpty
        }
        return result
    }

    /// The index of an actor's row, which is made where there is none.
    private mutating func position(of id: ActorID) -> Int {
        let index = rows.firstIndex { $0.actor >= id } ?? rows.count
        if index == rows.count || rows[index].actor != id {
            rows.insert(Row(actor: id), at: index)
        }
        return index
    }
}

extension CounterState.Row {
    /// Adds an amount to the totals; false where it does not fit.
    mutating func add(_ amount: Int64) -> Bool {
        let total = amount < 0 ? taken : added
        let (sum, overflow) = total.addingReportingOverflow(amount.magnitude)
        guard !overflow else { return false }
        if amount < 0 { taken = sum } else { added = sum }
        return true
    }
}
