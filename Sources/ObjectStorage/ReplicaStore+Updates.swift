import ByteCoding
import Causality
import ClusterPrimitives
import Replication
import StorageEngine

/// Updates: a copy is read, changed and written back, one update of a key at a time.
///
/// The key stays taken from the read until the new copy can be read, on whichever lane or thread
/// that happens. The first update of a key goes with its turn's writes; those that come meanwhile
/// are made together, by a thread that may wait for the disk, as soon as it has ended.
extension ReplicaStore {
    /// Begins an update, or lets it wait for another one of its key.
    func stage(
        _ update: KeyUpdate,
        of job: StorageJob,
        in staged: inout StagedWrites,
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) {
        let asked = AskedUpdate(
            key: update.key,
            version: update.version,
            base: update.base,
            isRemoval: update.change.isRemoval
        )
        stage(asked, of: job, in: &staged, results: &results, deferred: &deferred) {
            update
        } _: { mode, copy in
            mode.apply(
                update.change,
                seen: update.context,
                to: copy,
                terms(update.version, update.wall, update.idsFrom)
            )
        }
    }

    /// Begins a put of siblings, whose value lies in `payload`.
    func stage(
        _ put: SiblingPut,
        _ payload: RawSpan,
        of job: StorageJob,
        in staged: inout StagedWrites,
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) {
        let asked = AskedUpdate(
            key: put.key,
            version: put.write.version,
            base: nil,
            isRemoval: put.write.isTombstone
        )
        stage(asked, of: job, in: &staged, results: &results, deferred: &deferred) {
            put.update(of: payload)
        } _: { mode, copy in
            guard mode == .siblings else { return .refused(.unreadable) }
            return RecordMode.put(
                put.write,
                of: payload,
                seen: put.context,
                to: copy,
                terms(put.write.version, put.wall)
            )
        }
    }

    /// What has to be known of an update apart from how it is made.
    private struct AskedUpdate {
        let key: [UInt8]
        let version: Version
        let base: [UInt8]?
        let isRemoval: Bool
    }

    /// - `kept`: the update, to be kept where it cannot be made at once.
    /// - `made`: makes it.
    private func stage(
        _ asked: AskedUpdate,
        of job: StorageJob,
        in staged: inout StagedWrites,
        results: inout [StorageResult],
        deferred: inout [DeferredJob],
        _ kept: () -> KeyUpdate,
        _ made: (RecordMode, _ copy: [UInt8]) -> UpdateOutcome
    ) {
        guard let mode = mode(of: job.keyspace) else {
            results.append(.updated(job.origin, .notTaken(.unknownKeyspace)))
            return
        }
        let place = KeyQueues.Place(keyspace: job.keyspace, token: job.token, key: asked.key)
        guard queues.take(place, for: job.origin, kept()) else { return }
        switch copy(at: place, mode, base: asked.base, mayReadDisk: false) {
        case .needsDisk:
            deferred.append(
                DeferredJob(
                    origin: job.origin,
                    keyspace: job.keyspace,
                    token: job.token,
                    work: .updates([KeyQueues.Waiting(origin: job.origin, update: kept())])
                )
            )
        case .unknown:
            results.append(.updated(job.origin, .unreadable(kept())))
            giveBack(place, deferred: &deferred)
        case .known(let copy, let basis):
            let outcome = made(mode, copy)
            guard case .changed(let record, let answer) = outcome else {
                results.append(.updated(job.origin, Self.result(outcome, of: kept(), copy: copy)))
                giveBack(place, deferred: &deferred)
                return
            }
            // What the others hold comes along, since the change was made on top of it.
            let whole = asked.base.map { mode.joined($0, record) } ?? record
            if let error = oversize(whole.count) {
                results.append(.updated(job.origin, .notTaken(WriteStatus(error))))
                giveBack(place, deferred: &deferred)
                return
            }
            let range = staged.batch.put(
                tree: job.keyspace.rawValue,
                prefix: job.token,
                key: asked.key,
                value: whole,
                // The change is newer than all that the copy holds.
                stamp: asked.version.timestamp.rawValue,
                // Siblings are written whole, the others as what is new.
                basis: mode == .siblings ? basis : .none
            )
            staged.add(
                StagedWrites.Item(
                    origin: job.origin,
                    version: asked.version,
                    purpose: .foreground,
                    keyspace: job.keyspace,
                    mode: mode,
                    token: job.token,
                    key: asked.key,
                    record: range,
                    update: StagedWrites.Update(answer: answer, isRemoval: asked.isRemoval)
                )
            )
        }
    }

