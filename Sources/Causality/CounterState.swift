/// What a replica keeps for a key of a counter keyspace: totals of each actor, and the increments
/// with an operation's id that are remembered so that a retry counts once.
///
/// **Rows.** Each actor has a row that only it changes: the sums of what it added and took away,
/// which never fall, and the number up to which its entries are folded into them. The three move
/// together, so of two versions of a row the greater is the later one, and the join takes the
/// greater of each.
///
/// **Entries.** An increment with an id is an entry: a number of its actor, the id, the amount.
/// Of entries with one id the one with the lowest dot counts; the join voids the others. A void
/// entry stays in its row, so that an old message cannot bring it back, and keeps its id, so that
/// it voids those above it also where the lowest has not arrived yet.
///
/// **Folding.** A row that is folded through number f says nothing of its entries up to f any
/// more: what counted is in the totals, and the join drops what an old state still has of them.
/// So nothing counts twice, and nothing is lost, since whoever learns the new f learns in the same
/// row the totals that contain it. What remains is a duplicate of an id that was folded: the join
/// can no longer see that it is one. It must be known as void to all who know the fold. That it
/// is, follows from three rules:
///
/// 1. An actor folds an entry only in a state that has joined the state of *every* replica, each
///    taken when that replica already held the entry (`fold` checks this).
/// 2. A replica mints no entry under an id that it holds.
/// 3. Every delta carries all rows and all void entries of the state that it was made from, and
///    with each void entry the one of its id that counts.
///
/// A duplicate was minted either before its minter held the entry, and then the minter's state of
/// rule 1 contains it, so the folding actor's state has it as void (or, where it is the lower one,
/// the folded entry as void, which adds nothing); or after, which rule 2 excludes until the minter
/// knows the fold and so has forgotten the id. Rule 3 then takes the void entry to everyone who
/// learns the fold, and voidness and folds only grow. A retry that comes later than that (the
/// owner folds no sooner than 10 minutes after the write) counts as an increment of its own; its
/// delta carries the fold, so that all replicas agree on it.
///
/// The rules bind the node too: a replica that lost its copy must have joined the others' before
/// it mints entries for the key or is counted in rule 1.
///
/// **Deletion** is an observed reset: the totals that the coordinator's merged state holds become
/// the base from which each row counts, and the entries in it are marked as reset, keeping their
/// ids. Increments that the state did not hold survive. So does an entry that its actor folds
/// while the reset is on its way. The rows stay: a counter is never purged, since an actor that
/// began again from zero would hide behind its old totals.
///
///     state := newest: version (12 bytes), rows: varint, at least 1, row × rows by actor
///     row   := actor (16 bytes), folded: varint, added: varint, taken: varint,
///              resetAdded: varint, resetTaken: varint, entries: varint, entry × entries by number
///     entry := gap: varint        missing numbers before it
///              kind: uint8        0 counts, 1 reset, 2 void
///              timestamp: uint64, id: length as varint, 1 to 64, and bytes,
///              amount: zigzag as varint
public struct CounterState: Equatable, Sendable {
    /// What becomes of an entry in the sum.
    enum Kind: UInt8, Sendable {
        // On disk: never renumber. Of two copies of an entry the greater kind is the later one.
        case counts = 0
        case reset = 1
        case void = 2
    }

    /// An increment with an id that is not folded yet.
    struct Entry: Equatable, Sendable {
        /// Its number among its actor's entries.
        var number: UInt64
        var kind: Kind
        /// When it was minted.
        var timestamp: HybridTimestamp
        var id: [UInt8]
        var amount: Int64
    }

    /// What one actor did.
    struct Row: Equatable, Sendable {
        var actor: ActorID
        /// Entries up to this number are in the totals, or void.
        var folded: UInt64 = 0
        var added: UInt64 = 0
        var taken: UInt64 = 0
        /// How much of `added` was reset, at most all.
        var resetAdded: UInt64 = 0
        var resetTaken: UInt64 = 0
        /// Ascending by number, all above `folded`.
        var entries: [Entry] = []

        /// The number of the actor's latest entry that is known.
        var last: UInt64 { entries.last?.number ?? folded }

        /// Whether the entry of this number is known: folded, void or held.
        func holds(_ number: UInt64) -> Bool {
            number <= folded || entries.contains { $0.number == number }
        }
    }

