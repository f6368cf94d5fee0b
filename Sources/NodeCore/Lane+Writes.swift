import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

extension Lane {
    /// Coordinates a write, or hands it to a replica that does.
    mutating func begin(
        _ write: WriteRequest,
        _ kind: ClientKind,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        guard let placement = placement(write.keyspace, key: write.key, sink, into: &effects)
        else { return }
        guard write.value.count <= settings.maximumValueSize else {
            fail(
                sink,
                FailureResponse(
                    code: .tooLarge,
                    message: "a value has at most \(settings.maximumValueSize) bytes here, this "
                        + "one has \(write.value.count)",
                    advice: "Nothing was written. Raise maximum_value_size, or split the value."
                ),
                into: &effects
            )
            return
        }
        let keyspace = placement.keyspace
        guard keyspace.mode == .lww else {
            begin(write, kind, updating: placement, body, bytes, sink, remaining, now, &effects)
            return
        }
        let target = WriteTarget(write, kind, placement)
        guard let start = start(target, body, bytes, sink, remaining, now, &effects),
            let version = stamp(write, bytes, sink, now, &effects)
        else { return }
        let expiry = kind == .put ? expiry(write, keyspace, now) : nil
        var held = ByteWriter(capacity: write.key.count + write.value.count + 24)
        held.raw(write.key, of: bytes)
        held.recordHeader(version: version, isTombstone: kind == .delete, expiry: expiry)
        if kind == .put { held.raw(write.value, of: bytes) }
        // A stamp that the client chose is not exchanged for another.
        let conflict = write.timestamp > 0 ? .fail : write.conflict
        let keySize = write.key.count
        var (id, opened) = open(
            start,
            target,
            version,
            conflict,
            sink,
            holding: held.bytes,
            keySize: keySize,
            now,
            &effects
        )
        dispatch(
            id,
            &opened,
            key: held.bytes.span.bytes.extracting(0..<keySize),
            record: held.bytes.span.bytes.extracting(keySize..<held.count),
            usable: start.usable,
            at: now,
            into: &effects
        )
    }

    /// When a value that is put now expires; nil for never.
    func expiry(_ write: WriteRequest, _ keyspace: Keyspace, _ now: Instant) -> WallClockTime? {
        let lifetime =
            write.lifetime == 0 ? keyspace.defaultTimeToLiveMilliseconds : write.lifetime
        guard lifetime > 0 else { return nil }
        let (sum, overflow) = now.wall.milliseconds.addingReportingOverflow(lifetime)
        return WallClockTime(milliseconds: overflow ? .max : sum)
    }

    /// Sends a write to all replicas that are usable: directly in this datacenter, through one
    /// relay in each other.
    ///
    /// The request is noted with whom it was sent to.
    mutating func dispatch(
        _ id: RequestID,
        _ write: inout OpenWrite,
        key: RawSpan,
        record: RawSpan,
        usable: ReplicaBits,
        at now: Instant,
        into effects: inout Effects
    ) {
        let plan = write.core.plan
        write.relays = ReplicaBits()
        write.relayed = ReplicaBits()
        for datacenter in 0..<view.topology.datacenters.count {
            let datacenterID = DatacenterID(UInt8(datacenter))
            let members = plan.replicas(in: datacenterID).intersection(usable)
            var relay: Int?
            var list = PeerWrite.NodeList()
            for index in 0..<plan.count where members.contains(index) {
                write.core.contact(index)
                if plan[index] == identity.id {
                    storeLocally(id, write, key: key, record: record, into: &effects)
                } else if datacenterID == view.localDatacenter {
                    let list = PeerWrite.NodeList()
                    sendWrite(id, write, key, record, to: plan[index], list, &effects)
                } else if relay == nil {
                    relay = index
                } else {
                    list.append(plan[index])
                    write.relayed.insert(index)
                }
            }
            if let relay {
                write.relays.insert(relay)
                sendWrite(id, write, key, record, to: plan[relay], list, &effects)
            }
        }
        if !write.relayed.isEmpty {
            wheel.insert(
                id,
                .patience,
                due: now.monotonic + settings.relayDelay,
                now: now.monotonic
            )
        }
        writes[id] = write
    }

