package import Causality
import ClusterPrimitives
package import FileSystems
package import Partitioning
import Replication
package import StorageEngine
import Synchronization

/// The copies that one node keeps: each keyspace is a tree of one storage engine.
///
/// It may be called from any thread. It owns none: its owner calls `sync` and `perform`.
/// A write takes three steps, so that all writes of one turn of a loop, and all lanes that wait,
/// share one sync: `submit` gives them their place in the log, `sync` makes them durable,
/// `finish` makes them visible and says what became of each.
package final class ReplicaStore: Sendable {
    let engine: Engine
    /// By tree; only looked up.
    private let modes = Mutex<[UInt32: RecordMode]>([:])
    private let isDistrusted = Atomic(false)
    let minter: Minter
    let queues = KeyQueues()
    /// The longest record that the engine takes.
    let maximumRecordSize: Int

    private init(engine: Engine, actor: ActorID, earlier: [ActorID], maximumRecordSize: Int) {
        self.engine = engine
        self.maximumRecordSize = maximumRecordSize
        minter = Minter(actor, earlier: earlier)
    }

    /// Opens the store in a directory, recovers it, and makes its trees those of the topology.
    ///
    /// `actor` is this life's, which nothing on any disk may know yet; `earlierActors` are those of
    /// earlier lives on the same disk.
    ///
    /// - Throws: what the engine throws: damage, a lock that is held, a failing disk.
    package static func open(
        directory: String,
        on fileSystem: any FileSystem,
        topology: Topology,
        actor: ActorID,
        earlierActors: [ActorID] = [],
        options: EngineOptions
    ) throws(StorageError) -> ReplicaStore {
        let engine = try Engine.open(
            directory: directory,
            on: fileSystem,
            options: options,
            rules: RecordMode.allCases.map(\.mergeRule),
            damage: .isolate
        )
        let store = ReplicaStore(
            engine: engine,
            actor: actor,
            earlier: earlierActors,
            maximumRecordSize: options.maximumValueSize
        )
        do throws(StorageError) {
            try store.adopt(topology)
            try store.flushRecovered()
        } catch {
            // It is the first failure that counts; closing gives the directory free.
            try? engine.close()
            throw error
        }
        return store
    }

    /// Makes tables of the memtables that recovery filled beyond their budget.
    ///
    /// Nothing is taken before that. Without room for them the store can still be read.
    private func flushRecovered() throws(StorageError) {
        do throws(StorageError) {
            while let job = engine.nextMaintenance(), case .flush = job { try engine.perform(job) }
        } catch {
            guard case .diskFull = error else { throw error }
        }
    }

    /// Damage that was found on opening; what was lost with it is unknown here, never absent.
    package var damage: [StorageError] { engine.damage }

    /// Files in the store's directory that are none of its own, left alone.
    package var unknownFiles: [String] { engine.unknownFiles }

    /// Creates the trees of new keyspaces and drops those of dropped ones, durably.
    package func adopt(_ topology: Topology) throws(StorageError) {
        var wanted: [UInt32: RecordMode] = [:]
        for keyspace in topology.keyspaces {
            let number = keyspace.number.rawValue
            let compression = Compression(keyspace.compression)
            wanted[number] = keyspace.mode.records
            if engine.trees.contains(number) {
                try engine.setCompression(compression, tree: number)
            } else {
                try engine.createTree(
                    number,
                    rule: keyspace.mode.records.mergeRule,
                    compression: compression
                )
            }
        }
        for number in engine.trees where wanted[number] == nil {
            modes.withLock { $0[number] = nil }
            try engine.dropTree(number)
        }
        modes.withLock { $0 = wanted }
    }

    /// Answers `unknown` to all reads from now on, since acknowledged writes are missing here that
    /// nobody can name: the disk is older than what others have seen of this node, or new.
    ///
    /// Writes are taken as before.
    package func distrust() {
        isDistrusted.store(true, ordering: .releasing)
    }

    /// What a keyspace's records are; nil where there is no such keyspace.
    func mode(of keyspace: KeyspaceNumber) -> RecordMode? {
        modes.withLock { $0[keyspace.rawValue] }
    }

    /// The same, nil too where the node does not know what it held.
    func readableMode(of keyspace: KeyspaceNumber) -> RecordMode? {
        isUnknown ? nil : mode(of: keyspace)
    }

    /// Whether acknowledged writes are missing here that nobody can name.
    var isUnknown: Bool { isDistrusted.load(ordering: .acquiring) }

    /// Notes that acknowledged writes, and dots with them, may be gone: no dot of the present
    /// actor is minted any more.
    func renewActor() { minter.renew() }

    /// Makes everything submitted so far durable: one write and one sync.
    ///
    /// - Throws: when the disk fails; the engine then takes no more writes until it is reopened.
    package func sync() throws(StorageError) {
        _ = try engine.sync()
    }

    /// Writes everything submitted so far without a sync, for periodic durability.
    package func write() throws(StorageError) {
        _ = try engine.write()
    }

    /// Notes in the log how much of it is known synced, so that damage there is told from a torn
    /// tail; to be called when the log has been idle for a moment.
    ///
    /// - Returns: whether there was anything to note.
    @discardableResult
    package func writeIdleMark() throws(StorageError) -> Bool {
        try engine.writeIdleMark()
    }

    /// Makes everything durable and gives the directory back.
    package func close() throws(StorageError) {
        try engine.close()
    }
}

extension Compression {
    /// The engine's name for how a keyspace is stored.
    init(_ compression: BlockCompression) {
        switch compression {
        case .none: self = .none
        case .zlib(let level): self = .zlib(level: level)
        }
    }
}
