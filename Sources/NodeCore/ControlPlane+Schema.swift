import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

/// A change of the keyspaces that a client asked this node for.
struct SchemaChange {
    /// The change.
    enum Change {
        case create(KeyspaceDefinition)
        case drop(String)
    }

    /// Names the attempt in messages; above all attempts of this process.
    var attempt: UInt64
    var change: Change
    var asker: ControlPlane.Asker
    var proposer: RegisterProposer
    /// What an earlier round of the attempt proposed; it may have been chosen unheard.
    var supplied: Topology?
}

/// Changes of the topology through its consensus register, one after another.
///
/// Losing the majority of its voters refuses such changes only.
extension ControlPlane {
    /// Changes that wait at most; further ones are refused.
    static var maximumChanges: Int { 64 }

    /// A request that a lane passed on.
    package mutating func request(
        _ request: ControlRequest,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        switch request {
        case .newerEpoch(let epoch, let node):
            if epoch > adoptingEpoch { fetchTopology(from: node, at: now, into: &effects) }
        case .client(let request, let lane, let connection, let correlation):
            let asker = Asker(lane: lane, connection: connection, correlation: correlation)
            serve(request, asker, at: now, into: &effects)
        }
    }

    private mutating func serve(
        _ request: ClientControlRequest,
        _ asker: Asker,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        switch request {
        case .describe:
            let topology = view.topology.encode()
            reply(.topology, to: asker, into: &effects) { $0.raw(topology) }
        case .status:
            let status = status(at: now)
            reply(.statusReport, to: asker, into: &effects) { status.encode(into: &$0) }
        case .createKeyspace(let body):
            guard
                let decoded = try? CreateKeyspaceRequest(
                    decoding: ByteRange(offset: 0, count: body.count),
                    of: body.span.bytes
                )
            else { return refuseMalformed(asker, into: &effects) }
            guard let mode = ConflictMode(rawValue: decoded.mode) else {
                let modes = ConflictMode.allCases.map(\.description).joined(separator: ", ")
                fail(
                    asker,
                    FailureResponse(
                        code: .invalid,
                        message: "this version knows no mode \(decoded.mode)",
                        advice: "Nothing was changed. Use one of \(modes)."
                    ),
                    into: &effects
                )
                return
            }
            guard decoded.lifetime == 0 || mode.dataKind == .value else {
                fail(
                    asker,
                    FailureResponse(
                        code: .invalid,
                        message: "what a keyspace of mode \(mode) holds does not expire",
                        advice: "Nothing was changed. Leave --ttl out, or use --mode lww or "
                            + "siblings."
                    ),
                    into: &effects
                )
                return
            }
            guard let compression = BlockCompression(code: decoded.compression) else {
                fail(
                    asker,
                    FailureResponse(
                        code: .invalid,
                        message: "this version knows no compression \(decoded.compression)",
                        advice: "Nothing was changed. Use \(BlockCompression.choices)."
                    ),
                    into: &effects
                )
                return
            }
            let definition = KeyspaceDefinition(
                name: decoded.name,
                replication: decoded.replication.map {
                    KeyspaceDefinition.Replication(
                        datacenter: $0.datacenter,
                        replicas: Int($0.replicas)
                    )
                },
                mode: mode,
                defaultTimeToLiveMilliseconds: decoded.lifetime,
                readConsistency: decoded.readConsistency,
                writeConsistency: decoded.writeConsistency,
                compression: compression
            )
            begin(.create(definition), asker, at: now, into: &effects)
        case .dropKeyspace(let body):
            guard
                let decoded = try? DropKeyspaceRequest(
                    decoding: ByteRange(offset: 0, count: body.count),
                    of: body.span.bytes
                )
            else { return refuseMalformed(asker, into: &effects) }
            begin(.drop(decoded.name), asker, at: now, into: &effects)
        case .fault(let body):
            block(body, asker, into: &effects)
        case .upkeep(let body):
            beginUpkeep(body, asker, at: now, into: &effects)
        }
    }

    private mutating func block(
        _ body: [UInt8],
        _ asker: Asker,
        into effects: inout ControlEffects
    ) {
        guard settings.allowsFaultInjection else {
            fail(
                asker,
                FailureResponse(
                    code: .forbidden,
                    message: "\(identity.name) does not allow fault injection",
                    advice: "Only a node whose configuration says fault_injection: true does."
                ),
                into: &effects
            )
            return
        }
        guard
            let decoded = try? FaultRequest(
                decoding: ByteRange(offset: 0, count: body.count),
                of: body.span.bytes
            )
        else { return refuseMalformed(asker, into: &effects) }
        var blocked = decoded.blockedPeers.isEmpty ? [] : blockedPeers
        for name in decoded.blockedPeers {
            guard let member = view.topology.member(named: name) else {
                fail(
                    asker,
                    FailureResponse(
                        code: .invalid,
                        message: "\(name) is no member of this cluster",
                        advice: "Nothing was changed. List them with: starling status"
                    ),
                    into: &effects
                )
                return
            }
            if member.id != identity.id, !blocked.contains(member.id) { blocked.append(member.id) }
        }
        blockedPeers = blocked.sorted()
        effects.blockedPeers = blockedPeers
        effects.notices.append(.peersBlocked(blockedPeers))
        reply(.done, to: asker, into: &effects) { _ in }
    }

