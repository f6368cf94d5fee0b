import ByteCoding
import Causality
import ClusterPrimitives
package import FileSystems
package import Partitioning
package import Replication
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
    private let trees: Mutex<Set<UInt32>>
    private let isDistrusted = Atomic(false)

    /// The merge rule of lww keyspaces.
    package static let lastWriterWins = MergeRule(
        name: "lww",
        newestStampWins: true,
        droppableFrom: { value in
            guard let record = try? StoredRecord(decoding: value) else { return nil }
            return record.isTombstone ? 0 : record.expiry?.milliseconds
        },
        versionDigest: { value in
            StoredRecord.digest(ByteRange(offset: 0, count: value.byteCount), of: value)
        },
        join: { existing, incoming in
            LastWriterWins.incomingWins(existing, incoming) ? .takeIncoming : .keepExisting
        }
    )

    private init(engine: Engine) {
        self.engine = engine
        trees = Mutex(Set(engine.trees))
    }

    /// Opens the store in a directory, recovers it, and makes its trees those of the topology.
    ///
    /// - Throws: what the engine throws: damage, a lock that is held, a failing disk.
    package static func open(
        directory: String,
        on fileSystem: any FileSystem,
        topology: Topology,
        options: EngineOptions
    ) throws(StorageError) -> ReplicaStore {
        let engine = try Engine.open(
            directory: directory,
            on: fileSystem,
            options: options,
            rules: [lastWriterWins],
            damage: .isolate
        )
        let store = ReplicaStore(engine: engine)
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
        let wanted = topology.keyspaces.map(\.number.rawValue)
        for keyspace in topology.keyspaces {
            let number = keyspace.number.rawValue
            let compression = Compression(keyspace.compression)
            if engine.trees.contains(number) {
                try engine.setCompression(compression, tree: number)
            } else {
                try engine.createTree(
                    number,
                    rule: Self.lastWriterWins,
                    compression: compression
                )
            }
        }
        for number in engine.trees where !wanted.contains(number) {
            _ = trees.withLock { $0.remove(number) }
            try engine.dropTree(number)
        }
        trees.withLock { $0 = Set(wanted) }
    }

    /// Answers `unknown` to all reads from now on, since acknowledged writes are missing here that
    /// nobody can name: the disk is older than what others have seen of this node, or new.
    ///
    /// Writes are taken as before.
    package func distrust() {
        isDistrusted.store(true, ordering: .releasing)
    }

    private func canRead(_ keyspace: KeyspaceNumber) -> Bool {
        !isDistrusted.load(ordering: .acquiring) && has(keyspace)
    }

    private func has(_ keyspace: KeyspaceNumber) -> Bool {
        trees.withLock { $0.contains(keyspace.rawValue) }
    }

    // MARK: One turn's jobs

    /// Writes on their way: in the log, not yet visible.
    package struct StagedWrites: Sendable {
        struct Item: Sendable {
            var origin: JobOrigin
            var version: Version
            var purpose: WritePurpose
            var keyspace: KeyspaceNumber
            var token: UInt64
            var key: [UInt8]
            /// Where the record lies in the payload of its turn.
            var record: ByteRange
        }

        var batch = WriteBatch()
        var position: AppendedPosition?
        var items: [Item] = []

        /// How many writes there are.
        package var count: Int { items.count }
    }

    /// A job that has to read from disk; it owns its bytes.
    package struct DeferredJob: Sendable {
        enum Work: Sendable {
            case read(key: [UInt8], contents: ReadContents)
            case scan(ReplicaScan)
            case shadowCheck(key: [UInt8], version: Version)
        }

        /// Who waits for it.
        package let origin: JobOrigin
        let keyspace: KeyspaceNumber
        let token: UInt64
        let work: Work

        /// The result where there is no room to run it: nothing was done.
        package var refused: StorageResult {
            switch work {
            case .read(_, let contents):
                .read(
                    origin,
                    .overloaded,
                    contents: contents,
                    digest: 0,
                    version: .zero,
                    record: []
                )
            case .scan:
                .scanned(
                    origin,
                    ReplicaPage(status: .overloaded, records: [], isComplete: false)
                )
            case .shadowCheck(_, let version):
                // It is durable; only whether something newer hides it was not looked up.
                .written(origin, .failed, version: version, shadow: .zero)
            }
        }
    }

    /// The most bytes of records that the reads of one turn bring from memory: 32 MiB.
    ///
    /// Further ones are refused, since a few bytes of requests can ask for as many values.
    private static let maximumTurnSize = 32 * 1024 * 1024

    /// Takes the jobs of one turn.
    ///
    /// - `payload`: where the jobs' ranges lie.
    /// - `results`: gains what is known at once: reads that memory answers, and refusals.
    /// - `deferred`: gains what has to read from disk; run each with `run`.
    /// - Returns: the writes, which now wait for `sync` and then `finish`; nil if there are none.
    package func submit(
        jobs: [StorageJob],
        payload: [UInt8],
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) -> StagedWrites? {
        var staged = StagedWrites()
        var answered = 0
        for job in jobs {
            switch job.work {
            case .write(let key, let record, let version, let purpose):
                guard has(job.keyspace) else {
                    results.append(
                        .written(job.origin, .unknownKeyspace, version: version, shadow: .zero)
                    )
                    continue
                }
                staged.batch.put(
                    tree: job.keyspace.rawValue,
                    prefix: job.token,
                    key: key,
                    value: record,
                    of: payload.span.bytes,
                    stamp: version.timestamp.rawValue
                )
                staged.items.append(
                    StagedWrites.Item(
                        origin: job.origin,
                        version: version,
                        purpose: purpose,
                        keyspace: job.keyspace,
                        token: job.token,
                        key: Array(payload[key.offset..<key.end]),
                        record: record
                    )
                )
            case .read(let key, let contents):
                let work = DeferredJob(
                    origin: job.origin,
                    keyspace: job.keyspace,
                    token: job.token,
                    work: .read(key: Array(payload[key.offset..<key.end]), contents: contents)
                )
                guard answered < Self.maximumTurnSize else {
                    results.append(work.refused)
                    continue
                }
                if let result = perform(work, mayReadDisk: false) {
                    if case .read(_, _, _, _, _, let record) = result { answered += record.count }
                    results.append(result)
                } else {
                    deferred.append(work)
                }
            case .scan(let scan):
                deferred.append(
                    DeferredJob(
                        origin: job.origin,
                        keyspace: job.keyspace,
                        token: job.token,
                        work: .scan(scan)
                    )
                )
            }
        }
        guard !staged.items.isEmpty else { return nil }
        do {
            staged.position = try engine.append(staged.batch)
            return staged
        } catch {
            if case .diskReserve = error {
                return stageTombstones(of: staged, payload, results: &results)
            }
            refuse(staged.items, error, results: &results)
            return nil
        }
    }

    private func refuse(
        _ items: [StagedWrites.Item],
        _ error: StorageError,
        results: inout [StorageResult]
    ) {
        let status: WriteStatus =
            switch error {
            case .overloaded: .overloaded
            case .diskFull, .diskReserve: .noRoom
            case .unknownTree: .unknownKeyspace
            default: .failed
            }
        for item in items {
            results.append(.written(item.origin, status, version: item.version, shadow: .zero))
        }
    }

    /// Refuses the values of a turn and lets its deletions have the disk's reserve.
    private func stageTombstones(
        of refused: StagedWrites,
        _ payload: [UInt8],
        results: inout [StorageResult]
    ) -> StagedWrites? {
        var staged = StagedWrites()
        var values: [StagedWrites.Item] = []
        for item in refused.items {
            let record = try? StoredRecord(decoding: item.record, of: payload.span.bytes)
            guard record?.isTombstone == true else {
                values.append(item)
                continue
            }
            staged.batch.put(
                tree: item.keyspace.rawValue,
                prefix: item.token,
                key: item.key,
                value: Array(payload[item.record.offset..<item.record.end]),
                stamp: item.version.timestamp.rawValue
            )
            staged.items.append(item)
        }
        refuse(values, .diskReserve(limit: 0), results: &results)
        guard !staged.items.isEmpty else { return nil }
        do {
            staged.position = try engine.append(staged.batch, usingReserve: true)
            return staged
        } catch {
            refuse(staged.items, error, results: &results)
            return nil
        }
    }

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

    /// Ends a turn's writes.
    ///
    /// - `isDurable`: whether the sync that followed `submit` succeeded.
    /// - `results`: gains what became of each write.
    /// - `deferred`: gains those of which only the disk can tell whether something newer hides
    ///   them.
    package func finish(
        _ staged: StagedWrites,
        isDurable: Bool,
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) {
        guard isDurable, let position = staged.position else {
            if let position = staged.position { engine.abandon(staged.batch, at: position) }
            for item in staged.items {
                results.append(
                    .written(item.origin, .failed, version: item.version, shadow: .zero)
                )
            }
            return
        }
        let outcomes = engine.apply(staged.batch, at: position)
        for (item, outcome) in zip(staged.items, outcomes) {
            var status = WriteStatus.applied
            var shadow = Version.zero
            switch outcome.result {
            case .inserted, .merged:
                break
            case .keptExisting(let existing):
                let version = Self.version(of: existing)
                if version > item.version {
                    status = .shadowed
                    shadow = version
                }
            case .treeDropped:
                status = .unknownKeyspace
            case .takenBack:
                status = .failed
            }
            if status == .applied, outcome.needsCheck, item.purpose == .foreground {
                let check = DeferredJob(
                    origin: item.origin,
                    keyspace: item.keyspace,
                    token: item.token,
                    work: .shadowCheck(key: item.key, version: item.version)
                )
                if let result = perform(check, mayReadDisk: false) {
                    results.append(result)
                } else {
                    deferred.append(check)
                }
                continue
            }
            results.append(.written(item.origin, status, version: item.version, shadow: shadow))
        }
    }

    /// Runs a job that may read from disk.
    package func run(_ job: DeferredJob) -> StorageResult {
        perform(job, mayReadDisk: true) ?? job.refused
    }

    // MARK: Upkeep

    /// What upkeep is due; nil if none.
    package func nextMaintenance() -> MaintenanceJob? {
        engine.nextMaintenance()
    }

    /// Does a piece of upkeep; blocks on the disk.
    ///
    /// `pace` is asked by compactions after about each megabyte.
    package func perform(
        _ job: MaintenanceJob,
        pace: (CompactionProgress) -> CompactionPace = { _ in .goOn }
    ) throws(StorageError) {
        try engine.perform(job, pace: pace)
    }

    /// How long to wait before the next writes are synced, so that flushes keep up; at most 10 ms.
    package var writeDelay: Duration { engine.writeDelay }

    /// Bytes of the tables that wait for a compaction, about.
    package var compactionBacklog: Int { engine.compactionBacklog }

    /// Bytes of all tables and memtables.
    package var load: UInt64 {
        engine.statistics().trees.reduce(0) {
            $0 + UInt64(max(0, $1.tableBytes)) + UInt64(max(0, $1.memtableBytes))
        }
    }

    /// Makes everything durable and gives the directory back.
    package func close() throws(StorageError) {
        try engine.close()
    }

    // MARK: Jobs

    private func perform(_ job: DeferredJob, mayReadDisk: Bool) -> StorageResult? {
        switch job.work {
        case .read(let key, let contents):
            read(job, key, contents, mayReadDisk: mayReadDisk)
        case .scan(let scan):
            .scanned(job.origin, page(job.keyspace, scan))
        case .shadowCheck(let key, let version):
            shadowCheck(job, key, version, mayReadDisk: mayReadDisk)
        }
    }

    private func read(
        _ job: DeferredJob,
        _ key: [UInt8],
        _ contents: ReadContents,
        mayReadDisk: Bool
    ) -> StorageResult? {
        func result(_ status: ReadStatus, _ record: [UInt8]) -> StorageResult {
            let bytes = record.span.bytes
            let range = ByteRange(offset: 0, count: record.count)
            return .read(
                job.origin,
                status,
                contents: contents,
                digest: record.isEmpty ? 0 : StoredRecord.digest(range, of: bytes),
                version: Self.version(of: record),
                record: contents == .record ? record : []
            )
        }
        guard canRead(job.keyspace) else { return result(.unknown, []) }
        do {
            switch try engine.get(
                tree: job.keyspace.rawValue,
                prefix: job.token,
                key: key,
                disk: mayReadDisk ? .allowed : .forbidden
            ) {
            case .absent: return result(.absent, [])
            case .found(let record, _): return result(.found, record)
            case .needsDisk: return nil
            }
        } catch {
            return result(.unknown, [])
        }
    }

    private func shadowCheck(
        _ job: DeferredJob,
        _ key: [UInt8],
        _ version: Version,
        mayReadDisk: Bool
    ) -> StorageResult? {
        let lookup: Lookup? = try? engine.get(
            tree: job.keyspace.rawValue,
            prefix: job.token,
            key: key,
            disk: mayReadDisk ? .allowed : .forbidden
        )
        switch lookup {
        case .found(let record, _)?:
            let newest = Self.version(of: record)
            let isHidden = newest > version
            return .written(
                job.origin,
                isHidden ? .shadowed : .applied,
                version: version,
                shadow: isHidden ? newest : .zero
            )
        case .needsDisk?:
            return nil
        case .absent?, nil:
            // The write is durable, but what lies below it cannot be read.
            return .written(job.origin, .failed, version: version, shadow: .zero)
        }
    }

    /// The most bytes that one scan looks at before it returns what it has: 4 MiB.
    private static let maximumScannedSize = 4 * 1024 * 1024

    private func page(_ keyspace: KeyspaceNumber, _ scan: ReplicaScan) -> ReplicaPage {
        guard canRead(keyspace) else {
            return ReplicaPage(status: .unknown, records: [], isComplete: false)
        }
        var page = ReplicaPage(status: .found, records: [], isComplete: false)
        var position: ScanPosition? =
            scan.after.map { .after(prefix: scan.fromToken, key: $0) }
            ?? .from(prefix: scan.fromToken)
        var visited = 0
        var size = 0
        do {
            while let start = position {
                let entries = max(1, Int(scan.maximumEntries) - page.records.count)
                let part = try engine.scan(
                    tree: keyspace.rawValue,
                    from: start,
                    through: scan.throughToken,
                    maximumBytes: max(
                        1,
                        min(Int(scan.maximumSize) - size, Self.maximumScannedSize - visited)
                    ),
                    maximumEntries: entries
                )
                for entry in part.entries {
                    visited += entry.key.count + entry.value.count
                    page.coveredToken = entry.prefix
                    page.coveredKey = entry.key
                    guard entry.key.starts(with: scan.prefix) else { continue }
                    size += entry.key.count + entry.value.count
                    page.records.append(
                        ScannedRecord(token: entry.prefix, key: entry.key, record: entry.value)
                    )
                }
                position = part.next
                if page.records.count >= Int(scan.maximumEntries)
                    || size >= Int(scan.maximumSize) || visited >= Self.maximumScannedSize
                {
                    break
                }
            }
        } catch {
            return ReplicaPage(status: .unknown, records: [], isComplete: false)
        }
        page.isComplete = position == nil
        if page.isComplete {
            page.coveredToken = 0
            page.coveredKey = []
        }
        return page
    }

    private static func version(of record: [UInt8]) -> Version {
        let range = ByteRange(offset: 0, count: record.count)
        return (try? StoredRecord(decoding: range, of: record.span.bytes))?.version ?? .zero
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