    /// Bytes of an operation's id: 1 to 64.
    public static let idSize = 1...64

    /// The greatest version of a write in the state.
    public internal(set) var newestVersion: Version
    /// Ascending by actor.
    var rows: [Row]

    /// The state of a key that was never written; it has no encoding.
    public init() {
        newestVersion = .zero
        rows = []
    }

    /// The sum, kept within 64 bits.
    public var value: Int64 {
        var sum: Int128 = 0
        for row in rows {
            sum += Int128(row.added - row.resetAdded)
            sum -= Int128(row.taken - row.resetTaken)
            for entry in row.entries where entry.kind == .counts { sum += Int128(entry.amount) }
        }
        return Int64(clamping: sum)
    }

    /// Whether the key was never incremented, or not since it was reset.
    public var isAbsent: Bool {
        rows.allSatisfy { row in
            row.added == row.resetAdded && row.taken == row.resetTaken
                && row.entries.allSatisfy { $0.kind != .counts }
        }
    }

    /// The entries that are not folded, void ones among them.
    public var unfoldedCount: Int { rows.reduce(0) { $0 + $1.entries.count } }

    /// Takes in another state of the key.
    public mutating func merge(_ other: CounterState) {
        newestVersion = max(newestVersion, other.newestVersion)
        var merged: [Row] = []
        merged.reserveCapacity(max(rows.count, other.rows.count))
        var (left, right) = (0, 0)
        while left < rows.count || right < other.rows.count {
            if right == other.rows.count
                || left < rows.count && rows[left].actor < other.rows[right].actor
            {
                merged.append(rows[left])
                left += 1
            } else if left == rows.count || other.rows[right].actor < rows[left].actor {
                merged.append(other.rows[right])
                right += 1
            } else {
                merged.append(rows[left].merged(with: other.rows[right]))
                left += 1
                right += 1
            }
        }
        rows = merged
        voidDuplicates()
    }

    /// Of the entries with one id leaves the one with the lowest dot and voids the others.
    ///
    /// - Returns: whether there were any to void.
    @discardableResult
    mutating func voidDuplicates() -> Bool {
        // Entries come by ascending dot. Ids are only looked up, never walked.
        var seen = Set<[UInt8]>(minimumCapacity: rows.reduce(0) { $0 + $1.entries.count })
        var isAny = false
        for row in rows.indices {
            for entry in rows[row].entries.indices {
                let (isFirst, _) = seen.insert(rows[row].entries[entry].id)
                if isFirst || rows[row].entries[entry].kind == .void { continue }
                rows[row].entries[entry].kind = .void
                isAny = true
            }
        }
        return isAny
    }
}

extension CounterState.Row {
    /// The join of two versions of one actor's row.
    func merged(with other: CounterState.Row) -> CounterState.Row {
        var result = self
        result.folded = max(folded, other.folded)
        result.added = max(added, other.added)
        result.taken = max(taken, other.taken)
        result.resetAdded = max(resetAdded, other.resetAdded)
        result.resetTaken = max(resetTaken, other.resetTaken)
        result.entries = []
        var (left, right) = (0, 0)
        while left < entries.count || right < other.entries.count {
            let one = left < entries.count ? entries[left] : nil
            let two = right < other.entries.count ? other.entries[right] : nil
            let number = min(one?.number ?? .max, two?.number ?? .max)
            let mine = one?.number == number ? one : nil
            let theirs = two?.number == number ? two : nil
            if mine != nil { left += 1 }
            if theirs != nil { right += 1 }
            guard number > result.folded else { continue }
            if let mine, let theirs {
                result.entries.append(mine.merged(with: theirs))
            } else if let entry = mine ?? theirs {
                result.entries.append(entry)
            }
        }
        return result
    }
}

extension CounterState.Entry {
    /// The join of two copies of one entry.
    ///
    /// A dot has one id and one amount; should a fault give it two, the greater stay.
    fileprivate func merged(with other: CounterState.Entry) -> CounterState.Entry {
        var result = self
        if (timestamp, amount) == (other.timestamp, other.amount) {
            if id.lexicographicallyPrecedes(other.id) { result.id = other.id }
        } else if (timestamp, amount) < (other.timestamp, other.amount) {
            result = other
        }
        result.kind = kind.rawValue < other.kind.rawValue ? other.kind : kind
        return result
    }
}
