import ByteCoding
package import Causality
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
    /// By tree; only looked up.
    private let modes = Mutex<[UInt32: RecordMode]>([:])
    private let isDistrusted = Atomic(false)
    let minter: Minter
    let queues = KeyQueues()
    /// The longest record that the engine takes.
    private let maximumRecordSize: Int

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

    // MARK: One turn's jobs

    /// Writes on their way: in the log, not yet visible.
    package struct StagedWrites: Sendable {
        struct Item: Sendable {
            var origin: JobOrigin
            var version: Version
            var purpose: WritePurpose
            var keyspace: KeyspaceNumber
            var mode: RecordMode
            var token: UInt64
            var key: [UInt8]
            /// Where the record lies in the payload of its turn; of an update empty.
            var record: ByteRange
            /// What an update came to; nil for a write.
            var update: Update?

            /// The place of an update's key, which is taken.
            var place: KeyQueues.Place {
                KeyQueues.Place(keyspace: keyspace, token: token, key: key)
            }
        }

        /// An update's record, and what its asker is told once that is durable.
        struct Update: Sendable {
            var record: [UInt8]
            var answer: UpdateAnswer
            var isRemoval: Bool
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
            /// Updates of one key, which is taken.
            case updates([KeyQueues.Waiting])
        }

        /// Who waits for it, the first where there are several.
        let origin: JobOrigin
        let keyspace: KeyspaceNumber
        let token: UInt64
        let work: Work
    }

    /// The results of a job where there is no room to run it: nothing was done.
    package func refuse(_ job: DeferredJob) -> [StorageResult] {
        switch job.work {
        case .read(_, let contents):
            return [
                .read(
                    job.origin,
                    .overloaded,
                    contents: contents,
                    digest: 0,
                    version: .zero,
                    record: []
                )
            ]
        case .scan:
            return [
                .scanned(
                    job.origin,
                    ReplicaPage(status: .overloaded, records: [], isComplete: false)
                )
            ]
        case .shadowCheck(_, let version):
            // It is durable; only whether something newer hides it was not looked up.
            return [.written(job.origin, .failed, version: version, shadow: .zero)]
        case .updates(var waiting):
            var results: [StorageResult] = []
            while let first = waiting.first {
                results += waiting.map { .updated($0.origin, .notTaken(.overloaded)) }
                waiting = queues.next(
                    KeyQueues.Place(
                        keyspace: job.keyspace,
                        token: job.token,
                        key: first.update.key
                    )
                )
            }
            return results
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
                guard let mode = mode(of: job.keyspace) else {
                    results.append(
                        .written(job.origin, .unknownKeyspace, version: version, shadow: .zero)
                    )
                    continue
                }
                if let error = oversize(record.count) {
                    results.append(
                        .written(job.origin, WriteStatus(error), version: version, shadow: .zero)
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
                        mode: mode,
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
                    results += refuse(work)
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
            case .update(let update):
                stage(update, of: job, in: &staged, results: &results, deferred: &deferred)
            }
        }
        guard !staged.items.isEmpty else { return nil }
        do {
            staged.position = try engine.append(staged.batch)
            return staged
        } catch {
            if case .diskReserve = error {
                return stageRemovals(of: staged, payload, results: &results, deferred: &deferred)
            }
            refuse(staged.items, error, results: &results, deferred: &deferred)
            return nil
        }
    }

    /// What the engine would say of a batch with a record of a size; nil if it takes it.
    ///
    /// It refuses batches as a whole, so one record too long would take the turn's others along.
    func oversize(_ size: Int) -> StorageError? {
        guard size > maximumRecordSize else { return nil }
        return .tooLarge(what: "value", size: size, limit: maximumRecordSize)
    }

    private func refuse(
        _ items: [StagedWrites.Item],
        _ error: StorageError,
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) {
        let status = WriteStatus(error)
        for item in items {
            guard item.update == nil else {
                results.append(.updated(item.origin, .notTaken(status)))
                giveBack(item.place, deferred: &deferred)
                continue
            }
            results.append(.written(item.origin, status, version: item.version, shadow: .zero))
        }
    }

    /// Refuses the values of a turn and lets its removals have the disk's reserve.
    private func stageRemovals(
        of refused: StagedWrites,
        _ payload: [UInt8],
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) -> StagedWrites? {
        var staged = StagedWrites()
        var values: [StagedWrites.Item] = []
        for item in refused.items {
            let isRemoval =
                item.update?.isRemoval ?? isAbsent(item.record, of: payload.span.bytes, item.mode)
            guard isRemoval else {
                values.append(item)
                continue
            }
            staged.batch.put(
                tree: item.keyspace.rawValue,
                prefix: item.token,
                key: item.key,
                value: item.update?.record ?? Array(payload[item.record.offset..<item.record.end]),
                stamp: item.version.timestamp.rawValue
            )
            staged.items.append(item)
        }
        refuse(values, .diskReserve(limit: 0), results: &results, deferred: &deferred)
        guard !staged.items.isEmpty else { return nil }
        do {
            staged.position = try engine.append(staged.batch, usingReserve: true)
            return staged
        } catch {
            refuse(staged.items, error, results: &results, deferred: &deferred)
            return nil
        }
    }

    /// Whether a record holds nothing that a reader would ever see.
    private func isAbsent(_ record: ByteRange, of bytes: RawSpan, _ mode: RecordMode) -> Bool {
        (try? mode.summary(record, of: bytes))?.absentFrom == 0
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
                if let update = item.update {
                    end(update, of: item, .failed, results: &results, deferred: &deferred)
                    continue
                }
                results.append(
                    .written(item.origin, .failed, version: item.version, shadow: .zero)
                )
            }
            return
        }
        let outcomes = engine.apply(staged.batch, at: position)
        // Lent, not copied: each has several arrays.
        let items = staged.items.span
        for index in items.indices {
            let outcome = outcomes[index]
            if let update = items[index].update {
                let status = WriteStatus(outcome)
                end(update, of: items[index], status, results: &results, deferred: &deferred)
                continue
            }
            let item = items[index]
            var status = WriteStatus.applied
            var shadow = Version.zero
            switch outcome.result {
            case .inserted, .merged:
                break
            case .keptExisting(let existing):
                let version = item.mode.version(of: existing)
                if item.mode == .lww, version > item.version {
                    status = .shadowed
                    shadow = version
                }
            case .treeDropped:
                status = .unknownKeyspace
            case .takenBack:
                status = .failed
            }
            if status == .applied, outcome.needsCheck, item.mode == .lww,
                item.purpose == .foreground
            {
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

    /// Runs a job that may wait for the disk.
    ///
    /// - `next`: gains what has to be run after it.
    /// - Returns: its results, updates' ones for requests of any lane.
    package func run(_ job: DeferredJob, next: inout [DeferredJob]) -> [StorageResult] {
        if case .updates(let waiting) = job.work {
            return update(waiting, of: job, next: &next)
        }
        return perform(job, mayReadDisk: true).map { [$0] } ?? refuse(job)
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
        case .updates:
            nil
        }
    }

    private func read(
        _ job: DeferredJob,
        _ key: [UInt8],
        _ contents: ReadContents,
        mayReadDisk: Bool
    ) -> StorageResult? {
        let mode = readableMode(of: job.keyspace)
        func result(_ status: ReadStatus, _ record: [UInt8]) -> StorageResult {
            let bytes = record.span.bytes
            let range = ByteRange(offset: 0, count: record.count)
            return .read(
                job.origin,
                status,
                contents: contents,
                digest: mode?.digest(range, of: bytes) ?? 0,
                version: mode?.version(of: record) ?? .zero,
                record: contents == .record ? record : []
            )
        }
        guard mode != nil else { return result(.unknown, []) }
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
            let newest = RecordMode.lww.version(of: record)
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
        guard readableMode(of: keyspace) != nil else {
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
