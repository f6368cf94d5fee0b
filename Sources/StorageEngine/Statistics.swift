internal import Synchronization

/// How much an engine holds, and what it has done since it was opened.
public struct EngineStatistics: Equatable, Sendable {
    /// How much one tree holds.
    public struct Tree: Equatable, Sendable {
        /// Its number.
        public let number: UInt32
        /// Bytes of its tables.
        public let tableBytes: Int
        /// Bytes of its memtables.
        public let memtableBytes: Int
        /// Bytes of its memtables that are neither keys nor values.
        public let memtableIndexBytes: Int
        /// Entries of its memtables, a key counted once per memtable.
        public let memtableEntries: Int
        /// Runs a read may have to look into, without memtables.
        public let runCount: Int
        /// Number of its tables.
        public let tableCount: Int
        /// Entries of its tables, a key counted once per table.
        public let tableEntries: Int
        /// Tombstones and deletions among them.
        public let tombstones: Int
        /// Bytes of its tables' indexes and filters, in memory.
        public let indexBytes: Int
        /// Ranges of which records may have been lost.
        public let lostRanges: Int
    }

    /// The trees, by number.
    public let trees: [Tree]
    /// Bytes of the log that recovery would read.
    public let logBytes: Int
    /// Bytes of batches written to the log.
    public let writtenLogBytes: Int
    /// Bytes of all memtables and of batches on their way to them.
    public let memoryInUse: Int
    /// Bytes of tables that flushes wrote.
    public let flushedBytes: Int
    /// Bytes of tables that compactions wrote.
    public let compactedBytes: Int
    /// Compactions done.
    public let compactions: Int
    /// Tombstones and expired values that were forgotten.
    public let purgedEntries: Int
    /// Bytes of tables that wait for a compaction.
    public let compactionBacklog: Int
    /// Tables that are needed no more and are still read.
    public let obsoleteTables: Int
    /// Blocks found in the cache, and not found.
    public let cacheHits: Int
    /// Blocks that had to be read.
    public let cacheMisses: Int
    /// Bytes of blocks in the cache.
    public let cacheBytes: Int
}

extension Engine {
    /// How much the engine holds now.
    public func statistics() -> EngineStatistics {
        let trees = allTrees.map { tree in
            let view = tree.view
            let parts = view.parts
            let memtables = view.frozen + [view.active]
            func sum(_ value: (Part) -> UInt64) -> Int {
                parts.reduce(0) { $0 + Int(clamping: value($1)) }
            }
            return EngineStatistics.Tree(
                number: tree.number,
                tableBytes: parts.reduce(0) { $0 + $1.sizeInBytes },
                memtableBytes: view.memoryInUse,
                memtableIndexBytes: memtables.reduce(0) { $0 + $1.indexSizeInBytes },
                memtableEntries: memtables.reduce(0) { $0 + $1.count },
                runCount: view.runs.count,
                tableCount: parts.count,
                tableEntries: sum(\.reference.metadata.entryCount),
                tombstones: sum(\.reference.metadata.tombstoneCount),
                indexBytes: parts.reduce(0) { $0 + $1.table.indexSizeInBytes },
                lostRanges: view.lost.count
            )
        }
        let cached = cache.statistics
        return EngineStatistics(
            trees: trees,
            logBytes: log.sizeInBytes,
            writtenLogBytes: log.statistics.writtenBytes,
            memoryInUse: memory.load(ordering: .relaxed),
            flushedBytes: counters.flushedBytes.value,
            compactedBytes: counters.compactedBytes.value,
            compactions: counters.compactions.value,
            purgedEntries: counters.purgedEntries.value,
            compactionBacklog: compactionBacklog,
            obsoleteTables: obsolete.withLock { $0.count },
            cacheHits: cached.hits,
            cacheMisses: cached.misses,
            cacheBytes: cached.sizeInBytes
        )
    }
}
