internal import FileSystems
internal import Synchronization

extension Engine {
    /// Makes an empty tree; it is in the manifest on return.
    ///
    /// - Throws: `treeExists`, `poisoned`, `closed`, `diskFull`, `io`.
    public func createTree(
        _ number: UInt32,
        rule: MergeRule,
        compression: Compression = .none
    ) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            guard keeper.state.trees[number] == nil else { throw .treeExists(number) }
            try onDisk { () throws(FileSystemError) in
                try files.createDirectory(FileNames.treeDirectory(number, in: directory))
                try files.syncDirectory(directory)
            }
            let since = try endOfLog()
            let edit = ManifestEdit.createTree(
                number: number,
                rule: rule.name,
                compression: compression,
                since: since
            )
            try record([edit], in: &keeper)
            let view = TreeView(active: Memtable(), frozen: [], runs: [], lost: [])
            let tree = Tree(number: number, rule: rule, since: since, view: view)
            tree.upkeep.withLock { $0.compression = compression }
            treeTable.withLock { $0[number] = tree }
        }
    }

    /// A place behind all that was appended, which a full disk does not take back.
    ///
    /// What was taken back earlier may lie whole on the disk from the log's end on. A mark goes
    /// over it, or recovery would take records of a dropped tree for the new one's.
    private func endOfLog() throws(StorageError) -> LogPosition {
        while true {
            if log.hasTakenBack.load(ordering: .acquiring) { try log.appendMark() }
            let end = log.end
            if try log.write(syncing: true) >= end { return end }
        }
    }

    /// Drops a tree with all it holds; the manifest says so on return, files go with the next
    /// upkeep.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `poisoned`, `closed`, `io`.
    public func dropTree(_ number: UInt32) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            let tree = try existing(number)
            try record([.dropTree(number)], in: &keeper)
            treeTable.withLock { $0[number] = nil }
            tree.writer.withLock { isDropped in
                isDropped = true
                let view = tree.view
                memory.subtract(view.memoryInUse, ordering: .relaxed)
                retire(view.parts.map(\.table))
                tree.change { _ in
                    TreeView(active: Memtable(), frozen: [], runs: [], lost: [])
                }
            }
        }
    }

    /// How new blocks of a tree are stored; its tables change as they are compacted.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `poisoned`, `closed`, `io`.
    public func setCompression(
        _ compression: Compression,
        tree number: UInt32
    ) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            let tree = try existing(number)
            guard keeper.state.trees[number]?.compression != compression else { return }
            try record([.setCompression(tree: number, compression)], in: &keeper)
            tree.upkeep.withLock { $0.compression = compression }
        }
    }

    /// Up to which versions tombstones and expired values may be forgotten; "never" until it is
    /// set, and after each opening.
    ///
    /// - Throws: `unknownTree`.
    public func setPurgeHorizon(
        _ horizon: PurgeHorizon,
        tree number: UInt32
    ) throws(StorageError) {
        let tree = try existing(number)
        let last = tree.rule.isOverwrite ? nil : log.lastSegmentWithRecords
        tree.upkeep.withLock { upkeep in
            upkeep.horizons.give(horizon, lastSegment: last)
            // One that waits lets nothing new go yet.
            guard last == nil else { return }
            upkeep.futile = []
            upkeep.settledAt = -1
        }
    }

    /// The ranges of a tree of which records may have been lost.
    ///
    /// - Throws: `unknownTree`.
    public func lostRanges(tree number: UInt32) throws(StorageError) -> [LostRange] {
        try existing(number).view.lost
    }

    /// Says that the records of lost ranges were brought from elsewhere.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `poisoned`, `closed`, `io`.
    public func clearLostRanges(
        _ ranges: [LostRange],
        tree number: UInt32
    ) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            let tree = try existing(number)
            try record([.removeLostRanges(tree: number, ranges)], in: &keeper)
            tree.change { view in view.with(lost: view.lost.filter { !ranges.contains($0) }) }
        }
    }

    /// Removes tables that no manifest names and nobody reads, at once, since the disk is full.
    func discard(_ tables: [Table]) {
        for table in tables {
            let metadata = table.metadata
            tableFiles.forget(metadata.number)
            let path = FileNames.table(metadata.number, tree: metadata.tree, in: directory)
            do throws(FileSystemError) { try files.remove(path) } catch { retire([table]) }
        }
    }

    /// Notes tables that no tree has any more; their files go once no view reads them.
    func retire(_ tables: [Table]) {
        obsolete.withLock { $0 += tables }
    }
}
