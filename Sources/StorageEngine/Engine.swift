internal import FileSystems
internal import Synchronization

/// A map of ordered bytes on a disk: one log, memtables and tables per tree, one manifest.
///
/// Keys are a number (the prefix) and some bytes; entries are ordered by both, unsigned. It owns no
/// thread and no clock: the owner calls `sync`, `nextMaintenance` and `perform` from threads of its
/// own. All methods may be called from any thread.
///
/// `write` is the simple way in. A loop that serves many takes its three steps apart, so that one
/// turn costs one sync: `append` gives a batch its place in the log, `sync` makes all places given
/// so far durable, `apply` makes the batch visible. **Every appended batch must be applied or
/// abandoned**, or the log keeps growing behind it.
public final class Engine: Sendable {
    let directory: String
    let files: any FileSystem
    let options: EngineOptions
    /// The log of all trees.
    package let log: Log
    let tableFiles: TableFiles
    let cache: BlockCache
    let treeTable: Lock<[UInt32: Tree]>
    let manifest: Mutex<ManifestKeeper>
    let nextTable: Atomic<UInt64>
    /// Bytes of all memtables and of batches appended and not applied.
    let memory: Atomic<Int>
    /// Whether a batch was refused for want of memory since the last flush.
    let isOverloaded = Atomic(false)
    /// Whether the disk was found below its reserve when it was last asked.
    let isAtReserve = Atomic(false)
    /// The segment of the log that was written to when the disk was asked.
    let reserveWatched = Atomic<UInt64>(0)
    /// Tables that the manifest does without and that views may still read.
    let obsolete = Mutex<[Table]>([])
    let counters = Counters()
    /// Files in the engine's directories that are none of its own, left alone.
    public let unknownFiles: [String]
    /// Damage that was found on opening and did not stop it.
    public let damage: [StorageError]
    private let lock: (any FileLock)?

    /// The manifest and what it says; whoever holds its lock may write to the disk.
    struct ManifestKeeper {
        var manifest: Manifest
        var state: Manifest.State
        var generation: UInt64
    }

    /// What the engine counts of its work.
    struct Counters: Sendable {
        let flushedBytes = SharedCounter()
        let compactedBytes = SharedCounter()
        let compactions = SharedCounter()
        let purgedEntries = SharedCounter()
    }

    /// A number that threads add to.
    final class SharedCounter: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add(_ number: Int) { count.add(number, ordering: .relaxed) }
    }

    /// What recovery found and made.
    struct Parts: ~Copyable {
        var log: Log
        var tableFiles: TableFiles
        var cache: BlockCache
        var trees: [UInt32: Tree]
        var keeper: ManifestKeeper
        var nextTable: UInt64
        var memory: Int
        var unknownFiles: [String]
        var damage: [StorageError]
    }

    init(
        directory: String,
        files: any FileSystem,
        options: EngineOptions,
        parts: consuming sending Parts,
        lock: (any FileLock)?
    ) {
        self.directory = directory
        self.files = files
        self.options = options
        log = parts.log
        tableFiles = parts.tableFiles
        cache = parts.cache
        treeTable = Lock(parts.trees)
        nextTable = Atomic(parts.nextTable)
        memory = Atomic(parts.memory)
        unknownFiles = parts.unknownFiles
        damage = parts.damage
        manifest = Mutex(parts.keeper)
        self.lock = lock
    }

    func tree(_ number: UInt32) -> Tree? {
        treeTable.withLock { $0[number] }
    }

    func existing(_ number: UInt32) throws(StorageError) -> Tree {
        guard let tree = tree(number) else { throw .unknownTree(number) }
        return tree
    }

    var allTrees: [Tree] {
        treeTable.withLock { $0.values.sorted { $0.number < $1.number } }
    }

    /// The numbers of all trees, ascending.
    public var trees: [UInt32] { allTrees.map(\.number) }

    /// Writes edits to the manifest.
    ///
    /// A disk without room for them changes nothing; any other failure poisons, since nobody knows
    /// then what the disk holds.
    ///
    /// - Parameters:
    ///   - edits: they must fit.
    ///   - keeper: the manifest, locked by the caller.
    ///   - tables: what was made for the edits and nobody reads; it goes if there is no room.
    /// - Throws: `diskFull` if nothing was written, `io`.
    func record(
        _ edits: [ManifestEdit],
        in keeper: inout ManifestKeeper,
        making tables: [Table] = []
    ) throws(StorageError) {
        do throws(StorageError) {
            try keeper.manifest.makeRoom(for: edits)
        } catch {
            discard(tables)
            throw error
        }
        do throws(StorageError) {
            try keeper.manifest.append(edits)
            for edit in edits {
                let fits = keeper.state.apply(edit)
                precondition(fits, "an edit does not fit the manifest: \(edit)")
            }
            if keeper.manifest.isLong { try writeAnew(&keeper) }
        } catch {
            log.poison("the manifest could not be written: \(error)")
            throw error
        }
    }

    /// Begins a new generation of the manifest, if the disk has room for it.
    private func writeAnew(_ keeper: inout ManifestKeeper) throws(StorageError) {
        do throws(StorageError) {
            keeper.manifest = try Manifest(
                writing: keeper.state,
                generation: keeper.generation + 1,
                directory: directory,
                identity: options.identity,
                files: files
            )
            keeper.generation += 1
        } catch {
            // The temporary file was not whole; the manifest that there is goes on.
            guard case .diskFull = error else { throw error }
        }
    }

    /// Syncs the log and gives the directory free; the engine refuses writes from then on.
    ///
    /// - Throws: `poisoned`, `closed`, `diskFull`, `io`; the directory is given free even then.
    public func close() throws(StorageError) {
        defer { lock?.release() }
        if let refusal = log.refusal { throw refusal }
        _ = try log.write(syncing: true)
        try log.mark()
        try log.close()
        // Those of tables that the manifest never knew would be nobody's from the next start on.
        try removeObsoleteFiles()
    }
}
