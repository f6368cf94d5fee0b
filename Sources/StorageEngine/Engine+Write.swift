internal import ByteCoding
internal import Synchronization

/// When a write is taken for done.
public enum Durability: Sendable {
    /// Once it is synced: it survives the machine.
    case synced
    /// Once the system has it: it survives the process.
    case written
}

extension Engine {
    /// Writes a batch: appended, synced or written, and visible on return.
    ///
    /// Threads that write at the same time share one sync.
    ///
    /// - Returns: what became of each record, in the batch's order.
    /// - Throws: as `append` and `sync`; after `overloaded` try again once upkeep has flushed.
    @discardableResult
    public func write(
        _ batch: borrowing WriteBatch,
        durability: Durability = .synced
    ) throws(StorageError) -> [ApplyOutcome] {
        let position = try append(batch)
        do throws(StorageError) {
            switch durability {
            case .synced: try log.sync(through: position)
            case .written: try log.write(through: position)
            }
        } catch {
            abandon(batch, at: position)
            throw error
        }
        return apply(batch, at: position)
    }

    /// Gives a batch its place in the log's buffer, without touching the disk.
    ///
    /// - Parameters:
    ///   - batch: the records.
    ///   - usingReserve: whether the batch may have what is kept free of the disk, as batches of
    ///     deletions alone may; for values that stand for deletions.
    /// - Returns: the place; the batch is durable once `durablePosition` reaches its end.
    /// - Throws: `unknownTree`, `tooLarge`, `notDeletable`, `overloaded`, `diskReserve`,
    ///   `poisoned`, `closed`; nothing was appended then.
    public func append(
        _ batch: borrowing WriteBatch,
        usingReserve: Bool = false
    ) throws(StorageError) -> AppendedPosition {
        let keyLimit = min(options.maximumKeySize, 65_535 - prefixSize)
        if batch.largestKey > keyLimit {
            throw .tooLarge(what: "key", size: batch.largestKey, limit: keyLimit)
        }
        let valueLimit = min(options.maximumValueSize, BlockHeader.maximumLength - (1 << 20))
        if batch.largestValue > valueLimit {
            throw .tooLarge(what: "value", size: batch.largestValue, limit: valueLimit)
        }
        if batch.sizeInBytes > 1 << 30 {
            throw .tooLarge(what: "batch", size: batch.sizeInBytes, limit: 1 << 30)
        }
        try checkTrees(of: batch)
        if !usingReserve, !batch.hasOnlyDeletions, isAtReserve.load(ordering: .relaxed) {
            // Room may have come back; asking costs less than a refusal.
            watchReserve()
            if isAtReserve.load(ordering: .relaxed) {
                throw .diskReserve(limit: options.diskReserve)
            }
        }
        let size = batch.sizeInBytes
        let used = memory.add(size, ordering: .relaxed).newValue
        do throws(StorageError) {
            guard used <= options.memoryBudget || isLargeAndAlone(size, used: used) else {
                isOverloaded.store(true, ordering: .relaxed)
                throw .overloaded(used: used - size, limit: options.memoryBudget)
            }
            let position = try log.append(batch)
            if options.diskReserve > 0,
                position.end.segment != reserveWatched.load(ordering: .relaxed)
            {
                watchReserve()
            }
            return position
        } catch {
            memory.subtract(size, ordering: .relaxed)
            throw error
        }
    }

    /// Whether a batch is so large that flushes may never leave room for it, and none is due.
    private func isLargeAndAlone(_ size: Int, used: Int) -> Bool {
        size > options.memoryBudget / 4 * 3 && used - size < options.memoryBudget / 8 * 5
    }

    private func checkTrees(of batch: borrowing WriteBatch) throws(StorageError) {
        let source = batch.bytes
        let bytes = source.span.bytes
        var offset = 0
        var last: Tree?
        while let record = Record(in: bytes, at: offset) {
            offset = record.value.end
            if record.tree != last?.number { last = try existing(record.tree) }
            if record.isDeletion, !(last?.rule.isOverwrite ?? true) {
                throw .notDeletable(tree: record.tree)
            }
        }
    }

    /// Writes and syncs everything appended so far, with one write and one fdatasync for all.
    ///
    /// Appending goes on meanwhile. After a failed sync the engine takes no more writes; after
    /// `diskFull` it does as soon as there is room, and the batches that were not durable are to be
    /// abandoned. A batch may have been taken back by another thread's write, such as that of a
    /// flush; then `apply` says so.
    ///
    /// - Returns: the position that is durable now.
    /// - Throws: `poisoned`, `diskFull`, `io`.
    @discardableResult
    public func sync() throws(StorageError) -> LogPosition {
        try log.write(syncing: true)
    }

