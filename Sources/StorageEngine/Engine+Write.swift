internal import ByteCoding
internal import Synchronization

extension Engine {
    /// Gives a batch its place in the log's buffer, without touching the disk.
    ///
    /// - Returns: the position behind the batch; it is durable once `durablePosition` reaches it.
    /// - Throws: `unknownTree`, `tooLarge`, `overloaded`, `poisoned`, `closed`; nothing was
    ///   appended then.
    public func append(_ batch: borrowing WriteBatch) throws(StorageError) -> LogPosition {
        if batch.largestKey > min(options.maximumKeySize, 65_535) {
            throw .tooLarge(
                what: "key",
                size: batch.largestKey,
                limit: min(options.maximumKeySize, 65_535)
            )
        }
        if batch.largestValue > options.maximumValueSize {
            throw .tooLarge(
                what: "value",
                size: batch.largestValue,
                limit: options.maximumValueSize
            )
        }
        if batch.bytes.count > 1 << 30 {
            throw .tooLarge(what: "batch", size: batch.bytes.count, limit: 1 << 30)
        }
        try checkTrees(of: batch)
        let size = batch.bytes.count
        let used = memory.add(size, ordering: .relaxed).newValue
        do throws(StorageError) {
            guard used <= options.memoryBudget else {
                throw .overloaded(used: used - size, limit: options.memoryBudget)
            }
            return try log.append(batch)
        } catch {
            memory.subtract(size, ordering: .relaxed)
            throw error
        }
    }

    private func checkTrees(of batch: borrowing WriteBatch) throws(StorageError) {
        let source = batch.bytes
        let bytes = source.span.bytes
        var offset = 0
        var last: UInt32?
        while let record = Record(in: bytes, at: offset) {
            offset = record.value.end
            if record.tree == last { continue }
            guard tree(record.tree) != nil else { throw .unknownTree(record.tree) }
            last = record.tree
        }
    }

    /// Writes and syncs everything appended so far, with one write and one fdatasync for all.
    ///
    /// Appending goes on meanwhile. After the first failure the engine takes no more writes.
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

    /// Notes in the log that all of it is synced, once after the last record; for an idle engine.
    ///
    /// Damage to what lies below the mark is then told from a torn tail.
    ///
    /// - Returns: whether there was something to note.
    /// - Throws: `poisoned`, `closed`, `diskFull`, `io`.
    @discardableResult
    public func writeIdleMark() throws(StorageError) -> Bool {
        guard log.needsMark else { return false }
        _ = try log.append(WriteBatch())
        _ = try log.write(syncing: true)
        return true
    }

    /// Makes a batch visible; each appended batch exactly once.
    ///
    /// - Parameters:
    ///   - batch: what was appended.
    ///   - position: what `append` returned; with group durability, not before it is durable.
    /// - Returns: what became of each record, in the batch's order.
    @discardableResult
    public func apply(_ batch: borrowing WriteBatch, at position: LogPosition) -> [ApplyOutcome] {
        let (outcomes, growth) = Self.insert(batch, at: position, log) { tree($0) }
        memory.add(growth - batch.bytes.count, ordering: .relaxed)
        return outcomes
    }

    /// Inserts a batch into the memtables of its trees.
    ///
    /// - Returns: the outcomes, and by how many bytes the memtables grew.
    static func insert(
        _ batch: borrowing WriteBatch,
        at position: LogPosition,
        _ log: Log,
        tree: (UInt32) -> Tree?
    ) -> (outcomes: [ApplyOutcome], growth: Int) {
        var outcomes: [ApplyOutcome] = []
        outcomes.reserveCapacity(batch.count)
        var growth = 0
        let source = batch.bytes
        let bytes = source.span.bytes
        var next = Record(in: bytes, at: 0)
        while let first = next {
            guard let tree = tree(first.tree) else {
                outcomes.append(ApplyOutcome(result: .treeDropped, needsCheck: false))
                next = Record(in: bytes, at: first.value.end)
                continue
            }
            tree.state.withLock { state in
                let before = state.active.sizeInBytes
                while let record = next, record.tree == first.tree {
                    outcomes.append(
                        state.isDropped
                            ? ApplyOutcome(result: .treeDropped, needsCheck: false)
                            : state.insert(
                                record,
                                of: bytes,
                                rule: tree.rule,
                                segment: position.segment
                            )
                    )
                    next = Record(in: bytes, at: record.value.end)
                }
                growth += state.active.sizeInBytes - before
            }
        }
        log.applied(position)
        return (outcomes, growth)
    }
}
