import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import ObjectStorage
import Partitioning
import Replication
import StorageEngine

/// A replica store on a disk in memory, driven as a lane's owner drives it.
final class StoreFixture {
    let disk: InMemoryFileSystem
    let faults: FaultyFileSystem
    let store: ReplicaStore
    private var correlation: UInt64 = 0
    private let mode: ConflictMode?

    static let keyspace = KeyspaceNumber(1)

    /// A topology of one node with keyspaces of these names.
    static func topology(
        _ names: [String] = ["users"],
        compression: BlockCompression = .none,
        mode: ConflictMode = .lww
    ) throws -> Topology {
        let member = FoundingMember(
            name: "n1",
            datacenter: "dc1",
            rack: "r1",
            peer: Endpoint(host: "a", port: 1),
            client: Endpoint(host: "a", port: 2)
        )
        var topology = try Topology.founding(cluster: "test", members: [member])
        for name in names {
            topology = try topology.creating(
                KeyspaceDefinition(
                    name: name,
                    replication: [.init(datacenter: "dc1", replicas: 1)],
                    mode: mode,
                    compression: compression
                )
            )
        }
        return topology
    }

    init(
        _ disk: InMemoryFileSystem = InMemoryFileSystem(),
        topology: Topology? = nil,
        actor: ActorID = ActorID(high: 1, low: 1),
        diskReserve: Int = 0,
        maximumValueSize: Int? = nil
    ) throws {
        self.disk = disk
        mode = topology?.keyspaces.first?.mode
        faults = FaultyFileSystem(disk)
        var options = EngineOptions()
        options.segmentSize = 4096
        options.blockSize = 512
        options.identity = 0xBEEF
        options.diskReserve = diskReserve
        if let maximumValueSize { options.maximumValueSize = maximumValueSize }
        store = try ReplicaStore.open(
            directory: "/store",
            on: faults,
            topology: try topology ?? Self.topology(),
            actor: actor,
            options: options
        )
    }

    static func version(_ stamp: UInt64) -> Version {
        Version(timestamp: HybridTimestamp(rawValue: stamp), node: NodeID(1), lane: 0)
    }

    /// The record of a value, or of a deletion where there is none.
    static func record(_ stamp: UInt64, _ value: String?) -> [UInt8] {
        var writer = ByteWriter()
        writer.recordHeader(version: version(stamp), isTombstone: value == nil, expiry: nil)
        writer.raw(Array((value ?? "").utf8))
        return writer.bytes
    }

    // MARK: Jobs

    private func origin() -> JobOrigin {
        correlation += 1
        return JobOrigin(route: .request, target: 0, correlation: correlation)
    }

    /// What a turn of jobs came to at once, and what waits.
    struct Turn {
        var staged: ReplicaStore.StagedWrites?
        var results: [StorageResult] = []
        var deferred: [ReplicaStore.DeferredJob] = []
    }

    func submit(
        _ key: String,
        _ stamp: UInt64,
        _ value: String?,
        purpose: WritePurpose = .foreground,
        keyspace: KeyspaceNumber = StoreFixture.keyspace
    ) -> Turn {
        let keyBytes = Array(key.utf8)
        let record = Self.record(stamp, value)
        var turn = Turn()
        turn.staged = store.submit(
            jobs: [
                StorageJob(
                    origin: origin(),
                    keyspace: keyspace,
                    token: Token(ofKey: keyBytes).ordered,
                    work: .write(
                        key: ByteRange(offset: 0, count: keyBytes.count),
                        record: ByteRange(offset: keyBytes.count, count: record.count),
                        version: Self.version(stamp),
                        purpose: purpose
                    )
                )
            ],
            payload: keyBytes + record,
            results: &turn.results,
            deferred: &turn.deferred
        )
        return turn
    }

    /// One turn of updates, stamped one after another; those of siblings as lanes begin them.
    ///
    /// `base`: what each is told that the others hold.
    func update(
        _ updates: [(key: String, change: RecordUpdate)],
        base: [UInt8]? = nil,
        stamp: UInt64 = 0,
        keyspace: KeyspaceNumber = StoreFixture.keyspace
    ) -> Turn {
        var turn = Turn()
        // Values lie somewhere in it.
        var payload: [UInt8] = [1, 2, 3]
        let jobs = updates.map { key, change in
            let origin = origin()
            let keyBytes = Array(key.utf8)
            let update = KeyUpdate(
                key: keyBytes,
                change: change,
                context: nil,
                version: Self.version(stamp + 1000 * origin.correlation),
                wall: WallClockTime(milliseconds: 0),
                base: base
            )
            return StorageJob(
                origin: origin,
                keyspace: keyspace,
                token: Token(ofKey: keyBytes).ordered,
                work: work(update, in: &payload)
            )
        }
        turn.staged = store.submit(
            jobs: jobs,
            payload: payload,
            results: &turn.results,
            deferred: &turn.deferred
        )
        return turn
    }

