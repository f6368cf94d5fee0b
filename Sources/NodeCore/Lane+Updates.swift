import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import Replication

/// What an open write still needs to know where its keyspace is not lww.
struct OpenUpdate {
    var mode: RecordMode
    /// Whether making it twice comes to the same as making it once.
    var isRepeatable: Bool
    /// What this node's copy is to be asked once the others are read.
    var parked: KeyUpdate?
    /// How often it was stamped.
    var stampCount: UInt8 = 1
    /// Whether it is made on top of nothing where neither this copy nor the others can be read.
    var goesOnBlind = false
    /// How many replicas of the level answered when they were asked.
    var readCount = 0
    /// What the asker is told, once this node's own copy is changed.
    var answer: UpdateAnswer?
}

/// Writes in keyspaces that are not lww.
///
/// One of the key's replicas coordinates: it changes its own copy, durably, and only then sends
/// the others what they are to join with theirs. So no event has a name that its node could give
/// again, and replicas store without reading.
extension Lane {
    /// Coordinates a change of a counter, a set or a map, or hands it to a replica that does.
    mutating func begin(
        _ request: UpdateRequest,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        guard let placement = placement(request.keyspace, key: request.key, sink, into: &effects),
            holds(request.change.kind, placement.keyspace, sink, into: &effects)
        else { return }
        let mode = placement.keyspace.mode
        let change: RecordUpdate =
            switch request.change {
            case .increment(let amount, let id):
                .increment(
                    amount,
                    id: deviation == .noOperationIDs ? [] : id,
                    mode == .growOnlyCounter ? .growOnly : .upAndDown
                )
            case .add(let elements): .add(elements)
            case .remove(let elements): .remove(elements)
            case .change(let field, let change): .change(field: field, change)
            case .removeField(let field): .removeField(field)
            }
        let target = WriteTarget(
            kind: .update,
            placement: placement,
            level: request.level,
            timeout: request.timeout,
            key: request.key,
            context: request.context
        )
        guard let opened = open(update: target, body, bytes, sink, remaining, now, &effects)
        else { return }
        begin(change, opened, at: now, into: &effects)
    }

