internal import FileSystems
internal import Synchronization

/// A map of ordered bytes on a disk: one log, a memtable per tree, tables, one manifest.
///
/// Keys are a number (the prefix) and some bytes; entries are ordered by both, unsigned. It owns no
/// thread: the owner calls `sync`, `nextMaintenance` and `perform` from threads of its own. All
/// methods may be called from any thread.
///
/// A write has three steps, so that one turn of a loop costs one: `append` gives a batch its place
/// in the log, `sync` makes all places given so far durable, `apply` makes the batch visible.
/// **Every appended batch must be applied**, or the log keeps growing behind it.
public final class Engine: Sendable {
    let directory: String
    let files: any FileSystem
    let options: EngineOptions
    let rules: [MergeRule]
    let log: Log
    let treeTable: Mutex<[UInt32: Tree]>
    let manifest: Mutex<ManifestKeeper>
    let nextTable: Atomic<UInt64>
    /// Bytes of all memtables and of batches appended and not applied.
    let memory: Atomic<Int>
    private let lock: any FileLock

    /// The manifest and what it says; whoever holds its lock may write to the disk.
    struct ManifestKeeper {
        let manifest: Manifest
        var state: Manifest.State
    }

    init(
        directory: String,
        files: any FileSystem,
        options: EngineOptions,
        rules: [MergeRule],
        log: Log,
        trees: [UInt32: Tree],
        manifest: sending ManifestKeeper,
        nextTable: UInt64,
        memory: Int,
        lock: any FileLock
    ) {
        self.directory = directory
        self.files = files
        self.options = options
        self.rules = rules
        self.log = log
        treeTable = Mutex(trees)
        self.manifest = Mutex(manifest)
        self.nextTable = Atomic(nextTable)
        self.memory = Atomic(memory)
        self.lock = lock
    }

    func tree(_ number: UInt32) -> Tree? {
        treeTable.withLock { $0[number] }
    }

    var allTrees: [Tree] {
        treeTable.withLock { $0.values.sorted { $0.number < $1.number } }
    }

    /// The numbers of all trees, ascending.
    public var trees: [UInt32] { allTrees.map(\.number) }

    /// Makes an empty tree; it is in the manifest on return.
    ///
    /// - Throws: `treeExists`, `poisoned`, `closed`, `io`.
    public func createTree(_ number: UInt32, rule: MergeRule) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            guard keeper.state.trees[number] == nil else { throw .treeExists(number) }
            try onDisk { () throws(FileSystemError) in
                try files.createDirectory(FileNames.treeDirectory(number, in: directory))
                try files.syncDirectory(directory)
            }
            let since = log.end
            try record([.createTree(number: number, rule: rule.name, since: since)], in: &keeper)
            let tree = Tree(number: number, rule: rule, since: since)
            treeTable.withLock { $0[number] = tree }
        }
    }

    /// Drops a tree with all it holds; the manifest says so on return, files go at once if they
    /// can.
    ///
    /// - Throws: `unknownTree`, `poisoned`, `closed`, `io`.
    public func dropTree(_ number: UInt32) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        try manifest.withLock { keeper throws(StorageError) in
            guard let tree = tree(number) else { throw .unknownTree(number) }
            try record([.dropTree(number)], in: &keeper)
            treeTable.withLock { $0[number] = nil }
            let tables = tree.state.withLock { state in
                state.isDropped = true
                memory.subtract(state.memoryInUse, ordering: .relaxed)
                state.active = Memtable()
                state.frozen = []
                defer { state.tables = [] }
                return state.tables
            }
            for table in tables {
                // A file that stays is known to nobody and does no harm.
                try? files.remove(
                    FileNames.table(table.metadata.number, tree: number, in: directory)
                )
            }
        }
    }

    /// Writes edits to the manifest; a failure poisons, since nobody knows what the disk holds.
    func record(
        _ edits: [ManifestEdit],
        in keeper: inout ManifestKeeper
    ) throws(StorageError) {
        do throws(StorageError) {
            try keeper.manifest.append(edits)
        } catch {
            log.poison("the manifest could not be written: \(error)")
            throw error
        }
        for edit in edits {
            let fits = keeper.state.apply(edit)
            precondition(fits, "an edit does not fit the manifest: \(edit)")
        }
    }

    /// Syncs the log and gives the directory free; the engine refuses writes from then on.
    ///
    /// - Throws: `poisoned`, `closed`, `diskFull`, `io`; the directory is given free even then.
    public func close() throws(StorageError) {
        defer { lock.release() }
        if let refusal = log.refusal { throw refusal }
        _ = try log.write(syncing: true)
        try writeIdleMark()
        try log.close()
    }

    /// How much the engine holds now.
    public func statistics() -> EngineStatistics {
        let trees = allTrees.map { tree in
            tree.state.withLock { state in
                EngineStatistics.Tree(
                    number: tree.number,
                    tableBytes: state.tables.reduce(0) { $0 + Int($1.metadata.length) },
                    memtableBytes: state.memoryInUse,
                    tableCount: state.tables.count,
                    tableEntries: state.tables.reduce(0) { $0 + Int($1.metadata.entryCount) }
                )
            }
        }
        return EngineStatistics(
            trees: trees,
            logBytes: log.sizeInBytes,
            memoryInUse: memory.load(ordering: .relaxed)
        )
    }
}
