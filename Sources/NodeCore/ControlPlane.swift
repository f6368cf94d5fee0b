package import ByteCoding
package import Causality
import ClientProtocol
package import ClusterPrimitives
import Membership
package import Partitioning
import PeerProtocol
package import Replication

/// A node's view of the cluster and its part in changing it: liveness, topology and schema.
///
/// One a node. What it decides reaches the lanes as immutable snapshots.
package struct ControlPlane: ~Copyable {
    /// One other member as this node sees it.
    struct Peer {
        var detector: PhiAccrualDetector
        var isLinkUp = false
        var isRefused = false
        var hasAnswered = false
        var wasUsable = false
        var load: UInt64 = 0
        var uptime: UInt32 = 0
        var softwareVersion = ""
        var epoch: UInt64 = 0
        /// Milliseconds of its wall clock less those of this node's monotonic one, so that no step
        /// of this node's wall clock makes it old; nil before it spoke.
        var clockDrift: Int64?
        var isDataKnown = true
        /// The latest life with an older disk that was told of.
        var olderLife: Incarnation?
    }

    /// What happens once something is on disk.
    enum Continuation {
        case raiseClock(HybridTimestamp)
        case promise(PrepareReply, attempt: UInt64, to: NodeID)
        case accepted(AcceptReply, attempt: UInt64, to: NodeID)
        case adopt(Topology)
        case lost(life: UInt64)
        case nothing
    }

    /// A client to be answered.
    struct Asker {
        var lane: UInt8
        var connection: ConnectionID
        var correlation: UInt64
    }

    package let identity: NodeIdentity
    let settings: NodeSettings
    let startedAt: MonotonicInstant
    /// How this node's clock stands to the others'.
    var clockHealth = ClockHealth()
    var wasClockOff = false
    /// The topology in force, as the lanes see it.
    package internal(set) var view: ClusterView
    var peers: [Peer?]
    /// What was seen of the others, also in earlier lives of this node.
    package internal(set) var incarnations: PeerIncarnations
    /// The start number of the latest life of this node that is lost; 0 for none.
    private var lostLife: UInt64
    var acceptor: RegisterAcceptor
    var clock: HybridClock
    var random: SeededRandom
    /// The peers whose frames are dropped, ascending: an injected fault.
    var blockedPeers: [NodeID] = []
    var load: UInt64 = 0
    var nextTicket: UInt64 = 1
    var continuations: [(ticket: UInt64, action: Continuation)] = []
    var isClockBoundPending = false
    var nextHeartbeat: MonotonicInstant
    var nextLiveness: MonotonicInstant
    var heartbeatSequence: UInt64 = 0
    var changes: [SchemaChange] = []
    var nextAttempt: UInt64 = 1
    /// The greatest epoch whose adoption has begun.
    var adoptingEpoch: UInt64
    var nextFetch: MonotonicInstant
    /// Clients that wait for a chosen topology to be in force here.
    var awaitingAdoption: [(epoch: UInt64, asker: Asker, deadline: MonotonicInstant)] = []
    /// Nil while no upkeep that an operator asked for is under way.
    var runningUpkeep: RunningUpkeep?

    /// The control plane of a node that just started.
    ///
    /// - `topology`: the newest one on disk, of which the node is a member.
    /// - `acceptor`: its acceptor's state on disk; nil before the first.
    /// - `clockBound`: the clock's bound on disk; `zero` before the first.
    /// - `incarnations`: the highest that were seen of the others, on disk.
    /// - `lostLife`: the start number of the latest life that the disk is known to lack; 0 for
    ///   none.
    package init(
        identity: NodeIdentity,
        topology: Topology,
        acceptor: RegisterAcceptor?,
        clockBound: HybridTimestamp,
        incarnations: PeerIncarnations,
        lostLife: UInt64,
        settings: NodeSettings,
        random: SeededRandom,
        startedAt: MonotonicInstant
    ) {
        self.identity = identity
        self.settings = settings
        self.startedAt = startedAt
        self.random = random
        self.incarnations = incarnations
        self.lostLife = lostLife
        view = ClusterView(topology: topology, me: identity.id)
        self.acceptor = acceptor ?? RegisterAcceptor(initial: topology.encode())
        clock = HybridClock(bound: clockBound)
        nextHeartbeat = startedAt
        nextLiveness = startedAt
        nextFetch = startedAt
        adoptingEpoch = topology.epoch
        peers = []
        admitPeers(at: startedAt)
    }

    private mutating func admitPeers(at now: MonotonicInstant) {
        while peers.count < view.nodeCount { peers.append(nil) }
        for member in view.topology.members
        where member.id != identity.id && peers[Int(member.id.rawValue)] == nil {
            peers[Int(member.id.rawValue)] = Peer(
                detector: PhiAccrualDetector(
                    settings: PhiAccrualDetector.Settings(period: settings.heartbeatPeriod),
                    start: now
                )
            )
        }
    }

    func peer(_ node: NodeID) -> Peer? {
        Int(node.rawValue) < peers.count ? peers[Int(node.rawValue)] : nil
    }

    // MARK: Time

    /// Looks at what is due; to be called every 50 ms.
    package mutating func tick(at now: Instant, into effects: inout ControlEffects) {
        raiseClockBound(at: now, into: &effects)
        if now.monotonic >= nextHeartbeat {
            nextHeartbeat = now.monotonic + settings.heartbeatPeriod
            sendHeartbeats(at: now, into: &effects)
        }
        judgePeers(at: now, into: &effects)
        advanceChanges(at: now, into: &effects)
        expireAdoptions(at: now, into: &effects)
    }

    private mutating func raiseClockBound(at now: Instant, into effects: inout ControlEffects) {
        // A clock that is wrong stamps nothing, and would be believed only when its bound is past.
        guard !ClockHealth.isOff(clockHealth.deviation(at: now.wall, now.monotonic)),
            clock.lead(at: now.wall) == 0, !isClockBoundPending,
            let bound = clock.boundToPersist(at: now.wall)
        else { return }
        isClockBoundPending = true
        persist(.clockBound(bound), then: .raiseClock(bound), into: &effects)
    }

    /// Asks for something to be made durable.
    mutating func persist(
        _ content: ControlEffects.Persist.Content,
        then action: Continuation,
        into effects: inout ControlEffects
    ) {
        effects.persists.append(ControlEffects.Persist(ticket: nextTicket, content: content))
        continuations.append((nextTicket, action))
        nextTicket += 1
    }

    /// Something asked for by `Persist` is on disk.
    package mutating func persisted(
        _ ticket: UInt64,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard let index = continuations.firstIndex(where: { $0.ticket == ticket }) else { return }
        switch continuations.remove(at: index).action {
        case .raiseClock(let bound):
            isClockBoundPending = false
            clock.boundPersisted(bound)
            effects.clockBound = bound
        case .promise(let reply, let attempt, let node):
            answer(promise: reply, attempt, to: node, at: now, into: &effects)
        case .accepted(let reply, let attempt, let node):
            answer(accepted: reply, attempt, to: node, at: now, into: &effects)
        case .adopt(let topology):
            finishAdoption(of: topology, at: now, into: &effects)
        case .lost(let life):
            effects.lostLife = life
        case .nothing:
            break
        }
    }

    // MARK: The world outside

    /// This node's urgent link to a node is up.
    package mutating func linkUp(
        _ node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard peer(node) != nil else { return }
        peers[Int(node.rawValue)]?.isLinkUp = true
        peers[Int(node.rawValue)]?.isRefused = false
        sendHeartbeat(to: node, at: now, into: &effects)
    }

    /// This node's urgent link to a node is gone, or could not be made.
    ///
    /// `isRefused` says whether the node refused the connection, as one does that does not
    ///   run; it is then unusable at once.
    package mutating func linkDown(
        _ node: NodeID,
        isRefused: Bool,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard peer(node) != nil else { return }
        effects.links.discard(Int(node.rawValue))
        peers[Int(node.rawValue)]?.isLinkUp = false
        if isRefused { peers[Int(node.rawValue)]?.isRefused = true }
        judgePeers(at: now, into: &effects)
    }

    /// Whether this node's disk is older than what others have seen of it, or new.
    ///
    /// What it promised may be lost with the rest, so it has no vote.
    package var isRolledBack: Bool { lostLife > 0 }

    /// A node said, in its hello, in which life it has seen this one last.
    package mutating func wasSeen(
        as known: Incarnation?,
        by node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        // Its next life will have a higher number than the one that is lost.
        guard peer(node) != nil, let known, identity.lives.hasLost(known), known.start > lostLife
        else { return }
        lostLife = known.start
        effects.notices.append(.rolledBack(seenBy: node, start: known.start))
        persist(.lostLife(known.start), then: .lost(life: known.start), into: &effects)
        // A vote of its own may count already.
        startFirst(at: now, into: &effects)
    }

    /// A node answered this one's hello, in which it heard in which life it was seen last.
    ///
    /// Only such an answer is noted: else the lives of a node that lost its disk could follow one
    /// another unheard, and the one that it lost be forgotten.
    package mutating func peerAnswered(
        _ node: NodeID,
        as incarnation: Incarnation,
        into effects: inout ControlEffects
    ) {
        guard peer(node) != nil else { return }
        switch incarnations.note(incarnation, of: node) {
        case .newer:
            effects.incarnations = incarnations
            persist(.incarnations(incarnations.encode()), then: .nothing, into: &effects)
        case .same:
            break
        case .rolledBack:
            // Each new link hears it; once is enough.
            guard peers[Int(node.rawValue)]?.olderLife != incarnation else { return }
            peers[Int(node.rawValue)]?.olderLife = incarnation
            let seen = incarnations[node]?.start ?? 0
            effects.notices.append(
                .peerRolledBack(node, seen: seen, presented: incarnation.start)
            )
        }
    }

    /// Bytes of this node's data, for `status`.
    package mutating func update(load: UInt64) {
        self.load = load
    }

    /// A whole frame of the urgent class.
    package mutating func receive(
        _ header: Frame.Header,
        body: ByteRange,
        of bytes: RawSpan,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard peer(node) != nil else { return }
        if !clock.merge(HybridTimestamp(rawValue: header.timestamp), at: now.wall) {
            effects.notices.append(
                .clockAhead(node, timestamp: HybridTimestamp(rawValue: header.timestamp))
            )
        }
        peers[Int(node.rawValue)]?.epoch = header.epoch
        if header.epoch > adoptingEpoch { fetchTopology(from: node, at: now, into: &effects) }
        do {
            switch PeerKind(rawValue: header.kind) {
            case .heartbeat:
                let heartbeat = try Heartbeat(decoding: body, of: bytes)
                answer(heartbeat, to: node, at: now, into: &effects)
            case .heartbeatReply:
                let reply = try HeartbeatReply(decoding: body, of: bytes)
                receive(reply, from: node, at: now, into: &effects)
            case .prepare:
                let ballot = try RegisterMessage.prepare(body, of: bytes)
                vote(prepare: ballot, header.correlation, from: node, at: now, into: &effects)
            case .accept:
                let value = try RegisterMessage.accept(body, of: bytes)
                vote(accept: value, header.correlation, from: node, at: now, into: &effects)
            case .promise:
                let reply = try RegisterMessage.promise(body, of: bytes)
                receive(promise: reply, header.correlation, from: node, at: now, into: &effects)
            case .accepted:
                let reply = try RegisterMessage.accepted(body, of: bytes)
                receive(accepted: reply, header.correlation, from: node, at: now, into: &effects)
            case .topologyRequest:
                let topology = view.topology.encode()
                send(.topology, to: node, header.correlation, into: &effects) { $0.raw(topology) }
            case .topology:
                try adopt(encoded: bytes.array(body), at: now, into: &effects)
            default:
                effects.notices.append(
                    .malformedFrame(from: node, reason: "kind \(header.kind) is not urgent")
                )
            }
        } catch {
            effects.notices.append(.malformedFrame(from: node, reason: "\(error)"))
        }
    }

    /// Appends a frame for the node's urgent link.
    func send(
        _ kind: PeerKind,
        to node: NodeID,
        _ correlation: UInt64 = 0,
        into effects: inout ControlEffects,
        _ body: (inout ByteWriter) -> Void
    ) {
        let header = Frame.Header(
            kind: kind.rawValue,
            correlation: correlation,
            epoch: view.topology.epoch,
            timestamp: clock.latest.rawValue
        )
        effects.links.write(to: Int(node.rawValue)) { writer in
            let frame = writer.beginFrame(header)
            body(&writer)
            writer.endFrame(frame)
        }
    }

    // MARK: Topology

    /// Asks a node for its topology, at most every 100 ms.
    mutating func fetchTopology(
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard now.monotonic >= nextFetch else { return }
        nextFetch = now.monotonic + .milliseconds(100)
        if node != identity.id {
            send(.topologyRequest, to: node, into: &effects) { _ in }
            return
        }
        for member in view.topology.members where member.id != identity.id {
            send(.topologyRequest, to: member.id, into: &effects) { _ in }
        }
    }

    /// Puts a newer topology in force: first on disk, then here.
    private mutating func adopt(
        encoded: [UInt8],
        at now: Instant,
        into effects: inout ControlEffects
    ) throws(CodingError) {
        adopt(try Topology(decoding: encoded), at: now, into: &effects)
    }

    mutating func adopt(
        _ topology: Topology,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard topology.clusterIdentifier == view.topology.clusterIdentifier,
            topology.foundingDigest == view.topology.foundingDigest,
            topology.epoch > adoptingEpoch,
            // A view of a topology without this node cannot be made.
            topology.member(identity.id)?.name == identity.name
        else { return }
        adoptingEpoch = topology.epoch
        persist(.topology(topology.encode()), then: .adopt(topology), into: &effects)
    }

    private mutating func finishAdoption(
        of topology: Topology,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard topology.epoch > view.topology.epoch else { return }
        view = ClusterView(topology: topology, me: identity.id)
        admitPeers(at: now.monotonic)
        effects.view = view
        effects.notices.append(.topologyAdopted(epoch: topology.epoch))
        let encoded = topology.encode()
        for member in topology.members where member.id != identity.id {
            // Those that already have it need no copy.
            guard let peer = peer(member.id), peer.epoch < topology.epoch else { continue }
            send(.topology, to: member.id, into: &effects) { $0.raw(encoded) }
        }
        let ready = awaitingAdoption.filter { $0.epoch <= topology.epoch }
        awaitingAdoption.removeAll { $0.epoch <= topology.epoch }
        for waiting in ready {
            reply(.topology, to: waiting.asker, into: &effects) { $0.raw(encoded) }
        }
    }
}
