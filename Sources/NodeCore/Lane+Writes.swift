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
        let level = write.level ?? keyspace.writeConsistency
        let plan = ReplicaPlan(
            placement.ring.replicas(for: Token(ofKey: bytes, write.key)),
            view: view
        )
        guard var rule = rule(level, plan, keyspace, sink, into: &effects) else { return }
        if deviation == .oneAcknowledgementLess { rule = rule.weakened() }
        let deadline = deadline(write.timeout, remaining, now)
        if forward(
            kind,
            body,
            of: bytes,
            plan: plan,
            sink: sink,
            deadline: deadline,
            mayLeave: !level.isLocal && isClockOff(at: now),
            at: now,
            into: &effects
        ) {
            return
        }
        let usable = usable(in: plan)
        guard rule.isMet(by: usable) else {
            fail(
                sink,
                unavailable(.write, level, rule, plan, usable, key: bytes.array(write.key)),
                into: &effects
            )
            return
        }
        if refusesToStamp(sink, at: now, into: &effects) { return }
        guard
            let version = stamp(write, bytes, sink, now, &effects)
        else { return }
        let expiry = kind == .put ? expiry(write, keyspace, now) : nil
        var held = ByteWriter(capacity: write.key.count + write.value.count + 24)
        held.raw(write.key, of: bytes)
        held.recordHeader(version: version, isTombstone: kind == .delete, expiry: expiry)
        if kind == .put { held.raw(write.value, of: bytes) }
        let open = OpenWrite(
            core: WriteCoordination(plan: plan, rule: rule, version: version),
            sink: sink,
            keyspace: write.keyspace,
            level: level,
            // A stamp that the client chose is not exchanged for another.
            conflict: write.timestamp > 0 ? .fail : write.conflict,
            startedAt: now.monotonic,
            deadline: deadline,
            keySize: write.key.count
        )
        let id = writes.insert(open, holding: held.bytes)
        wheel.insert(id, .deadline, due: deadline, now: now.monotonic)
        if sink.isTraced {
            traces[id] = []
            let detail = describe(level, rule, plan, usable, keyspace)
            trace(id, since: now.monotonic, at: now, identity.id, "plan", detail)
        }
        dispatch(id, usable: usable, at: now, into: &effects)
    }

    /// When a value that is put now expires; nil for never.
    func expiry(_ write: WriteRequest, _ keyspace: Keyspace, _ now: Instant) -> WallClockTime? {
        let lifetime =
            write.lifetime == 0 ? keyspace.defaultTimeToLiveMilliseconds : write.lifetime
        guard lifetime > 0 else { return nil }
        let (sum, overflow) = now.wall.milliseconds.addingReportingOverflow(lifetime)
        return WallClockTime(milliseconds: overflow ? .max : sum)
    }

    /// The write's version: above all this lane has seen, and above its context; answers the
    /// asker where there is none.
    private mutating func stamp(
        _ write: WriteRequest,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        var seen = Version.zero
        if write.context.count > 0 {
            let context = decodeContext(
                write.context,
                .lww,
                write.keyspace,
                write.key,
                bytes,
                sink,
                &effects
            )
            guard let context else { return nil }
            seen = context.version
        }
        guard write.timestamp > 0 else { return stamp(above: seen, sink, now, &effects) }
        return stamp(of: write, sink, now, &effects)
    }

    /// The version that the client asked for, where that is near this node's clock; answers the
    /// asker otherwise.
    ///
    /// It moves no clock, and may lie below what the key holds.
    private mutating func stamp(
        of write: WriteRequest,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        let wall = WallClockTime(milliseconds: write.timestamp)
        let distance = max(wall, now.wall).milliseconds - min(wall, now.wall).milliseconds
        guard distance <= UInt64(HybridClock.maximumOffset.wholeMilliseconds) else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "the timestamp \(wall) is \(distance) ms away from "
                        + "\(identity.name)'s clock, the most is 500 ms",
                    advice: "Nothing was written. Leave the timestamp out, or set the clock of "
                        + "the client."
                ),
                into: &effects
            )
            return nil
        }
        // The upper half of the counters, which a clock of its own hardly reaches.
        clientStamps = clientStamps &+ 1
        let timestamp = HybridTimestamp(wall: wall, counter: clientStamps | 0x8000)
        return Version(timestamp: timestamp, node: identity.id, lane: number)
    }

    /// A context that a client sent; answers the asker where it is none of the key.
    func decodeContext(
        _ context: ByteRange,
        _ mode: RecordMode,
        _ keyspace: KeyspaceNumber,
        _ key: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ effects: inout Effects
    ) -> CausalContext? {
        let decoded = contexts.decode(
            context,
            of: bytes,
            mode: mode,
            keyspace: keyspace,
            key: bytes.extracting(key.offset..<key.end)
        )
        if decoded == nil {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "the context is malformed, or belongs to another key, keyspace "
                        + "or cluster",
                    advice: "Nothing was written. Use the context that a read of this key "
                        + "returned."
                ),
                into: &effects
            )
        }
        return decoded
    }

    /// A new version above `seen`; answers the asker where there is none.
    mutating func stamp(
        above seen: Version,
        _ sink: ResponseSink,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Version? {
        switch stamp(above: seen, now) {
        case .success(let version): return version
        case .failure(let refusal):
            fail(sink, refusal.response, into: &effects)
            return nil
        }
    }

    /// Why a write cannot be stamped.
    private struct StampRefusal: Error {
        var response: FailureResponse
    }

    /// A new version; nil where there is none now.
    mutating func stamp(at now: Instant) -> Version? {
        if case .success(let version) = stamp(above: .zero, now) { version } else { nil }
    }

    /// A new version above `seen`, or why there is none.
    private mutating func stamp(
        above seen: Version,
        _ now: Instant
    ) -> Result<Version, StampRefusal> {
        guard clock.believes(seen.timestamp, at: now.wall) else {
            let response = FailureResponse(
                code: .conflict,
                message: "the key's version \(describe(seen)) lies more than 500 ms ahead of "
                    + "\(view.name(of: identity.id))'s clock",
                advice: "Nothing was written. Check the clocks of the nodes, and try again."
            )
            return .failure(StampRefusal(response: response))
        }
        clock.merge(seen.timestamp, at: now.wall)
        guard let timestamp = clock.now(at: now.wall) else {
            let response = FailureResponse(
                code: .overloaded,
                message: "\(view.name(of: identity.id)) cannot stamp a write: its clock's bound "
                    + "is not on disk yet",
                advice: "Nothing was written. Try again."
            )
            return .failure(StampRefusal(response: response))
        }
        return .success(Version(timestamp: timestamp, node: identity.id, lane: number))
    }

    /// Sends a write to all replicas that are usable: directly in this datacenter, through one
    /// relay in each other.
    mutating func dispatch(
        _ id: RequestID,
        usable: ReplicaBits,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var write = writes[id] else { return }
        let held = writes.held(id)
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
                    storeLocally(id, write, held, into: &effects)
                } else if datacenterID == view.localDatacenter {
                    sendWrite(id, write, held, to: plan[index], PeerWrite.NodeList(), &effects)
                } else if relay == nil {
                    relay = index
                } else {
                    list.append(plan[index])
                    write.relayed.insert(index)
                }
            }
            if let relay {
                write.relays.insert(relay)
                sendWrite(id, write, held, to: plan[relay], list, &effects)
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
        _ held: [UInt8],
        into effects: inout Effects
    ) {
        appendWrite(
            JobOrigin(route: .request, target: 0, correlation: id.rawValue),
            write.keyspace,
            key: ByteRange(offset: 0, count: write.keySize),
            record: ByteRange(offset: write.keySize, count: held.count - write.keySize),
            version: write.core.version,
            .foreground,
            of: held.span.bytes,
            into: &effects
        )
    }

    private func sendWrite(
        _ id: RequestID,
        _ write: OpenWrite,
        _ held: [UInt8],
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
                key: ByteRange(offset: 0, count: write.keySize),
                record: ByteRange(offset: write.keySize, count: held.count - write.keySize),
                of: held.span.bytes,
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
        settle(id, at: now, into: &effects)
    }

    /// Does what the answers so far ask for.
    mutating func settle(
        _ id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let write = writes[id] else { return }
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
        let key = self.key(of: id, write)
        let update = updates[id]?.answer
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
        writes[id] = write
        let usable = usable(in: write.core.plan)
        dispatch(id, usable: usable, at: now, into: &effects)
        settle(id, at: now, into: &effects)
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
            isRepeatable: updates[id]?.change.isRepeatable ?? true,
            isUpdate: updates[id] != nil
        )
        failure.trace = traces[id] ?? []
        fail(write.sink, failure, into: &effects)
        forget(write: id)
    }

    /// Closes a write; late acknowledgements find nothing.
    mutating func forget(write id: RequestID) {
        writes.remove(id)
        updates[id] = nil
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
        settle(id, at: now, into: &effects)
    }

    /// Sends to those whose relay has been silent for too long.
    mutating func bypassRelays(
        of id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var write = writes[id] else { return }
        let held = writes.held(id)
        let plan = write.core.plan
        for index in 0..<plan.count
        where write.relayed.contains(index) && write.core.pending.contains(index) {
            if isUsable(plan[index]) {
                write.core.contactAgain(index)
                sendWrite(id, write, held, to: plan[index], PeerWrite.NodeList(), &effects)
            }
        }
        write.relayed = ReplicaBits()
        writes[id] = write
    }
}