    /// Coordinates a put or a delete in a keyspace that is not lww.
    mutating func begin(
        _ write: WriteRequest,
        _ kind: ClientKind,
        updating placement: ClusterView.Placement,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        guard write.timestamp == 0 else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "keyspace \(placement.keyspace.name) (mode "
                        + "\(placement.keyspace.mode)) takes no timestamps: its writes are "
                        + "ordered by what they have seen",
                    advice: "Nothing was written. Leave the timestamp out."
                ),
                into: &effects
            )
            return
        }
        let isDeletion = kind == .delete
        guard isDeletion || holds(.value, placement.keyspace, sink, into: &effects),
            let opened = open(
                update: WriteTarget(write, kind, placement),
                body,
                bytes,
                sink,
                remaining,
                now,
                &effects
            )
        else { return }
        guard placement.keyspace.mode == .siblings else {
            begin(.delete, opened, at: now, into: &effects)
            return
        }
        let value = isDeletion ? .empty : write.value
        let valueAt = effects.payload.count
        effects.payload.raw(value, of: bytes)
        let put = SiblingPut(
            key: opened.key,
            write: SiblingWrite(
                version: opened.version,
                isTombstone: isDeletion,
                expiry: isDeletion ? nil : expiry(write, placement.keyspace, now),
                value: ByteRange(offset: valueAt, count: value.count)
            ),
            context: opened.context,
            wall: now.wall
        )
        updates[opened.id] = OpenUpdate(mode: .siblings, isRepeatable: isDeletion)
        changeOwnCopy(opened.id, opened.keyspace, opened.token, .put(put), into: &effects)
    }

    /// Whether the keyspace holds what the verb is for; answers the asker otherwise.
    func holds(
        _ kind: DataKind,
        _ keyspace: Keyspace,
        _ sink: ResponseSink,
        into effects: inout Effects
    ) -> Bool {
        let held = keyspace.mode.dataKind
        if held == kind { return true }
        let (what, verbs) =
            switch held {
            case .value: ("values", "put, get and delete")
            case .counter: ("counters", "counter add, counter get and delete")
            case .set: ("sets", "set add, set remove, set members and delete")
            case .map: ("maps", "map put, map remove, map show and delete")
            }
        fail(
            sink,
            FailureResponse(
                code: .invalid,
                message: "keyspace \(keyspace.name) holds \(what) (mode \(keyspace.mode))",
                advice: "Nothing was done. Use \(verbs)."
            ),
            into: &effects
        )
        return false
    }

    /// An update for which there is a request, and whose change is to be made.
    private struct OpenedUpdate {
        let id: RequestID
        let keyspace: KeyspaceNumber
        let mode: RecordMode
        let token: Token
        let key: [UInt8]
        let context: CausalContext?
        let version: Version
        let replicaCount: Int
    }

    /// Opens a request for an update that can be coordinated here; answers the asker otherwise.
    private mutating func open(
        update target: WriteTarget,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) -> OpenedUpdate? {
        guard let start = start(target, body, bytes, sink, remaining, now, &effects)
        else { return nil }
        guard start.plan.index(of: identity.id) != nil else {
            fail(
                sink,
                FailureResponse(
                    code: .unavailable,
                    message: "\(identity.name) is no replica of "
                        + "\"\(describe(bytes.array(target.key)))\", and can hand the write to "
                        + "none",
                    advice: "Nothing was written. Try again."
                ),
                into: &effects
            )
            return nil
        }
        let keyspace = target.placement.keyspace
        let mode = keyspace.mode.records
        var context: CausalContext?
        if target.context.count > 0 {
            context = decodeContext(
                target.context,
                mode,
                keyspace.number,
                target.key,
                bytes,
                sink,
                &effects
            )
            if context == nil { return nil }
        }
        if deviation == .removalOfEverything { context = nil }
        guard let version = stamp(above: .zero, sink, now, &effects) else { return nil }
        let key = bytes.array(target.key)
        let (id, _) = open(
            start,
            target,
            version,
            .restamp,
            sink,
            holding: key,
            keySize: key.count,
            now,
            &effects
        )
        return OpenedUpdate(
            id: id,
            keyspace: keyspace.number,
            mode: mode,
            token: start.token,
            key: key,
            context: context,
            version: version,
            replicaCount: start.plan.count
        )
    }

    /// Begins a change: with this node's copy, or with those of others where it needs them.
    private mutating func begin(
        _ change: RecordUpdate,
        _ opened: OpenedUpdate,
        at now: Instant,
        into effects: inout Effects
    ) {
        let asked = KeyUpdate(
            key: opened.key,
            change: change,
            context: opened.context,
            version: opened.version,
            wall: now.wall,
            idsFrom: idsFrom(opened.version)
        )
        updates[opened.id] = OpenUpdate(mode: opened.mode, isRepeatable: change.isRepeatable)
        if opened.replicaCount > 1,
            opened.mode.footing(of: change, seen: opened.context) == .copies
        {
            readOthers(for: opened.id, asked, at: now, into: &effects)
        } else {
            changeOwnCopy(
                opened.id,
                opened.keyspace,
                opened.token,
                .update(asked),
                into: &effects
            )
        }
    }

    /// The key of an open write.
    func key(of id: RequestID, _ write: OpenWrite) -> [UInt8] {
        Array(writes.held(id).prefix(write.keySize))
    }

    func changeOwnCopy(
        _ id: RequestID,
        _ keyspace: KeyspaceNumber,
        _ token: Token,
        _ work: StorageJob.Work,
        into effects: inout Effects
    ) {
        effects.jobs.append(
            StorageJob(
                origin: JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                keyspace: keyspace,
                token: token.ordered,
                work: work
            )
        )
    }

    /// Asks this node's own copy once more, under another stamp or on top of what others hold.
    mutating func changeOwnCopy(
        _ id: RequestID,
        _ write: OpenWrite,
        _ asked: KeyUpdate,
        over base: [UInt8]?,
        at now: Instant,
        into effects: inout Effects
    ) {
        let again = KeyUpdate(
            key: asked.key,
            change: asked.change,
            context: asked.context,
            version: write.core.version,
            wall: now.wall,
            base: base,
            idsFrom: idsFrom(write.core.version)
        )
        changeOwnCopy(
            id,
            write.keyspace,
            Token(ofKey: asked.key),
            .update(again),
            into: &effects
        )
    }
}

extension ConflictMode {
    /// What the keys of such a keyspace hold.
    var dataKind: DataKind {
        switch self {
        case .lww, .siblings: .value
        case .counter, .growOnlyCounter: .counter
        case .set, .lastWriterSet: .set
        case .map: .map
        }
    }
}