    private func work(
        _ update: KeyUpdate,
        in payload: inout [UInt8]
    ) -> StorageJob.Work {
        guard update.base == nil else { return .update(update) }
        var value: [UInt8] = []
        var expiry: WallClockTime?
        switch update.change {
        case .put(let put, let until): (value, expiry) = (put, until)
        case .delete where mode == .siblings: break
        default: return .update(update)
        }
        let range = ByteRange(offset: payload.count, count: value.count)
        payload += value
        return .put(
            SiblingPut(
                key: update.key,
                write: SiblingWrite(
                    version: update.version,
                    isTombstone: update.change == .delete,
                    expiry: expiry,
                    value: range
                ),
                context: update.context,
                wall: update.wall
            )
        )
    }

    /// A whole update.
    func update(_ key: String, _ change: RecordUpdate) {
        let turn = update([(key, change)])
        let isDurable = (try? store.sync()) != nil
        _ = finish(turn, isDurable: isDurable)
    }

    /// A whole write of an encoded record, as a replica stores it.
    func write(_ key: String, record: [UInt8]) {
        let keyBytes = Array(key.utf8)
        var turn = Turn()
        turn.staged = store.submit(
            jobs: [
                StorageJob(
                    origin: origin(),
                    keyspace: Self.keyspace,
                    token: Token(ofKey: keyBytes).ordered,
                    work: .write(
                        key: ByteRange(offset: 0, count: keyBytes.count),
                        record: ByteRange(offset: keyBytes.count, count: record.count),
                        version: Self.version(5),
                        purpose: .repair
                    )
                )
            ],
            payload: keyBytes + record,
            results: &turn.results,
            deferred: &turn.deferred
        )
        let isDurable = (try? store.sync()) != nil
        _ = finish(turn, isDurable: isDurable)
    }

    /// Ends a turn and runs what it put off.
    func finish(_ turn: Turn, isDurable: Bool = true) -> [StorageResult] {
        var turn = turn
        if let staged = turn.staged {
            store.finish(
                staged,
                isDurable: isDurable,
                results: &turn.results,
                deferred: &turn.deferred
            )
        }
        var waiting = turn.deferred
        while !waiting.isEmpty {
            let job = waiting.removeFirst()
            turn.results += store.run(job, next: &waiting)
        }
        return turn.results
    }

    /// A whole write: status and shadow.
    @discardableResult
    func write(
        _ key: String,
        _ stamp: UInt64,
        _ value: String?,
        purpose: WritePurpose = .foreground,
        keyspace: KeyspaceNumber = StoreFixture.keyspace
    ) -> (status: WriteStatus, shadow: Version)? {
        let turn = submit(key, stamp, value, purpose: purpose, keyspace: keyspace)
        let isDurable = (try? store.sync()) != nil
        guard case .written(_, let status, _, let shadow)? = finish(turn, isDurable: isDurable).last
        else { return nil }
        return (status, shadow)
    }

    /// A whole read.
    func read(
        _ key: String,
        _ contents: ReadContents = .record,
        keyspace: KeyspaceNumber = StoreFixture.keyspace
    ) -> (status: ReadStatus, digest: UInt64, version: Version, record: [UInt8])? {
        let keyBytes = Array(key.utf8)
        var turn = Turn()
        turn.staged = store.submit(
            jobs: [
                StorageJob(
                    origin: origin(),
                    keyspace: keyspace,
                    token: Token(ofKey: keyBytes).ordered,
                    work: .read(
                        key: ByteRange(offset: 0, count: keyBytes.count),
                        contents: contents
                    )
                )
            ],
            payload: keyBytes,
            results: &turn.results,
            deferred: &turn.deferred
        )
        guard case .read(_, let status, _, let digest, let version, let record)? = finish(turn).last
        else { return nil }
        return (status, digest, version, record)
    }

    /// A whole scan.
    func scan(
        _ scan: ReplicaScan,
        keyspace: KeyspaceNumber = StoreFixture.keyspace
    ) -> ReplicaPage? {
        var turn = Turn()
        turn.staged = store.submit(
            jobs: [
                StorageJob(
                    origin: origin(),
                    keyspace: keyspace,
                    token: scan.fromToken,
                    work: .scan(scan)
                )
            ],
            payload: [],
            results: &turn.results,
            deferred: &turn.deferred
        )
        guard case .scanned(_, let page)? = finish(turn).last else { return nil }
        return page
    }

    func flush(_ keyspace: KeyspaceNumber = StoreFixture.keyspace) throws {
        try store.perform(.flush(keyspace.rawValue))
    }
}
