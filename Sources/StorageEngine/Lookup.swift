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

extension TreeView {
    /// Looks an ordered key up, joined over all runs, and lends the value.
    ///
    /// Runs come in the order of their newest stamps, so that a rule by which the newest stamp
    /// wins stops as soon as nothing newer can follow; damage in what is older then does not
    /// matter.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    func find(
        _ key: RawSpan,
        tree: Tree,
        disk: DiskAccess,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
    ) throws(StorageError) -> Answer {
        var best = Best(isFirstFinal: tree.rule.newestStampWins && lost.isEmpty)
        let newestOnDisk = runs.first?.newestStamp ?? 0
        if !active.isEmpty {
            let following = frozen.reduce(newestOnDisk) { max($0, $1.newestStamp) }
            active.find(key) { best.take($0, $1, following, tree, body) }
        }
        for index in frozen.indices.reversed() where best.answer == nil {
            let following = frozen[..<index].reduce(newestOnDisk) { max($0, $1.newestStamp) }
            frozen[index].find(key) { best.take($0, $1, following, tree, body) }
        }
        if best.answer == nil, !runs.isEmpty {
            let hash = Table.hash(key)
            for index in runs.indices {
                let run = runs[index]
                if best.isSettled(against: run.newestStamp, tree) { break }
                guard let part = run.part(for: key), part.table.mayContain(hash: hash) else {
                    continue
                }
                if disk == .forbidden, !part.table.isCached(key) { return .needsDisk }
                let following = index + 1 < runs.count ? runs[index + 1].newestStamp : 0
                try part.table.find(key) { best.take($0, $1, following, tree, body) }
                if best.answer != nil { break }
            }
        }
        if let answer = best.answer { return answer }
        for range in lost where range.contains(key) {
            guard
                tree.rule.newestStampWins, best.value != nil, best.stamp > range.newestStamp
            else { throw .lost(tree: tree.number, range: range) }
        }
        guard let value = best.value, !tree.rule.isDeletion(best.stamp) else { return .absent }
        body(value.span.bytes, best.stamp)
        return .found
    }

    /// The value joined so far.
    private struct Best {
        /// Whether a value that nothing newer can follow needs no other.
        let isFirstFinal: Bool
        var value: [UInt8]?
        var stamp: UInt64 = 0
        /// Set once the value was lent, or is known to be deleted.
        var answer: Answer?

        init(isFirstFinal: Bool) { self.isFirstFinal = isFirstFinal }

        /// Takes a value; lends it at once if nothing that follows, up to a stamp, can change it.
        @inline(__always)
        mutating func take(
            _ incoming: RawSpan,
            _ incomingStamp: UInt64,
            _ following: UInt64,
            _ tree: Tree,
            _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
        ) {
            guard isFirstFinal, value == nil, incomingStamp > following else {
                add(incoming, incomingStamp, tree)
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
