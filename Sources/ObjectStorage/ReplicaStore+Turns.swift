import ByteCoding
import Causality
import ClusterPrimitives
package import Replication
import StorageEngine

/// The jobs of one turn of a lane.
extension ReplicaStore {
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
            /// Where the record lies: in the payload of its turn, an update's in the batch.
            var record: ByteRange
            /// What an update came to; nil for a write.
            var update: Update?

            /// The place of an update's key, which is taken.
            @inline(__always) var place: KeyQueues.Place {
                KeyQueues.Place(keyspace: keyspace, token: token, key: key)
            }
        }

        /// What is known of an update whose record is not durable yet.
        struct Update: Sendable {
            /// What its asker is told then.
            var answer: UpdateAnswer
            var isRemoval: Bool
        }

        var batch = WriteBatch()
        var position: AppendedPosition?
        private(set) var items: [Item] = []
        private let limit: Int
        /// Room that is taken at once; a turn's reads have no part in it.
        private static let usualCount = 256

        /// Room for so many.
        init(limit: Int) { self.limit = limit }

        /// How many writes there are.
        package var count: Int { items.count }

        mutating func add(_ item: Item) {
            if items.isEmpty { items.reserveCapacity(min(limit, Self.usualCount)) }
            items.append(item)
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
        var staged = StagedWrites(limit: jobs.count)
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
                staged.add(
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
            case .put(let put):
                let lent = payload.span.bytes
                stage(put, lent, of: job, in: &staged, results: &results, deferred: &deferred)
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
        var staged = StagedWrites(limit: refused.count)
        var values: [StagedWrites.Item] = []
        for var item in refused.items {
            let isRemoval =
                item.update?.isRemoval ?? isAbsent(item.record, of: payload.span.bytes, item.mode)
            guard isRemoval else {
                values.append(item)
                continue
            }
            let source = item.update == nil ? payload : refused.batch.bytes
            let range = staged.batch.put(
                tree: item.keyspace.rawValue,
                prefix: item.token,
                key: item.key,
                value: Array(source[item.record.offset..<item.record.end]),
                stamp: item.version.timestamp.rawValue
            )
            if item.update != nil { item.record = range }
            staged.add(item)
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
            for (index, item) in staged.items.enumerated() {
                if item.update != nil {
                    end(update: index, of: staged, .failed, results: &results, deferred: &deferred)
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
            if items[index].update != nil {
                let status = WriteStatus(outcome)
                end(update: index, of: staged, status, results: &results, deferred: &deferred)
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
}
