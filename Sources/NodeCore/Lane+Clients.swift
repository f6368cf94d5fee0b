package import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

extension Lane {
    /// A whole frame from a client, behind its hello.
    ///
    /// `isAdmin` says whether the client's certificate is an admin's.
    package mutating func receiveClient(
        _ header: Frame.Header,
        body: ByteRange,
        of bytes: RawSpan,
        from connection: ConnectionID,
        isAdmin: Bool,
        at now: Instant,
        into effects: inout Effects
    ) {
        let sink = ResponseSink(
            asker: .client,
            connection: connection,
            correlation: header.correlation,
            isTraced: header.flags & 1 != 0
        )
        guard let kind = ClientKind(rawValue: header.kind) else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "this node knows no request of kind \(header.kind)",
                    advice: "Use a client of this version or older."
                ),
                into: &effects
            )
            return
        }
        if header.epoch > view.topology.epoch,
            park(.client(connection, isAdmin: isAdmin), header, body, bytes, now, &effects)
        {
            return
        }
        switch kind {
        case .get, .put, .delete, .scan, .update:
            request(kind, body, of: bytes, sink: sink, remaining: nil, at: now, into: &effects)
        case .describe:
            control(.describe, sink, into: &effects)
        case .status:
            control(.status, sink, into: &effects)
        case .createKeyspace, .dropKeyspace, .fault, .upkeep:
            guard isAdmin else {
                fail(
                    sink,
                    FailureResponse(
                        code: .forbidden,
                        message: "\(kind) requests need an admin's certificate",
                        advice: "Make one with: starling cert create-client NAME --admin"
                    ),
                    into: &effects
                )
                return
            }
            let copy = bytes.array(body)
            switch kind {
            case .createKeyspace: control(.createKeyspace(copy), sink, into: &effects)
            case .dropKeyspace: control(.dropKeyspace(copy), sink, into: &effects)
            case .upkeep: control(.upkeep(copy), sink, into: &effects)
            default: control(.fault(copy), sink, into: &effects)
            }
        case .hello, .helloReply, .value, .written, .page, .topology, .statusReport, .done,
            .upkeepReport, .failure:
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "a frame of kind \(kind) is no request",
                    advice: "Use a client of this version or older."
                ),
                into: &effects
            )
        }
    }

    private func control(
        _ request: ClientControlRequest,
        _ sink: ResponseSink,
        into effects: inout Effects
    ) {
        effects.controlRequests.append(
            .client(
                request,
                lane: number,
                sink.connection,
                correlation: sink.correlation
            )
        )
    }

    /// A data request, from a client or from a node that forwarded it.
    ///
    /// `remaining` is what is left of the deadline of a forwarded request.
    mutating func request(
        _ kind: ClientKind,
        _ body: ByteRange,
        of bytes: RawSpan,
        sink: ResponseSink,
        remaining: Duration?,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard openRequestCount < settings.maximumOpenRequests else {
            fail(
                sink,
                FailureResponse(
                    code: .overloaded,
                    message: "\(identity.name) has \(openRequestCount) open requests",
                    advice: "Nothing was done. Try again with fewer requests at once."
                ),
                into: &effects
            )
            return
        }
        do {
            switch kind {
            case .get:
                let get = try GetRequest(decoding: body, of: bytes)
                begin(get, body, bytes, sink, remaining, now, &effects)
            case .put, .delete:
                let write = try WriteRequest(decoding: body, of: bytes)
                begin(write, kind, body, bytes, sink, remaining, now, &effects)
            case .update:
                let update = try UpdateRequest(decoding: body, of: bytes)
                begin(update, body, bytes, sink, remaining, now, &effects)
            default:
                let scan = try ScanRequest(decoding: body, of: bytes)
                begin(scan, body, bytes, sink, remaining, now, &effects)
            }
        } catch {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "the \(kind) request is malformed: \(error)",
                    advice: "Use a client of this version or older."
                ),
                into: &effects
            )
        }
    }

    /// The deadline of a request that asks for `timeout` milliseconds, 0 for the default.
    func deadline(_ timeout: UInt32, _ remaining: Duration?, _ now: Instant) -> MonotonicInstant {
        let asked =
            timeout == 0 ? settings.defaultTimeout : Duration.milliseconds(Int64(timeout))
        let limited = min(asked, settings.maximumTimeout)
        return now.monotonic + min(limited, remaining ?? limited)
    }

    /// The keyspace that a request names, if its key is acceptable; answers the asker otherwise.
    func placement(
        _ number: KeyspaceNumber,
        key: ByteRange?,
        _ sink: ResponseSink,
        into effects: inout Effects
    ) -> ClusterView.Placement? {
        if let key, !Limits.keySize.contains(key.count) {
            fail(
                sink,
                FailureResponse(
                    code: key.count == 0 ? .invalid : .tooLarge,
                    message: "a key has 1 to \(Limits.keySize.upperBound) bytes, this one has "
                        + "\(key.count)",
                    advice: "Nothing was done. Use a shorter, non-empty key."
                ),
                into: &effects
            )
            return nil
        }
        guard let placement = view.placement(of: number) else {
            fail(
                sink,
                FailureResponse(
                    code: .notFound,
                    message: "there is no keyspace with number \(number)",
                    advice: "List them with: starling keyspace list"
                ),
                into: &effects
            )
            return nil
        }
        return placement
    }

    /// The rule of a level for a plan; answers the asker where there is none.
    func rule(
        _ level: ConsistencyLevel,
        _ plan: ReplicaPlan,
        _ keyspace: Keyspace,
        _ sink: ResponseSink,
        into effects: inout Effects
    ) -> QuorumRule? {
        switch QuorumRule.make(level, plan: plan, local: view.localDatacenter) {
        case .rule(let rule):
            return rule
        case .impossible(let required, let replicas, let datacenter):
            let place = datacenter.map { " in \(view.name(of: $0))" } ?? ""
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    level: level,
                    required: UInt8(clamping: required),
                    message: "\(level) needs \(required) replicas\(place), keyspace "
                        + "\(keyspace.name) has \(replicas)\(place)",
                    advice: "Nothing was done. Use another level, or a keyspace with more "
                        + "replicas."
                ),
                into: &effects
            )
            return nil
        }
    }

    // MARK: Forwarding

    /// Hands a request to a replica of this datacenter, if this node is none, or cannot stamp the
    /// write that it is, and one is usable.
    ///
    /// `mayLeave`: whether it may go to another datacenter rather than stay here.
    /// - Returns: whether it was handed over.
    mutating func forward(
        _ kind: ClientKind,
        _ body: ByteRange,
        of bytes: RawSpan,
        plan: ReplicaPlan,
        sink: ResponseSink,
        deadline: MonotonicInstant,
        mayLeave: Bool = false,
        at now: Instant,
        into effects: inout Effects
    ) -> Bool {
        let isWrite = kind == .put || kind == .delete || kind == .update
        guard sink.asker == .client,
            plan.index(of: identity.id) == nil || isWrite && isClockOff(at: now)
        else { return false }
        let local = plan.replicas(in: view.localDatacenter)
        let candidates = (0..<plan.count).filter { index in
            plan[index] != identity.id && isUsable(plan[index])
                && !(isWrite && liveness[plan[index]]?.isClockOff == true)
        }
        let first = candidates.first(where: local.contains) ?? (mayLeave ? candidates.first : nil)
        guard let target = first.map({ plan[$0] }) else { return false }
        let id = forwards.insert(
            OpenForward(
                sink: sink,
                target: target,
                isWrite: isWrite,
                deadline: deadline
            ),
            holding: []
        )
        // The replica gives up first, with the better message.
        wheel.insert(
            id,
            .deadline,
            due: deadline + .milliseconds(50),
            now: now.monotonic
        )
        let remaining = max(1, (deadline - now.monotonic).wholeMilliseconds)
        // The header's copy of the body is the client's own, byte for byte.
        send(.forward, to: target, id.rawValue, into: &effects) {
            PeerForward.encode(
                kind: kind.rawValue,
                flags: sink.isTraced ? 1 : 0,
                remaining: UInt32(clamping: remaining),
                body: body,
                of: bytes,
                into: &$0
            )
        }
        return true
    }

    /// The answer to a request that was handed over.
    mutating func forwardReply(
        _ id: RequestID,
        _ body: ByteRange,
        of bytes: RawSpan,
        from node: NodeID,
        into effects: inout Effects
    ) {
        guard let forward = forwards[id], forward.target == node else {
            effects.notices.append(.lateAnswer(from: node))
            return
        }
        var reader = ByteReader(body)
        guard let raw = try? reader.uint8(in: bytes), let kind = ClientKind(rawValue: raw) else {
            effects.notices.append(
                .malformedFrame(from: node, reason: "forwarded answer without a kind")
            )
            return
        }
        forwards.remove(id)
        let rest = ByteRange(offset: reader.position, count: reader.remaining)
        respond(to: forward.sink, kind, into: &effects) { $0.raw(rest, of: bytes) }
    }

    mutating func lose(_ node: NodeID, forward id: RequestID, into effects: inout Effects) {
        guard let forward = forwards[id], forward.target == node else { return }
        forwards.remove(id)
        fail(
            forward.sink,
            FailureResponse(
                code: forward.isWrite ? .timeout : .unavailable,
                written: forward.isWrite ? .unknown : .no,
                message: "the link to \(view.name(of: node)), which coordinated the request, "
                    + "broke",
                advice: forward.isWrite
                    ? "Some replicas may have it. Read it, or write it again." : "Try again."
            ),
            into: &effects
        )
    }

    mutating func expire(forward id: RequestID, into effects: inout Effects) {
        guard let forward = forwards[id] else { return }
        forwards.remove(id)
        fail(
            forward.sink,
            FailureResponse(
                code: .timeout,
                written: forward.isWrite ? .unknown : .no,
                message: "\(view.name(of: forward.target)), which coordinated the request, did "
                    + "not answer in time",
                advice: forward.isWrite
                    ? "Some replicas may have it. Read it, or write it again." : "Try again."
            ),
            into: &effects
        )
    }

    // MARK: Frames that need a newer topology

    /// Keeps a frame back until the topology it speaks of is here.
    ///
    /// - Returns: false when too many wait already; the frame is then handled as it is.
    mutating func park(
        _ source: ParkedFrame.Source,
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ now: Instant,
        _ effects: inout Effects
    ) -> Bool {
        guard parked.count < settings.maximumParkedFrames,
            parked.reduce(body.count, { $0 + $1.bytes.count }) <= settings.maximumParkedSize
        else { return false }
        var writer = ByteWriter(capacity: Frame.headerSize + body.count)
        let frame = writer.beginFrame(header)
        writer.raw(body, of: bytes)
        writer.endFrame(frame)
        parked.append(
            ParkedFrame(
                source: source,
                bytes: writer.bytes,
                epoch: header.epoch,
                deadline: now.monotonic + .seconds(1)
            )
        )
        // A client may know a newer topology than this node; then any peer may have it.
        let node: NodeID
        switch source {
        case .peer(let peer, _): node = peer
        case .client: node = identity.id
        }
        effects.controlRequests.append(.newerEpoch(header.epoch, from: node))
        return true
    }

    mutating func replay(
        _ frame: ParkedFrame,
        at now: Instant,
        into effects: inout Effects
    ) {
        let bytes = frame.bytes.span.bytes
        guard
            case .frame(let header, let body)? = try? Frame.cut(
                bytes,
                at: 0,
                limit: Frame.maximumPeerBodySize
            )
        else { return }
        // What waited in vain is handled under the view that is here.
        var current = header
        current.epoch = min(header.epoch, view.topology.epoch)
        switch frame.source {
        case .client(let connection, let isAdmin):
            receiveClient(
                current,
                body: body,
                of: bytes,
                from: connection,
                isAdmin: isAdmin,
                at: now,
                into: &effects
            )
        case .peer(let node, let connection):
            receivePeer(
                current,
                body: body,
                of: bytes,
                from: node,
                connection: connection,
                at: now,
                into: &effects
            )
        }
    }

    mutating func expireParked(at now: Instant, into effects: inout Effects) {
        guard parked.contains(where: { $0.deadline <= now.monotonic }) else { return }
        let due = parked.filter { $0.deadline <= now.monotonic }
        parked.removeAll { $0.deadline <= now.monotonic }
        for frame in due { replay(frame, at: now, into: &effects) }
    }
}
