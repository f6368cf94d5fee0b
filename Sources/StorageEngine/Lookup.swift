internal import ByteCoding

/// What a search for one key found.
enum Answer {
    /// No run has the key, or it was deleted.
    case absent
    /// The value was lent.
    case found
    /// Only the disk can tell, and it was not to be read.
    case needsDisk
}

/// What a lookup rested on, so that a write made of all that it found need not be joined with that
/// again, neither when it is written nor when it is read.
public struct ReadBasis: Sendable {
    /// The number of the memtable that was active.
    let memtable: UInt64
    /// What that had of the key, as a reference; 0 for nothing.
    var entry: UInt64 = 0
    /// Which leaf named the entry then.
    var leaf: UInt64 = 0
    /// In which slot.
    var slot = 0

    /// Rests on nothing.
    public static let none = ReadBasis(memtable: 0)
}

extension TreeView {
    /// Looks an ordered key up, joined over all runs, and lends the value.
    ///
    /// Runs come in the order of their newest stamps, so that a rule by which the newest stamp
    /// wins stops as soon as nothing newer can follow; damage in what is older then does not
    /// matter. Nor is anything looked up below an entry that is whole.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    func find(
        _ key: RawSpan,
        tree: Tree,
        disk: DiskAccess,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
    ) throws(StorageError) -> (Answer, ReadBasis) {
        var best = Best(tree.rule, isUndamaged: lost.isEmpty)
        let newestOnDisk = runs.first?.newestStamp ?? 0
        var basis = ReadBasis(memtable: active.number)
        if !active.isEmpty {
            let following = frozen.reduce(newestOnDisk) { max($0, $1.newestStamp) }
            active.lend(key) { found in
                basis.entry = found.entry.reference
                basis.leaf = found.leaf.reference
                basis.slot = found.slot
                best.take(found.entry, following, tree, body)
            }
        }
        for index in frozen.indices.reversed() where best.answer == nil {
            let following = frozen[..<index].reduce(newestOnDisk) { max($0, $1.newestStamp) }
            frozen[index].lend(key) { best.take($0.entry, following, tree, body) }
        }
        if best.answer == nil, !runs.isEmpty {
            let hash = Table.hash(key)
            for index in runs.indices {
                let run = runs[index]
                if best.isSettled(against: run.newestStamp, tree) { break }
                guard let part = run.part(for: key), part.table.mayContain(hash: hash) else {
                    continue
                }
                let following = index + 1 < runs.count ? runs[index + 1].newestStamp : 0
                func hasAllThatFollows() -> Bool {
                    let below = part.reference.metadata.wholeBelow
                    return runs[(index + 1)...].allSatisfy { $0.order < below }
                }
                if disk == .allowed {
                    try part.table.find(key) { value, stamp, isWhole in
                        let isLast = isWhole && hasAllThatFollows()
                        best.take(value, stamp, isLast, following, tree, body)
                    }
                } else {
                    let isCached = try part.table.findCached(key) { value, stamp, isWhole in
                        let isLast = isWhole && hasAllThatFollows()
                        best.take(value, stamp, isLast, following, tree, body)
                    }
                    guard isCached else { return (.needsDisk, .none) }
                }
                if best.answer != nil { break }
            }
        }
        if let answer = best.answer { return (answer, basis) }
        for range in lost where range.contains(key) {
            guard
                tree.rule.newestStampWins, best.value != nil, best.stamp > range.newestStamp
            else { throw .lost(tree: tree.number, range: range) }
        }
        return (best.lend(tree.rule, body), basis)
    }

    /// Joins what can be read of an ordered key where something cannot be, and says what cannot.
    func salvage(_ key: RawSpan, tree: Tree) -> (value: [UInt8]?, damage: [StorageError]) {
        var best = Best(tree.rule, isUndamaged: false)
        var damage: [StorageError] = []
        for memtable in [active] + frozen where !memtable.isEmpty {
            memtable.lend(key) { best.take($0.entry, .max, tree) { _, _ in } }
        }
        let hash = Table.hash(key)
        for run in runs {
            guard let part = run.part(for: key), part.table.mayContain(hash: hash) else { continue }
            do throws(StorageError) {
                try part.table.find(key) { value, stamp, _ in
                    best.take(value, stamp, false, .max, tree) { _, _ in }
                }
            } catch {
                damage.append(error)
            }
        }
        for range in lost where range.contains(key) {
            damage.append(.lost(tree: tree.number, range: range))
        }
        return (tree.rule.isDeletion(best.stamp) ? nil : best.value, damage)
    }

    /// The value joined so far.
    private struct Best {
        /// Whether a value that nothing newer can follow needs no other.
        let isFirstFinal: Bool
        /// Whether nothing is looked up below a value that is whole.
        let isWholeFinal: Bool
        var value: [UInt8]?
        var stamp: UInt64 = 0
        /// Set once the value was lent, or is known to be deleted.
        var answer: Answer?

        init(_ rule: MergeRule, isUndamaged: Bool) {
            isFirstFinal = rule.newestStampWins && isUndamaged
            isWholeFinal = isUndamaged
        }

        /// Takes what a memtable has; lends it at once if nothing that follows can change it.
        @inline(__always)
        mutating func take(
            _ entry: MemtableEntry,
            _ following: UInt64,
            _ tree: Tree,
            _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
        ) {
            entry.withBytes { _, incoming in
                take(incoming, entry.stamp, entry.isWhole, following, tree, body)
            }
        }

        /// Lends the value joined so far.
        func lend(
            _ rule: MergeRule,
            _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
        ) -> Answer {
            guard let value, !rule.isDeletion(stamp) else { return .absent }
            body(value.span.bytes, stamp)
            return .found
        }

        /// Takes a value; lends it at once if nothing that follows can change it: because it has
        /// all of that, or since its stamp is greater.
        @inline(__always)
        mutating func take(
            _ incoming: RawSpan,
            _ incomingStamp: UInt64,
            _ isWhole: Bool,
            _ following: UInt64,
            _ tree: Tree,
            _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
        ) {
            let isFinal = isWhole && isWholeFinal
            guard value == nil, isFinal || isFirstFinal && incomingStamp > following else {
                add(incoming, incomingStamp, tree)
                if isFinal { answer = lend(tree.rule, body) }
                return
            }
            if tree.rule.isDeletion(incomingStamp) {
                answer = .absent
            } else {
                body(incoming, incomingStamp)
                answer = .found
            }
        }

        @inline(never)
        private mutating func add(_ incoming: RawSpan, _ incomingStamp: UInt64, _ tree: Tree) {
            guard let value else {
                self.value = incoming.array()
                stamp = incomingStamp
                return
            }
            let joined = tree.rule.join(
                value.span.bytes,
                stamp: stamp,
                incoming,
                stamp: incomingStamp
            )
            switch joined {
            case .keepExisting: break
            case .takeIncoming: self.value = incoming.array()
            case .merged(let joined): self.value = joined
            }
            stamp = max(stamp, incomingStamp)
        }

        /// Whether nothing in a run up to this stamp can change the value.
        func isSettled(against newest: UInt64, _ tree: Tree) -> Bool {
            value != nil && tree.rule.newestStampWins && stamp > newest
        }
    }
}
