internal import FileSystems
internal import Synchronization

/// A piece of upkeep that is due.
public enum MaintenanceJob: Equatable, Sendable {
    /// A tree's memtables are to become a table.
    case flush(UInt32)
    /// Some of a tree's tables are to become one run.
    case compact(UInt32)
    /// The log wants a segment that it can write over.
    case prepareSegment
    /// Files are to go that nothing needs any more.
    case removeObsoleteFiles
}

/// How far a compaction has come.
public struct CompactionProgress: Equatable, Sendable {
    /// Its tree.
    public let tree: UInt32
    /// Bytes read and written since the last report.
    public let bytes: Int
    /// Bytes of its inputs that were read so far, about.
    public let bytesDone: Int
    /// Bytes of its inputs, about.
    public let bytesInAll: Int
}

/// What is to become of a compaction that reported its progress.
public enum CompactionPace: Sendable {
    /// It goes on.
    case goOn
    /// It ends with what it has done; the rest is chosen anew later.
    case cancel
}

extension Engine {
    /// The piece of upkeep that is most due, or nil.
    ///
    /// A flush is due for memtables that an earlier flush failed on, once five eighths of the memory
    /// budget are used or a batch was refused, and when a tree keeps more of the log than the budget
    /// and two segments; then comes
    /// what the compaction policy chooses. Asks the disk for its free space if a reserve is set.
    public func nextMaintenance() -> MaintenanceJob? {
        if log.refusal != nil { return nil }
        watchReserve()
        if let flush = nextFlush() { return .flush(flush) }
        if hasRemovableFiles { return .removeObsoleteFiles }
        if log.needsSpare, !isAtReserve.load(ordering: .relaxed) { return .prepareSegment }
        for tree in allTrees where nextCompaction(of: tree) != nil { return .compact(tree.number) }
        return nil
    }

    /// Does a piece of upkeep; takes as long as the disk does.
    ///
    /// Several threads may perform jobs at a time; what another thread does already is not done
    /// again.
    ///
    /// - Parameters:
    ///   - job: what `nextMaintenance` said.
    ///   - pace: asked by compactions after about each megabyte, or fragment if that is less; may wait, so as to throttle them.
    /// - Throws: `unknownTree`, `corruption`, `diskFull`, `io`: the job may be tried again;
    ///   `poisoned`.
    public func perform(
        _ job: MaintenanceJob,
        pace: (CompactionProgress) -> CompactionPace = { _ in .goOn }
    ) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        switch job {
        case .flush(let number):
            try flushIfIdle(existing(number))
        case .compact(let number):
            let tree = try existing(number)
            guard let choice = claim(tree, choosing: { self.choose($0) }) else { return }
            try compact(tree, choice, pace)
        case .prepareSegment:
            try log.prepareSpare()
        case .removeObsoleteFiles:
            try removeObsoleteFiles()
        }
    }

    /// Flushes what is due; compactions do so on their way, or writers would wait for their end.
    ///
    /// One that failed before is not tried here: a full disk is to get room by the compaction.
    func flushWhatIsDue() throws(StorageError) {
        guard let number = nextFlush(), let tree = tree(number),
            !tree.upkeep.withLock({ $0.hasFailedFlush })
        else { return }
        do throws(StorageError) {
            try flushIfIdle(tree)
        } catch {
            guard case .diskFull = error else { throw error }
        }
    }

    private func nextFlush() -> UInt32? {
        var largest: (size: Int, number: UInt32) = (0, 0)
        var oldest: (segment: UInt64, number: UInt32) = (.max, 0)
        for tree in allTrees {
            let (isFlushing, hasFailed) = tree.upkeep.withLock {
                ($0.isFlushing, $0.hasFailedFlush)
            }
            if isFlushing { continue }
            let view = tree.view
            if hasFailed || view.frozen.count >= 4 { return tree.number }
            let size = view.memoryInUse
            if size > largest.size { largest = (size, tree.number) }
            let segment = view.oldestSegment
            if segment < oldest.segment { oldest = (segment, tree.number) }
        }
        let isFull = memory.load(ordering: .relaxed) >= options.memoryBudget / 8 * 5
        if isFull || isOverloaded.load(ordering: .relaxed), largest.size > 0 {
            return largest.number
        }
        if log.sizeInBytes > options.memoryBudget + 2 * options.segmentSize,
            oldest.segment < log.end.segment
        {
            return oldest.number
        }
        return nil
    }

    /// Finds out whether the disk has less room than its reserve.
    func watchReserve() {
        guard options.diskReserve > 0 else { return }
        reserveWatched.store(log.end.segment, ordering: .relaxed)
        // A disk that does not say how much is free is taken for one with room.
        let free: Int? = try? files.freeSpace(at: directory)
        let isBelow = (free ?? .max) < options.diskReserve
        isAtReserve.store(isBelow, ordering: .relaxed)
    }

    /// Removes the segments whose records are all in tables, once the manifest does without them.
    func trimLog() throws(StorageError) {
        try manifest.withLock { keeper throws(StorageError) in
            let begin = logBeginning()
            guard begin > keeper.state.logBegins else { return }
            try record([.logBegins(begin, synced: log.durable)], in: &keeper)
            try log.trim(before: begin)
        }
    }

    /// The segment with which the log may begin, once the oldest frozen memtables of a tree are in
    /// a table.
    func logBeginning(without frozen: Int = 0, of flushed: Tree? = nil) -> UInt64 {
        // Outstanding batches first: one that is applied meanwhile is in a memtable then.
        var begin = log.oldestOutstanding
        for tree in allTrees {
            let view = tree.view
            let count = tree === flushed ? frozen : 0
            begin = view.frozen.dropFirst(count).reduce(min(begin, view.active.oldestSegment)) {
                min($0, $1.oldestSegment)
            }
        }
        return log.beginning(atMost: begin)
    }

    private var hasRemovableFiles: Bool {
        obsolete.withLock { tables in
            tables.indices.contains { isKnownUniquelyReferenced(&tables[$0]) }
        }
    }

    /// Removes the files of tables that the manifest does without and no view reads.
    func removeObsoleteFiles() throws(StorageError) {
        let gone = obsolete.withLock { tables in
            var gone: [TableMetadata] = []
            for index in tables.indices.reversed() where isKnownUniquelyReferenced(&tables[index]) {
                gone.append(tables[index].metadata)
                tables.remove(at: index)
            }
            return gone
        }
        for metadata in gone {
            tableFiles.forget(metadata.number)
            let path = FileNames.table(metadata.number, tree: metadata.tree, in: directory)
            do throws(FileSystemError) {
                try files.remove(path)
            } catch {
                if error.reason != .notFound { throw StorageError(error) }
            }
            manifest.withLock { keeper in
                _ = keeper.state.obsolete.remove(
                    ObsoleteTable(number: metadata.number, tree: metadata.tree)
                )
            }
        }
    }
}