    private func storeLocally(
        _ id: RequestID,
        _ write: OpenWrite,
        key: RawSpan,
        record: RawSpan,
        into effects: inout Effects
    ) {
        appendWrite(
            JobOrigin(route: .request, target: 0, correlation: id.rawValue),
            write.keyspace,
            key: key,
            record: record,
            version: write.core.version,
            .foreground,
            into: &effects
        )
    }

    private func sendWrite(
        _ id: RequestID,
        _ write: OpenWrite,
        _ key: RawSpan,
        _ record: RawSpan,
        to node: NodeID,
        _ relays: PeerWrite.NodeList,
        _ effects: inout Effects
    ) {
        send(.write, to: node, id.rawValue, into: &effects) {
            PeerWrite.encode(
                keyspace: write.keyspace,
                purpose: write.purpose,
                origin: identity.id,
                relays: relays,
                key: key,
                record: record,
                into: &$0
            )
        }
    }

    /// A replica's answer to a write or to a repair.
    mutating func acknowledged(
        _ id: RequestID,
        by node: NodeID,
        _ reply: PeerWriteReply,
        at now: Instant,
        into effects: inout Effects
    ) {
        switch RequestTable<OpenWrite>.kind(of: id) {
        case Kind.read:
            repairAcknowledged(read: id, by: node, reply.status, at: now, into: &effects)
            return
        case Kind.scan:
            repairAcknowledged(scan: id, by: node, into: &effects)
            return
        default:
            break
        }
        guard var write = writes[id], let index = write.core.plan.index(of: node) else { return }
        // What joins is behind nothing, and an update is not stamped anew once it is sent.
        guard reply.status != .shadowed || !write.isUpdate else {
            effects.notices.append(.malformedFrame(from: node, reason: "an update in the shadow"))
            return
        }
        guard
            write.core.receive(
                reply.status,
                version: reply.version,
                shadow: reply.shadow,
                from: index
            )
        else { return }
        writes[id] = write
        trace(id, since: write.startedAt, at: now, node, "acknowledged", "\(reply.status)")
        settle(id, write, at: now, into: &effects)
    }

    /// Does what the answers so far ask for.
    mutating func settle(
        _ id: RequestID,
        _ write: OpenWrite,
        at now: Instant,
        into effects: inout Effects
    ) {
        switch write.core.verdict {
        case .waiting:
            return
        case .reached:
            respond(id, write, .no, at: now, into: &effects)
        case .shadowed(let winner):
            if write.core.isRestamped || write.conflict == .fail {
                respond(id, write, .lost, winner: winner, at: now, into: &effects)
            } else {
                restamp(id, above: winner, at: now, into: &effects)
            }
        case .impossible(let isRefused):
            finish(failed: id, write, isRefused: isRefused, at: now, into: &effects)
        }
    }

    /// Tells the asker that the level is reached, or that its write lost.
    ///
    /// `acknowledged`: how many replicas say so, where that is not what the write's core counts.
    mutating func respond(
        _ id: RequestID,
        _ write: OpenWrite,
        _ outcome: WrittenResponse.Shadowed,
        winner: Version = .zero,
        acknowledged: Int? = nil,
        at now: Instant,
        into effects: inout Effects
    ) {
        let shadowed: WrittenResponse.Shadowed =
            outcome == .no && write.core.isRestamped ? .restamped : outcome
        let update = write.isUpdate ? updates[id].take()?.answer : nil
        let key = writes.held(id).span.bytes.extracting(0..<write.keySize)
        let context = update?.context ?? CausalContext(version: max(write.core.version, winner))
        let counted = write.core.acknowledged.union(write.core.shadowed)
        let response = WrittenResponse(
            version: write.core.version,
            winner: winner,
            context: token(context, write.keyspace, key),
            level: write.level,
            coordinator: identity.id,
            acknowledged: UInt8(clamping: acknowledged ?? write.core.rule.counted(counted)),
            required: UInt8(write.core.rule.required),
            shadowed: shadowed,
            siblings: UInt16(clamping: update?.siblings ?? 0),
            sum: update?.sum ?? 0,
            trace: traces[id] ?? []
        )
        respond(to: write.sink, .written, into: &effects) { response.encode(into: &$0) }
        forget(write: id)
    }

