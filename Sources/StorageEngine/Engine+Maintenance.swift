internal import ByteCoding
internal import FileSystems
internal import Synchronization

extension Engine {
    /// The piece of upkeep that is most due, or nil.
    ///
    /// A flush is due for memtables that an earlier flush failed on, once half the memory budget is
    /// used, and when a tree keeps more of the log than the budget and two segments.
    public func nextMaintenance() -> MaintenanceJob? {
        var largest: (size: Int, number: UInt32) = (0, 0)
        var oldest: (segment: UInt64, number: UInt32) = (.max, 0)
        for tree in allTrees {
            let (size, segment, isWaiting) = tree.state.withLock { state in
                state.isFlushing
                    ? (0, UInt64.max, false)
                    : (state.memoryInUse, state.oldestSegment, !state.frozen.isEmpty)
            }
            if isWaiting { return .flush(tree.number) }
            if size > largest.size { largest = (size, tree.number) }
            if segment < oldest.segment { oldest = (segment, tree.number) }
        }
        if memory.load(ordering: .relaxed) >= options.memoryBudget / 2, largest.size > 0 {
            return .flush(largest.number)
        }
        if log.sizeInBytes > options.memoryBudget + 2 * options.segmentSize,
            oldest.segment < log.end.segment
        {
            return .flush(oldest.number)
        }
        return nil
    }

    /// Does a piece of upkeep; takes as long as the disk does.
    ///
    /// Two threads may perform jobs of different trees; a second flush of one tree does nothing.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `io`: the job may be tried again; `poisoned`.
    public func perform(_ job: MaintenanceJob) throws(StorageError) {
        switch job {
        case .flush(let number):
            guard let tree = tree(number) else { throw .unknownTree(number) }
            if let refusal = log.refusal { throw refusal }
            let isMine = tree.state.withLock { state in
                guard !state.isFlushing, !state.isDropped else { return false }
                state.isFlushing = true
                if !state.active.isEmpty {
                    state.frozen.append(FrozenMemtable(state.active))
                    state.active = Memtable()
                }
                return true
            }
            guard isMine else { return }
            defer { tree.state.withLock { $0.isFlushing = false } }
            // Else the current segment would keep the records until it is full, and recovery
            // would make a second table of them.
            try log.beginSegment()
            while let memtable = tree.state.withLock({ $0.frozen.first }) {
                try flush(memtable, of: tree)
            }
            try trimLog()
        }
    }

    private func flush(_ memtable: FrozenMemtable, of tree: Tree) throws(StorageError) {
        let number = nextTable.add(1, ordering: .relaxed).oldValue
        let metadata: TableMetadata
        do throws(StorageError) {
            metadata = try write(memtable.table, of: tree.number, number)
        } catch {
            // It is the first failure that counts; what stays goes when the engine opens.
            try? files.remove(
                FileNames.temporaryTable(number, tree: tree.number, in: directory)
            )
            throw error
        }
        let table = try Table(
            metadata,
            directory: directory,
            identity: options.identity,
            files: files
        )
        try manifest.withLock { keeper throws(StorageError) in
            guard keeper.state.trees[tree.number] != nil, self.tree(tree.number) === tree else {
                try? files.remove(
                    FileNames.table(number, tree: tree.number, in: directory)
                )
                return
            }
            try record([.addTable(metadata)], in: &keeper)
            tree.state.withLock { state in
                state.tables.append(table)
                state.frozen.removeFirst()
            }
            memory.subtract(memtable.table.sizeInBytes, ordering: .relaxed)
        }
    }

    private func write(
        _ memtable: borrowing Memtable,
        of tree: UInt32,
        _ number: UInt64
    ) throws(StorageError) -> TableMetadata {
        var writer = try TableWriter(
            files: files,
            directory: directory,
            tree: tree,
            number: number,
            options: options
        )
        var slot = memtable.first
        while let (prefix, entry) = memtable.entry(at: &slot) {
            slot.index += 1
            let chunk = memtable.arena.chunks[entry.chunk]
            try writer.add(
                prefix,
                key: entry.key,
                of: chunk.span.bytes,
                value: entry.value,
                of: chunk.span.bytes,
                stamp: entry.stamp
            )
        }
        return try writer.finish()
    }

    /// Removes the segments whose records are all in tables, once the manifest does without them.
    private func trimLog() throws(StorageError) {
        try manifest.withLock { keeper throws(StorageError) in
            // Outstanding batches first: one that is applied meanwhile is in a memtable then.
            var begin = min(log.oldestOutstanding, log.durable.segment)
            for tree in allTrees {
                begin = min(begin, tree.state.withLock { $0.oldestSegment })
            }
            guard begin > keeper.state.logBegins else { return }
            try record([.logBegins(begin)], in: &keeper)
            try log.trim(before: begin)
        }
    }
}
