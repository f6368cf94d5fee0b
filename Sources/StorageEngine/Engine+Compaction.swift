internal import ByteCoding
internal import FileSystems
internal import Synchronization

extension Engine {
    /// Bytes of the tables that wait for a compaction, about.
    public var compactionBacklog: Int {
        allTrees.reduce(0) { $0 + (nextCompaction(of: $1)?.bytes ?? 0) }
    }

    /// Merges all tables of a tree into one run, range by range, and flushes it first.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - pace: as for `perform`; after `cancel` what was done stays done.
    /// - Throws: `unknownTree`, `corruption`, `diskFull`, `io`, `poisoned`, `closed`.
    public func compact(
        tree number: UInt32,
        pace: (CompactionProgress) -> CompactionPace = { _ in .goOn }
    ) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        let tree = try existing(number)
        try flush(tree)
        try bringHorizonIntoForce(tree)
        let newest = tree.view.runs.reduce(0) { max($0, $1.order) }
        var isCancelled = false
        while !isCancelled {
            let choice = claim(tree) { options.compaction.chooseAll($0, through: newest) }
            guard let choice else { return }
            try compact(tree, choice) { progress in
                let answer = pace(progress)
                if answer == .cancel { isCancelled = true }
                return answer
            }
        }
    }

    /// Takes from the log what keeps a tree's purge horizons waiting, if the disk has room for it.
    private func bringHorizonIntoForce(_ tree: Tree) throws(StorageError) {
        updateHorizon(of: tree)
        guard let segment = tree.upkeep.withLock({ $0.horizons.segmentInTheWay }) else { return }
        do throws(StorageError) {
            if log.end.segment <= segment {
                // Only what a full disk took back may lie there: a mark goes over it.
                try log.appendMark()
                try log.beginSegment()
                _ = try log.secure()
            }
            for other in allTrees where other.view.oldestSegment <= segment { try flush(other) }
            try trimLog()
        } catch {
            // The compaction is to make room; what is in force holds.
            guard case .diskFull = error else { throw error }
        }
        updateHorizon(of: tree)
    }

    private func updateHorizon(of tree: Tree) {
        let begin = log.segments.lowerBound
        tree.upkeep.withLock { upkeep in
            guard upkeep.horizons.logBegins(with: begin) else { return }
            upkeep.futile = []
            upkeep.settledAt = -1
        }
    }

    func choose(_ picture: TreePicture) -> CompactionChoice? {
        options.compaction.choose(picture)
    }

    func nextCompaction(of tree: Tree) -> CompactionChoice? {
        // Choosing looks at all parts; it is not worth asking again before something changed.
        updateHorizon(of: tree)
        let changes = tree.changes
        let upkeep = tree.upkeep.withLock { $0 }
        guard upkeep.settledAt != changes else { return nil }
        let choice = choose(picture(of: tree.view, upkeep))
        if choice == nil, upkeep.running.isEmpty {
            tree.upkeep.withLock { $0.settledAt = changes }
        }
        return choice
    }

    /// Chooses a compaction and notes that it is under way.
    func claim(
        _ tree: Tree,
        choosing choose: (TreePicture) -> CompactionChoice?
    ) -> CompactionChoice? {
        tree.upkeep.withLock { upkeep in
            guard let choice = choose(picture(of: tree.view, upkeep)) else { return nil }
            upkeep.running.append(choice)
            if !upkeep.begun.contains(choice.orders) { upkeep.begun.append(choice.orders) }
            return choice
        }
    }

    private func picture(of view: TreeView, _ upkeep: Tree.Upkeep) -> TreePicture {
        let parts = view.parts.map { part in
            let metadata = part.reference.metadata
            let lower = part.reference.lower
            let horizon = upkeep.horizons.inForce
            let droppable =
                metadata.tombstoneCount
                + (metadata.lastExpiry <= horizon.now ? metadata.expiringCount : 0)
            return TreePicture.Part(
                number: metadata.number,
                order: part.reference.order,
                lower: part.reference.lower,
                upper: part.reference.upper,
                last: metadata.lastKey,
                bytes: part.sizeInBytes,
                tombstoneRatio: Double(droppable) / Double(max(1, metadata.entryCount)),
                mayPurge: !upkeep.futile.contains(metadata.number)
                    && horizon.mayPurgeAnything(
                        fromPrefix: prefix(ofOrderedKey: lower.span.bytes),
                        throughPrefix: prefix(ofOrderedKey: metadata.lastKey.span.bytes),
                        oldestStamp: metadata.oldestStamp
                    ),
                isBusy: upkeep.damaged.contains(metadata.number)
            )
        }
        return TreePicture(parts: parts, running: upkeep.running, begun: upkeep.begun)
    }

    /// Carries a compaction out that was claimed.
    func compact(
        _ tree: Tree,
        _ choice: CompactionChoice,
        _ pace: (CompactionProgress) -> CompactionPace
    ) throws(StorageError) {
        defer {
            let orders = Set(tree.view.runs.map(\.order))
            tree.upkeep.withLock { upkeep in
                if let index = upkeep.running.firstIndex(of: choice) {
                    upkeep.running.remove(at: index)
                }
                upkeep.begun.removeAll { group in group.count { orders.contains($0) } < 2 }
            }
        }
        try relabel(choice, in: tree)
        guard !choice.inputs.isEmpty else { return }
        var compaction = Compaction(engine: self, tree: tree, choice: choice)
        do throws(StorageError) {
            try compaction.run(pace)
        } catch {
            if case .corruption(let file, _, _, _, _) = error { leaveAlone(file, in: tree) }
            throw error
        }
        counters.compactions.add(1)
    }

    /// Keeps compactions away from a table that one of them could not read.
    private func leaveAlone(_ file: String, in tree: Tree) {
        let tables = tree.view.parts.map(\.reference.metadata.number).filter { number in
            FileNames.table(number, tree: tree.number, in: directory) == file
        }
        tree.upkeep.withLock { $0.damaged.formUnion(tables) }
    }

    /// Gives the parts that need not be rewritten to the run of the outputs.
    private func relabel(
        _ choice: CompactionChoice,
        in tree: Tree
    ) throws(StorageError) {
        guard !choice.moves.isEmpty else { return }
        let moves = Set(choice.moves.map { TablePart(number: $0.number, lower: $0.lower) })
        try replace(moves, in: tree) { part in
            var reference = part.reference
            reference.order = choice.order
            return [reference]
        }
    }

    /// Puts others in the place of parts, on the disk first.
    ///
    /// - Parameters:
    ///   - parts: which; those that are gone are passed over.
    ///   - tree: theirs; if it was dropped meanwhile the new tables are given up.
    ///   - new: tables that were written, with their references.
    ///   - lost: ranges of which records may be in none of them.
    ///   - others: what comes in the place of a part.
    /// - Throws: `poisoned`, `diskFull`, `io`.
    func replace(
        _ parts: Set<TablePart>,
        in tree: Tree,
        adding new: [Part] = [],
        losing lost: [LostRange] = [],
        by others: (Part) -> [TableReference]
    ) throws(StorageError) {
        try manifest.withLock { keeper throws(StorageError) in
            guard self.tree(tree.number) === tree else {
                retire(new.map(\.table))
                return
            }
            var removed: [TablePart] = []
            var added = new.map(\.reference)
            var kept = new
            for part in tree.view.parts {
                guard parts.contains(part.reference.part) else {
                    kept.append(part)
                    continue
                }
                removed.append(part.reference.part)
                for reference in others(part) {
                    added.append(reference)
                    kept.append(Part(reference: reference, table: part.table))
                }
            }
            let edit = ManifestEdit.replaceTables(
                tree: tree.number,
                removed: removed,
                added: added
            )
            let losses = lost.map { ManifestEdit.addLostRange(tree: tree.number, $0) }
            try record([edit] + losses, in: &keeper, making: new.map(\.table))
            let before = tree.view.parts
            tree.change { $0.with(parts: kept).with(lost: $0.lost + lost) }
            let stay = Set(kept.map(\.reference.metadata.number))
            var gone: Set<UInt64> = []
            let tables = before.map(\.table).filter {
                !stay.contains($0.metadata.number) && gone.insert($0.metadata.number).inserted
            }
            retire(tables)
        }
    }
}