    // MARK: Proposing

    private mutating func begin(
        _ change: SchemaChange.Change,
        _ asker: Asker,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard changes.count < Self.maximumChanges else {
            fail(
                asker,
                FailureResponse(
                    code: .overloaded,
                    message: "\(changes.count) schema changes wait already",
                    advice: "Nothing was changed. Try again."
                ),
                into: &effects
            )
            return
        }
        let (votes, needed) = votes
        guard votes >= needed else {
            fail(asker, unchosen(written: .no), into: &effects)
            return
        }
        guard let stamp = clock.now(at: now.wall) else {
            fail(
                asker,
                FailureResponse(
                    code: .overloaded,
                    message: "\(identity.name)'s clock bound is not on disk yet",
                    advice: "Nothing was changed. Try again."
                ),
                into: &effects
            )
            return
        }
        let proposer = RegisterProposer(
            node: identity.id,
            voters: view.topology.voters,
            counter: stamp.rawValue,
            deadline: now.monotonic + settings.schemaTimeout,
            seed: random.next()
        )
        changes.append(
            SchemaChange(
                attempt: nextAttempt,
                change: change,
                asker: asker,
                proposer: proposer
            )
        )
        nextAttempt += 1
        if changes.count == 1 { startFirst(at: now, into: &effects) }
    }

    /// Begins the first change, or begins it anew.
    mutating func startFirst(at now: Instant, into effects: inout ControlEffects) {
        guard !changes.isEmpty else { return }
        let asked = changes[0].proposer.start(at: now.monotonic)
        perform(asked, at: now, into: &effects)
    }

    mutating func advanceChanges(at now: Instant, into effects: inout ControlEffects) {
        guard !changes.isEmpty else { return }
        let asked = changes[0].proposer.tick(at: now.monotonic)
        perform(asked, at: now, into: &effects)
    }

    mutating func receive(
        promise reply: PrepareReply,
        _ attempt: UInt64,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard let first = changes.first, first.attempt == attempt else { return }
        let asked = changes[0].proposer.receive(reply, from: node, at: now.monotonic)
        perform(asked, at: now, into: &effects)
    }

    mutating func receive(
        accepted reply: AcceptReply,
        _ attempt: UInt64,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard let first = changes.first, first.attempt == attempt else { return }
        let asked = changes[0].proposer.receive(reply, from: node, at: now.monotonic)
        perform(asked, at: now, into: &effects)
    }

    private mutating func perform(
        _ asked: [RegisterProposer.Effect],
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        for effect in asked {
            guard let attempt = changes.first?.attempt else { return }
            switch effect {
            case .prepare(let ballot, let node):
                if node == identity.id {
                    vote(prepare: ballot, attempt, from: node, at: now, into: &effects)
                } else {
                    send(.prepare, to: node, attempt, into: &effects) { $0.ballot(ballot) }
                }
            case .accept(let ballot, let value, let node):
                if node == identity.id {
                    let proposal = AcceptedValue(ballot: ballot, value: value)
                    vote(accept: proposal, attempt, from: node, at: now, into: &effects)
                } else {
                    send(.accept, to: node, attempt, into: &effects) {
                        $0.accept(ballot: ballot, value: value)
                    }
                }
            case .propose(let current):
                propose(after: current, at: now, into: &effects)
            case .finished(let outcome):
                finish(outcome, at: now, into: &effects)
            }
        }
    }

    private mutating func propose(
        after current: [UInt8]?,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        let change = changes[0].change
        do {
            let base =
                try current.map { bytes throws(CodingError) in try Topology(decoding: bytes) }
                ?? view.topology
            let next: Topology
            if let supplied = changes[0].supplied, Self.holds(change, base, supplied) {
                next = base
            } else {
                switch change {
                case .create(let definition): next = try base.creating(definition)
                case .drop(let name): next = try base.dropping(name)
                }
                changes[0].supplied = next
            }
            let asked = changes[0].proposer.supply(next.encode(), at: now.monotonic)
            perform(asked, at: now, into: &effects)
        } catch {
            let isAbsent: Bool
            if case .unknownKeyspace? = error as? TopologyError {
                isAbsent = true
            } else {
                isAbsent = false
            }
            fail(
                changes[0].asker,
                FailureResponse(
                    code: isAbsent ? .notFound : .invalid,
                    message: "\(error)",
                    advice: "Nothing was changed."
                ),
                into: &effects
            )
            let asked = changes[0].proposer.withdraw()
            perform(asked, at: now, into: &effects)
        }
    }