    /// Begins anew with a stamp above what was in the way.
    private mutating func restamp(
        _ id: RequestID,
        above winner: Version,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var write = writes[id] else { return }
        let version: Version
        switch stamp(above: winner, now) {
        case .success(let stamped):
            version = stamped
        case .failure(let refusal):
            // The first stamp is on some replicas already, behind what was in its way.
            var failure = refusal.response
            failure.written = .unknown
            failure.advice =
                "Some replicas hold the write, hidden by the newer version. Check "
                + "the clocks of the nodes, and write it again."
            failure.trace = traces[id] ?? []
            fail(write.sink, failure, into: &effects)
            forget(write: id)
            return
        }
        let detail = describe(version)
        trace(id, since: write.startedAt, at: now, identity.id, "restamped", detail)
        write.core.restamp(version)
        var held = ByteWriter()
        held.bytes = Array(writes.held(id).prefix(write.keySize))
        let rest = writes.held(id).dropFirst(write.keySize + Version.size)
        held.version(version)
        held.bytes.append(contentsOf: rest)
        writes.hold(held.bytes, for: id)
        let usable = usable(in: write.core.plan)
        dispatch(
            id,
            &write,
            key: held.bytes.span.bytes.extracting(0..<write.keySize),
            record: held.bytes.span.bytes.extracting(write.keySize..<held.count),
            usable: usable,
            at: now,
            into: &effects
        )
        settle(id, write, at: now, into: &effects)
    }

    mutating func finish(
        failed id: RequestID,
        _ write: OpenWrite,
        isRefused: Bool,
        at now: Instant,
        into effects: inout Effects
    ) {
        let key = self.key(of: id, write)
        var failure = unfinished(
            write,
            key: key,
            isRefused: isRefused,
            isRepeatable: updates[id]?.isRepeatable ?? true,
            isUpdate: write.isUpdate
        )
        failure.trace = traces[id] ?? []
        fail(write.sink, failure, into: &effects)
        forget(write: id)
    }

    /// Closes a write; late acknowledgements find nothing.
    mutating func forget(write id: RequestID) {
        if let write = writes.remove(id), write.isUpdate { updates.remove(id) }
        if !traces.isEmpty { traces[id] = nil }
    }

    mutating func expire(write id: RequestID, at now: Instant, into effects: inout Effects) {
        guard let write = writes[id] else { return }
        finish(failed: id, write, isRefused: false, at: now, into: &effects)
    }

    /// A replica will not answer; where it was a relay, the others of its datacenter are asked
    /// directly.
    mutating func lose(
        _ node: NodeID,
        write id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var write = writes[id], let index = write.core.plan.index(of: node) else { return }
        guard write.core.pending.contains(index) else { return }
        write.core.lose(index)
        writes[id] = write
        trace(id, since: write.startedAt, at: now, node, "lost", "the link broke")
        if write.relays.contains(index) { bypassRelays(of: id, at: now, into: &effects) }
        if let write = writes[id] { settle(id, write, at: now, into: &effects) }
    }

    /// Sends to those whose relay has been silent for too long.
    mutating func bypassRelays(
        of id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var write = writes[id] else { return }
        let held = writes.held(id)
        let key = held.span.bytes.extracting(0..<write.keySize)
        let record = held.span.bytes.extracting(write.keySize..<held.count)
        let plan = write.core.plan
        for index in 0..<plan.count
        where write.relayed.contains(index) && write.core.pending.contains(index) {
            if isUsable(plan[index]) {
                write.core.contactAgain(index)
                let list = PeerWrite.NodeList()
                sendWrite(id, write, key, record, to: plan[index], list, &effects)
            }
        }
        write.relayed = ReplicaBits()
        writes[id] = write
    }
}
