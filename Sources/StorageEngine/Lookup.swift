internal import ByteCoding

/// What a search for one key found.
enum Answer<Value> {
    /// No run has the key, or it was deleted.
    case absent
    case found(Value)
    /// Only the disk can tell, and it was not to be read.
    case needsDisk
}

extension TreeView {
    /// Looks an ordered key up, joined over all runs, and lends the value.
    ///
    /// Runs come in the order of their newest stamps, so that a rule by which the newest stamp
    /// wins stops as soon as nothing newer can follow; damage in what is older then does not
    /// matter.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    func find<R>(
        _ key: RawSpan,
        tree: UInt32,
        rule: MergeRule,
        disk: DiskAccess,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> R
    ) throws(StorageError) -> Answer<R> {
        var best = Best(rule: rule)
        var result: R?
        /// Takes a value; lends it at once if nothing that follows can change it.
        func take(_ value: RawSpan, _ stamp: UInt64, following newest: UInt64) {
            if best.value == nil, rule.newestStampWins, stamp > newest, lost.isEmpty {
                if !rule.isDeletion(stamp) { result = body(value, stamp) }
                best.isFinal = true
            } else {
                best.add(value, stamp)
            }
        }
        let newestOnDisk = runs.first?.newestStamp ?? 0
        var following = frozen.reduce(newestOnDisk) { max($0, $1.newestStamp) }
        active.find(key) { take($0, $1, following: following) }
        for index in frozen.indices.reversed() where !best.isFinal {
            following = frozen[..<index].reduce(newestOnDisk) { max($0, $1.newestStamp) }
            frozen[index].find(key) { take($0, $1, following: following) }
        }
        if !best.isFinal, !runs.isEmpty {
            let hash = Table.hash(key)
            for index in runs.indices where !best.isSettled(against: runs[index].newestStamp) {
                guard
                    let part = runs[index].part(for: key), part.table.mayContain(hash: hash)
                else { continue }
                if disk == .forbidden, !part.table.isCached(key) { return .needsDisk }
                let next = index + 1 < runs.count ? runs[index + 1].newestStamp : 0
                _ = try part.table.find(key) { take($0, $1, following: next) }
                if best.isFinal { break }
            }
        }
        if best.isFinal { return result.map { .found($0) } ?? .absent }
        for range in lost where range.contains(key) {
            guard rule.newestStampWins, best.value != nil, best.stamp > range.newestStamp else {
                throw .lost(tree: tree, range: range)
            }
        }
        guard let value = best.value, !rule.isDeletion(best.stamp) else { return .absent }
        return .found(body(value.span.bytes, best.stamp))
    }

    /// The value joined so far.
    private struct Best {
        let rule: MergeRule
        var value: [UInt8]?
        var stamp: UInt64 = 0
        /// Whether the value was lent, or is known to be deleted.
        var isFinal = false

        mutating func add(_ incoming: RawSpan, _ incomingStamp: UInt64) {
            guard let value else {
                self.value = incoming.array()
                stamp = incomingStamp
                return
            }
            switch rule.join(value.span.bytes, stamp: stamp, incoming, stamp: incomingStamp) {
            case .keepExisting: break
            case .takeIncoming: self.value = incoming.array()
            case .merged(let joined): self.value = joined
            }
            stamp = max(stamp, incomingStamp)
        }

        /// Whether nothing in a run up to this stamp can change the value.
        func isSettled(against newest: UInt64) -> Bool {
            rule.newestStampWins && value != nil && stamp > newest
        }
    }
}