    /// Whether a change that was proposed as `supplied` is in `base` already.
    ///
    /// Numbers are never given twice, so a keyspace of the same number and parts is the one that
    /// was proposed, or one that a competitor asked for in the same words.
    private static func holds(
        _ change: SchemaChange.Change,
        _ base: Topology,
        _ supplied: Topology
    ) -> Bool {
        guard base.epoch >= supplied.epoch else { return false }
        switch change {
        case .create(let definition):
            guard let keyspace = supplied.keyspace(named: definition.name) else { return false }
            return base.keyspace(keyspace.number) == keyspace
        case .drop(let name):
            return base.keyspace(named: name) == nil
        }
    }

    private mutating func finish(
        _ outcome: RegisterProposer.Outcome,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        let change = changes.removeFirst()
        switch outcome {
        case .withdrawn:
            break
        case .chosen(let value, _):
            if let topology = try? Topology(decoding: value) {
                if view.topology.epoch >= topology.epoch {
                    let encoded = view.topology.encode()
                    reply(.topology, to: change.asker, into: &effects) { $0.raw(encoded) }
                } else {
                    awaitingAdoption.append(
                        (topology.epoch, change.asker, now.monotonic + settings.schemaTimeout)
                    )
                    adopt(topology, at: now, into: &effects)
                }
            } else {
                fail(
                    change.asker,
                    FailureResponse(
                        code: .internal,
                        written: .unknown,
                        message: "the topology that was chosen cannot be read"
                    ),
                    into: &effects
                )
            }
        case .lost, .unknown:
            fail(
                change.asker,
                unchosen(written: outcome == .lost ? .no : .unknown),
                into: &effects
            )
        }
        startFirst(at: now, into: &effects)
    }

    /// Answers those whose change was chosen but does not get to this node's disk.
    mutating func expireAdoptions(at now: Instant, into effects: inout ControlEffects) {
        guard awaitingAdoption.contains(where: { $0.deadline <= now.monotonic }) else { return }
        let due = awaitingAdoption.filter { $0.deadline <= now.monotonic }
        awaitingAdoption.removeAll { $0.deadline <= now.monotonic }
        for waiting in due {
            fail(
                waiting.asker,
                FailureResponse(
                    code: .timeout,
                    written: .unknown,
                    message: "epoch \(waiting.epoch) was chosen, but \(identity.name) could not "
                        + "store it in time",
                    advice: "The other nodes take it. See this node's log for its disk."
                ),
                into: &effects
            )
        }
    }

    /// How many voters seem to be up, and how many a change needs.
    private var votes: (up: Int, needed: Int) {
        let voters = view.topology.voters
        let up = voters.count { $0 == identity.id || peer($0)?.wasUsable == true }
        return (up, voters.count / 2 + 1)
    }

    /// The failure of a change that too few voters chose.
    private func unchosen(written: FailureResponse.Written) -> FailureResponse {
        let voters = view.topology.voters
        let missing = voters.filter { $0 != identity.id && peer($0)?.wasUsable != true }
            .map(view.name(of:))
        let (up, needed) = votes
        return FailureResponse(
            code: written == .no ? .unavailable : .timeout,
            written: written,
            required: UInt8(clamping: needed),
            alive: UInt8(clamping: up),
            message: "a schema change needs \(needed) of \(voters.count) voters, \(up) are up"
                + (missing.isEmpty ? "" : "; down: " + missing.joined(separator: ", ")),
            advice: written == .no
                ? "Nothing was changed. Reads and writes go on; start one of the voters."
                : "It may take effect yet. See: starling keyspace list"
        )
    }

    // MARK: Answering

    /// Makes a frame for a client.
    func reply(
        _ kind: ClientKind,
        to asker: Asker,
        into effects: inout ControlEffects,
        _ body: (inout ByteWriter) -> Void
    ) {
        var writer = ByteWriter()
        let frame = writer.beginFrame(
            Frame.Header(
                kind: kind.rawValue,
                correlation: asker.correlation,
                epoch: view.topology.epoch,
                timestamp: clock.latest.rawValue
            )
        )
        body(&writer)
        writer.endFrame(frame)
        effects.replies.append(
            ControlEffects.Reply(
                lane: asker.lane,
                connection: asker.connection,
                frame: writer.bytes
            )
        )
    }

    func fail(
        _ asker: Asker,
        _ failure: FailureResponse,
        into effects: inout ControlEffects
    ) {
        reply(.failure, to: asker, into: &effects) { failure.encode(into: &$0) }
    }

    func refuseMalformed(_ asker: Asker, into effects: inout ControlEffects) {
        fail(
            asker,
            FailureResponse(
                code: .invalid,
                message: "the request is malformed",
                advice: "Use a client of this version or older."
            ),
            into: &effects
        )
    }
}