    /// Makes updates of one key, one after another, and has them synced together.
    func update(
        _ waiting: [KeyQueues.Waiting],
        of job: DeferredJob,
        next: inout [DeferredJob]
    ) -> [StorageResult] {
        guard let first = waiting.first else { return [] }
        let place = KeyQueues.Place(
            keyspace: job.keyspace,
            token: job.token,
            key: first.update.key
        )
        defer { giveBack(place, deferred: &next) }
        guard let mode = mode(of: job.keyspace) else {
            return waiting.map { .updated($0.origin, .notTaken(.unknownKeyspace)) }
        }
        var unreadable: [StorageResult] = []
        // What was not changed may rest on a change that is not durable yet.
        var changes: [StorageResult] = []
        var written: [UInt8] = []
        var onlyRemoves = true
        var copy = copy(at: place, mode, base: nil, mayReadDisk: true)
        for waiting in waiting {
            let update = waiting.update
            if let base = update.base {
                // What this one was told of the others, the next ones know, too.
                if case .known(let known, _) = copy {
                    copy = .known(mode.joined(known, base), .none)
                } else {
                    copy = self.copy(at: place, mode, base: base, mayReadDisk: true)
                }
            }
            guard case .known(let known, _) = copy else {
                unreadable.append(.updated(waiting.origin, .unreadable(update)))
                continue
            }
            let outcome = mode.apply(
                update.change,
                seen: update.context,
                to: known,
                terms(update.version, update.wall, update.idsFrom)
            )
            guard case .changed(let record, let answer) = outcome else {
                let result = Self.result(outcome, of: update, copy: known)
                changes.append(.updated(waiting.origin, result))
                continue
            }
            let kept = update.base.map { mode.joined($0, record) } ?? record
            let all = mode.joined(written, kept)
            if let error = oversize(all.count) {
                changes.append(.updated(waiting.origin, .notTaken(WriteStatus(error))))
                continue
            }
            written = all
            copy = .known(mode.joined(known, kept), .none)
            onlyRemoves = onlyRemoves && update.change.isRemoval
            changes.append(.updated(waiting.origin, .applied(record: kept[...], answer)))
        }
        guard !written.isEmpty else { return unreadable + changes }
        let status = write(written, at: place, mode, usingReserve: onlyRemoves)
        guard status != .applied else { return unreadable + changes }
        return unreadable + changes.map { .updated($0.origin, .notTaken(status)) }
    }

    /// Writes a record, syncs it and makes it readable.
    private func write(
        _ record: [UInt8],
        at place: KeyQueues.Place,
        _ mode: RecordMode,
        usingReserve: Bool
    ) -> WriteStatus {
        var batch = WriteBatch()
        batch.put(
            tree: place.keyspace.rawValue,
            prefix: place.token,
            key: place.key,
            value: record,
            stamp: mode.version(of: record).timestamp.rawValue
        )
        let position: AppendedPosition
        do {
            position = try engine.append(batch, usingReserve: usingReserve)
        } catch {
            return WriteStatus(error)
        }
        do {
            _ = try engine.sync()
        } catch {
            engine.abandon(batch, at: position)
            renewActor()
            return .failed
        }
        guard let outcome = engine.apply(batch, at: position).first else { return .failed }
        let status = WriteStatus(outcome)
        if status == .failed { renewActor() }
        return status
    }

