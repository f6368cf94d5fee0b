internal import ByteCoding
internal import FileSystems
internal import Synchronization

extension Engine {
    /// Writes all that memory holds of a tree to a table, behind a flush that is under way.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `io`, `poisoned`, `closed`.
    public func flush(tree number: UInt32) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try flush(existing(number))
    }

    func flush(_ tree: Tree) throws(StorageError) {
        try tree.flushing.withLock { _ throws(StorageError) in try writeMemtables(of: tree) }
    }

    /// Flushes a tree unless another thread does.
    func flushIfIdle(_ tree: Tree) throws(StorageError) {
        _ = try tree.flushing.withLockIfAvailable { _ throws(StorageError) in
            try writeMemtables(of: tree)
        }
    }

    /// Makes one table of a tree's memtables, the active one included.
    private func writeMemtables(of tree: Tree) throws(StorageError) {
        tree.upkeep.withLock { upkeep in
            upkeep.isFlushing = true
            upkeep.hasFailedFlush = true
        }
        defer { tree.upkeep.withLock { $0.isFlushing = false } }
        // Else the current segment would keep the records until it is full, and recovery would
        // make a second table of them.
        try log.beginSegment()
        tree.freeze()
        let frozen = tree.view.frozen
        guard !frozen.isEmpty else {
            tree.upkeep.withLock { $0.hasFailedFlush = false }
            return try trimLog()
        }
        // What recovery reads again goes over what is in tables. So of the records that the table
        // is to have the log must hold all behind its beginning, or older ones would come back.
        let segment = try log.secure()
        var isSynced = false
        if logBeginning(without: frozen.count, of: tree) < segment {
            try log.write(syncing: true)
            isSynced = true
        }
        let table = try write(frozen, of: tree)
        try manifest.withLock { keeper throws(StorageError) in
            guard self.tree(tree.number) === tree else {
                retire([table])
                return
            }
            let reference = TableReference(table.metadata, order: table.metadata.number)
            let begin = logBeginning(without: frozen.count, of: tree)
            if begin < segment, !isSynced {
                do throws(StorageError) {
                    try log.write(syncing: true)
                } catch {
                    retire([table])
                    throw error
                }
            }
            try record(
                [
                    .replaceTables(tree: tree.number, removed: [], added: [reference]),
                    .logBegins(begin, synced: log.durable),
                ],
                in: &keeper,
                making: [table]
            )
            tree.change { view in
                TreeView(
                    active: view.active,
                    frozen: Array(view.frozen.dropFirst(frozen.count)),
                    runs: Run.runs(of: view.parts + [Part(reference: reference, table: table)]),
                    lost: view.lost
                )
            }
            memory.subtract(frozen.reduce(0) { $0 + $1.sizeInBytes }, ordering: .relaxed)
            isOverloaded.store(false, ordering: .relaxed)
            tree.upkeep.withLock { $0.hasFailedFlush = false }
            counters.flushedBytes.add(Int(clamping: table.metadata.length))
            try log.trim(before: keeper.state.logBegins)
        }
        try trimLog()
    }

    private func write(
        _ memtables: [Memtable],
        of tree: Tree
    ) throws(StorageError) -> Table {
        let nothing: [UInt8] = []
        var cursor = try MergingCursor(
            memtables: memtables,
            runs: [],
            rule: tree.rule,
            from: nothing.span.bytes,
            before: nil,
            readAhead: 0
        )
        var writer = try tableWriter(for: tree)
        do throws(StorageError) {
            var failure: StorageError?
            while failure == nil {
                let hasMore = try cursor.next { key, value, stamp, isWhole in
                    do throws(StorageError) {
                        try writer.add(key: key, value: value, stamp: stamp, isWhole: isWhole)
                    } catch {
                        failure = error
                    }
                }
                if !hasMore { break }
            }
            if let failure { throw failure }
            return try open(writer.finish())
        } catch {
            // It is the first failure that counts; what stays goes when the engine opens.
            writer.abandon()
            throw error
        }
    }

    /// Begins a table under a number of its own.
    ///
    /// `wholeBelow` is what its whole entries have; nil for all that has a lower number.
    func tableWriter(
        for tree: Tree,
        wholeBelow: UInt64? = nil
    ) throws(StorageError) -> TableWriter {
        let number = nextTable.add(1, ordering: .relaxed).oldValue
        return try TableWriter(
            files: files,
            directory: directory,
            tree: tree.number,
            number: number,
            wholeBelow: wholeBelow ?? number,
            options: options,
            compression: tree.upkeep.withLock { $0.compression },
            rule: tree.rule
        )
    }

    func open(_ metadata: TableMetadata) throws(StorageError) -> Table {
        try Table(metadata, identity: options.identity, files: tableFiles, cache: cache)
    }
}