    /// Writes everything appended so far without syncing: it survives the process, not the machine.
    ///
    /// - Returns: the position that is written now.
    /// - Throws: `poisoned`, `diskFull`, `io`.
    @discardableResult
    public func write() throws(StorageError) -> LogPosition {
        try log.write(syncing: false)
    }

    /// The position before which everything is known to be on the disk.
    public var durablePosition: LogPosition { log.durable }

    /// How long a writer ought to wait before its next write, so that memory does not run out.
    public var writeDelay: Duration {
        WritePressure.delay(
            memoryInUse: memory.load(ordering: .relaxed),
            budget: options.memoryBudget
        )
    }

    /// Notes in the log that all of it is synced, once after the last record; for an idle engine.
    ///
    /// Damage to what lies below the mark is then told from a torn tail.
    ///
    /// - Returns: whether there was something to note.
    /// - Throws: `poisoned`, `closed`, `diskFull`, `io`.
    @discardableResult
    public func writeIdleMark() throws(StorageError) -> Bool {
        try log.mark()
    }

    /// Whether a full disk has taken an appended batch back; `apply` says so too.
    ///
    /// A write that fails with `diskFull` takes back more than was appended before it began, and
    /// the next one succeeds without that.
    public func wasTakenBack(_ position: AppendedPosition) -> Bool {
        log.wasTakenBack(position)
    }

    /// Gives an appended batch up whose sync failed; it may or may not be there after a restart.
    public func abandon(_ batch: borrowing WriteBatch, at position: AppendedPosition) {
        memory.subtract(batch.sizeInBytes, ordering: .relaxed)
        log.abandon(position)
    }

    /// Makes a batch visible; each appended batch exactly once.
    ///
    /// - Parameters:
    ///   - batch: what was appended.
    ///   - position: what `append` returned; with group durability, not before it is durable.
    /// - Returns: what became of each record, in the batch's order.
    @discardableResult
    public func apply(
        _ batch: borrowing WriteBatch,
        at position: AppendedPosition
    ) -> [ApplyOutcome] {
        if log.wasTakenBack(position) {
            abandon(batch, at: position)
            let outcome = ApplyOutcome(result: .takenBack, needsCheck: false)
            return [ApplyOutcome](repeating: outcome, count: batch.count)
        }
        let (outcomes, growth) = Self.insert(batch, at: position, log) { tree($0) }
        memory.add(growth - batch.sizeInBytes, ordering: .relaxed)
        return outcomes
    }

    /// Inserts a batch into the memtables of its trees.
    ///
    /// - Returns: the outcomes, and by how many bytes the memtables grew.
    static func insert(
        _ batch: borrowing WriteBatch,
        at position: AppendedPosition,
        _ log: Log?,
        tree: (UInt32) -> Tree?
    ) -> (outcomes: [ApplyOutcome], growth: Int) {
        var outcomes: [ApplyOutcome] = []
        outcomes.reserveCapacity(batch.count)
        var growth = 0
        let source = batch.bytes
        let bytes = source.span.bytes
        var next = Record(in: bytes, at: 0)
        let bases = batch.bases
        var nextBasis = 0
        while let first = next {
            // A tree may have been dropped and made anew since the batch was appended.
            guard let tree = tree(first.tree), position.end > tree.since else {
                outcomes.append(ApplyOutcome(result: .treeDropped, needsCheck: false))
                next = Record(in: bytes, at: first.value.end)
                continue
            }
            tree.writer.withLock { isDropped in
                let view = tree.view
                let before = view.active.sizeInBytes
                while let record = next, record.tree == first.tree {
                    while nextBasis < bases.count, bases[nextBasis].record < outcomes.count {
                        nextBasis += 1
                    }
                    let hasBasis =
                        nextBasis < bases.count && bases[nextBasis].record == outcomes.count
                    if isDropped {
                        outcomes.append(ApplyOutcome(result: .treeDropped, needsCheck: false))
                    } else {
                        let number = position.sequence + UInt64(outcomes.count)
                        outcomes.append(
                            tree.insert(
                                record,
                                of: bytes,
                                stamp: tree.rule.isOverwrite
                                    ? number << 1 | (record.isDeletion ? 1 : 0) : record.stamp,
                                segment: position.end.segment,
                                basis: hasBasis ? bases[nextBasis].basis : .none,
                                view: view
                            )
                        )
                    }
                    next = Record(in: bytes, at: record.value.end)
                }
                growth += view.active.sizeInBytes - before
            }
        }
        log?.applied(position)
        return (outcomes, growth)
    }
}