    /// Ends an update whose record is durable, or is not known to be.
    func end(
        update index: Int,
        of staged: borrowing StagedWrites,
        _ status: WriteStatus,
        results: inout [StorageResult],
        deferred: inout [DeferredJob]
    ) {
        // Lent, not copied: it has several arrays.
        let items = staged.items.span
        let origin = items[index].origin
        if status == .applied, let answer = items[index].update?.answer {
            let range = items[index].record
            let record = staged.batch.bytes[range.offset..<range.end]
            results.append(.updated(origin, .applied(record: record, answer)))
        } else {
            // After a restart the record may be there, and its dot with it.
            if status == .failed { renewActor() }
            results.append(.updated(origin, .notTaken(status)))
        }
        giveBack(items[index].place, deferred: &deferred)
    }

    /// Lets the next updates of a key have it.
    func giveBack(_ place: KeyQueues.Place, deferred: inout [DeferredJob]) {
        let waiting = queues.next(place)
        guard let first = waiting.first else { return }
        deferred.append(
            DeferredJob(
                origin: first.origin,
                keyspace: place.keyspace,
                token: place.token,
                work: .updates(waiting)
            )
        )
    }

    /// What this node holds of a key, joined with what it was told of the others.
    private enum Copy {
        case known([UInt8], ReadBasis)
        case unknown
        case needsDisk
    }

    private func copy(
        at place: KeyQueues.Place,
        _ mode: RecordMode,
        base: [UInt8]?,
        mayReadDisk: Bool
    ) -> Copy {
        // A copy that is not trusted lacks something, but what it has counts: what this node
        // minted lately is nowhere else yet.
        guard base != nil || !isUnknown else { return .unknown }
        do {
            let (found, basis) = try engine.getWithBasis(
                tree: place.keyspace.rawValue,
                prefix: place.token,
                key: place.key,
                disk: mayReadDisk ? .allowed : .forbidden
            )
            switch found {
            case .absent: return .known(base ?? [], basis)
            case .found(let record, _):
                return .known(base.map { mode.joined($0, record) } ?? record, basis)
            case .needsDisk: return .needsDisk
            }
        } catch {
            guard mayReadDisk else { return .needsDisk }
            let salvaged = try? engine.salvage(
                tree: place.keyspace.rawValue,
                prefix: place.token,
                key: place.key
            )
            // What the present actor minted for the key may be among what cannot be read.
            minter.renew(meeting: salvaged?.damage ?? [error])
            guard let base else { return .unknown }
            return .known(salvaged?.value.map { mode.joined(base, $0) } ?? base, .none)
        }
    }

    private func terms(
        _ version: Version,
        _ wall: WallClockTime,
        _ idsFrom: HybridTimestamp = .zero
    ) -> UpdateTerms {
        let minting = minter.minting
        return UpdateTerms(
            version: version,
            actor: minting.actor,
            wall: wall,
            maximumSize: Limits.maximumRecordSize,
            earlier: minting.earlier,
            idsFrom: idsFrom
        )
    }

    private static func result(
        _ outcome: UpdateOutcome,
        of update: KeyUpdate,
        copy: [UInt8]
    ) -> UpdateResult {
        switch outcome {
        case .changed(let record, let answer): .applied(record: record[...], answer)
        case .unchanged(let answer): .unchanged(update, record: copy, answer)
        case .refused(let refusal): .refused(update, refusal, record: copy)
        }
    }
}

extension WriteStatus {
    /// What an engine's refusal of a write means.
    init(_ error: StorageError) {
        self =
            switch error {
            case .overloaded, .tooLarge: .overloaded
            case .diskFull, .diskReserve: .noRoom
            case .unknownTree: .unknownKeyspace
            default: .failed
            }
    }

    /// What became of a durable update.
    init(_ outcome: ApplyOutcome) {
        self =
            switch outcome.result {
            case .inserted, .merged, .keptExisting: .applied
            case .treeDropped: .unknownKeyspace
            case .takenBack: .failed
            }
    }
}
