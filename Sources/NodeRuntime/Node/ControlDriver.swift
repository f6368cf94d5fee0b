import ByteCoding
import Causality
import ClusterPrimitives
import Logging
import MutualTLS
import NIOCore
import NodeCore
import Partitioning
import PeerProtocol
import Replication

/// Drives the control plane on its event loop: carries bytes in and effects out, and decides
/// nothing.
///
/// Every input's effects are carried out at once, since they are few. Confined to the loop.
final class ControlDriver {
    /// How often the control plane looks at its clocks.
    private static let tickPeriod = TimeAmount.milliseconds(50)
    /// Ticks between two looks at the store's size.
    private static let ticksPerLoad = 20

    private struct State: ~Copyable {
        var plane: ControlPlane
        var effects = ControlEffects()

        mutating func step(_ body: (inout ControlPlane, inout ControlEffects) -> Void) {
            body(&plane, &effects)
        }
    }

    /// What the driver works with.
    struct Environment {
        var loop: any EventLoop
        var identity: NodeIdentity
        var security: NodeSecurity
        var notices: NoticeLogger
        var logger: Logger
        /// Bytes of data on this node.
        var load: () -> UInt64
        /// Runs upkeep that an operator asked for; hears of its end on any thread.
        var runUpkeep: (UpkeepJob, @escaping @Sendable ([UpkeepResult]) -> Void) -> Void
        /// Has the storage upkeep done that is due, and periodic durability's sync.
        var look: () -> Void
    }

    let loop: any EventLoop
    let identity: NodeIdentity
    private let security: NodeSecurity
    private let notices: NoticeLogger
    private let logger: Logger
    private let load: () -> UInt64
    private let look: () -> Void
    private let runUpkeep: (UpkeepJob, @escaping @Sendable ([UpkeepResult]) -> Void) -> Void
    private(set) var view: ClusterView
    private var state: State
    private var links: PeerLinks
    private var blocked: Set<NodeID> = []
    private var router: LaneRouter?
    private var persists: PersistQueue?
    private var pulse: RepeatedTask?
    private var tickCount = 0
    private var isSettling = false
    /// A step was taken while effects were carried out.
    private var needsSettling = false
    private var lastReasons: [NodeID: String] = [:]

    init(_ environment: Environment, plane: consuming ControlPlane) {
        loop = environment.loop
        identity = environment.identity
        security = environment.security
        notices = environment.notices
        logger = environment.logger
        load = environment.load
        look = environment.look
        runUpkeep = environment.runUpkeep
        view = plane.view
        state = State(plane: plane)
        links = PeerLinks(peerClass: .urgent, loop: environment.loop)
    }

    /// Names the lanes and the disk, opens the links, and begins to tick.
    func start(_ router: LaneRouter, persists: PersistQueue) {
        self.router = router
        self.persists = persists
        links.update(view, owner: self)
        state.plane.update(load: load())
        tick()
        let driver = NIOLoopBound(self, eventLoop: loop)
        pulse = loop.scheduleRepeatedTask(
            initialDelay: Self.tickPeriod,
            delay: Self.tickPeriod
        ) { _ in
            driver.value.tick()
        }
    }

    /// Closes the links and stops ticking.
    func stop() {
        pulse?.cancel()
        pulse = nil
        links.stop()
    }

    // MARK: Inputs

    private func tick() {
        tickCount += 1
        if tickCount % Self.ticksPerLoad == 0 { state.plane.update(load: load()) }
        look()
        step { $0.tick(at: SystemClock.now, into: &$1) }
    }

    /// Whole frames from a peer's urgent connection.
    func receive(_ frames: ByteBuffer, from node: NodeID) {
        var frames = frames
        var accumulator = FrameAccumulator(limit: Frame.maximumBodySize)
        accumulator.append(&frames)
        // Cut into whole frames by the lane that read them.
        try? receive(&accumulator, from: node)
    }

    private func receive(
        _ accumulator: inout FrameAccumulator,
        from node: NodeID
    ) throws(CodingError) {
        defer { settle() }
        let now = SystemClock.now
        let isBlocked = blocked.contains(node)
        try accumulator.forEachFrame { header, body, bytes in
            guard !isBlocked else { return .unchanged }
            state.step { plane, effects in
                plane.receive(header, body: body, of: bytes, from: node, at: now, into: &effects)
            }
            return .unchanged
        }
    }

    /// A lane's request.
    func request(_ request: ControlRequest) {
        step { $0.request(request, at: SystemClock.now, into: &$1) }
    }

    /// A peer said in a hello in which life it has seen this node last.
    func wasSeen(as known: Incarnation?, by node: NodeID) {
        step { $0.wasSeen(as: known, by: node, at: SystemClock.now, into: &$1) }
    }

    /// Something that was to be made durable is.
    func persisted(_ ticket: UInt64) {
        step { $0.persisted(ticket, at: SystemClock.now, into: &$1) }
    }

    /// Upkeep that an operator asked for is over.
    func upkeepFinished(_ results: [UpkeepResult]) {
        step { $0.upkeepFinished(results, at: SystemClock.now, into: &$1) }
    }

    private func step(_ body: (inout ControlPlane, inout ControlEffects) -> Void) {
        state.step(body)
        settle()
    }

    // MARK: Effects

    /// Carries out what the steps so far have asked for.
    private func settle() {
        needsSettling = true
        guard !isSettling else { return }
        isSettling = true
        defer { isSettling = false }
        while needsSettling {
            needsSettling = false
            carryOut()
        }
    }

    private func carryOut() {
        var settings: [@Sendable (LaneDriver) -> Void] = []
        if let view = state.effects.view {
            state.effects.view = nil
            self.view = view
            links.update(view, owner: self)
            settings.append { $0.adopt(view) }
        }
        if let liveness = state.effects.liveness {
            state.effects.liveness = nil
            settings.append { $0.update(liveness) }
        }
        if let incarnations = state.effects.incarnations {
            state.effects.incarnations = nil
            settings.append { $0.update(incarnations) }
        }
        if let life = state.effects.lostLife {
            state.effects.lostLife = nil
            settings.append { $0.update(lostLife: life) }
        }
        if let bound = state.effects.clockBound {
            state.effects.clockBound = nil
            settings.append { $0.raise(clockBound: bound) }
        }
        if let nodes = state.effects.blockedPeers {
            state.effects.blockedPeers = nil
            blocked = Set(nodes)
            settings.append { $0.block(nodes) }
        }
        for setting in settings { tellLanes(setting) }
        sendFrames()
        sendReplies()
        for notice in state.effects.notices { notices.log(notice, view: view) }
        state.effects.notices.removeAll()
        let waiting = state.effects.persists
        state.effects.persists.removeAll()
        for persist in waiting { persists?.enqueue(persist) }
        if let job = state.effects.upkeep {
            state.effects.upkeep = nil
            let control = router?.control
            runUpkeep(job) { results in control?.execute { $0.upkeepFinished(results) } }
        }
    }

    private func tellLanes(_ setting: @escaping @Sendable (LaneDriver) -> Void) {
        for lane in router?.lanes ?? [] { lane.execute(setting) }
    }

    private func sendFrames() {
        // A channel that fails while it is written to comes back here; the buffers must be free.
        var outgoing: [(PeerLink, ByteBuffer)] = []
        state.effects.links.drain { number, bytes in
            let node = NodeID(UInt16(truncatingIfNeeded: number))
            guard let link = links[node], link.isOpen, !blocked.contains(node) else { return }
            outgoing.append((link, FrameBytes.buffer(bytes)))
        }
        for (link, bytes) in outgoing { link.send(bytes) }
    }

    private func sendReplies() {
        for reply in state.effects.replies {
            router?.lane(reply.lane)?.execute { $0.reply(reply.frame, to: reply.connection) }
        }
        state.effects.replies.removeAll()
    }
}

@available(*, unavailable)
extension ControlDriver: Sendable {}

extension ControlDriver: PeerLinkOwner {
    var peerClientContext: TLSContext { security.contexts.peerClient }

    func hello(of peerClass: PeerClass, to node: NodeID) -> PeerHello {
        PeerHello(
            of: identity,
            in: view.topology,
            known: state.plane.incarnations[node],
            peerClass: peerClass,
            lane: 0
        )
    }

    func isBlocked(_ node: NodeID) -> Bool { blocked.contains(node) }

    func refusal(of hello: PeerHello, certificateName: String) -> String? {
        hello.refusal(expecting: view.topology, certificateName: certificateName)
    }

    func linkOpened(_ link: PeerLink, _ hello: PeerHello) {
        lastReasons[link.node] = nil
        logger.debug("peer connected", metadata: ["peer": "\(link.name)"])
        let now = SystemClock.now
        if let known = hello.known, identity.lives.hasLost(known) { tellLanes { $0.distrust() } }
        step { plane, effects in
            plane.wasSeen(as: hello.known, by: link.node, at: now, into: &effects)
            plane.peerAnswered(link.node, as: hello.incarnation, into: &effects)
            plane.linkUp(link.node, at: now, into: &effects)
        }
    }

    func linkClosed(_ link: PeerLink, wasOpen: Bool, isRefused: Bool, reason: String) {
        // The same failure comes every two seconds while a peer is away; once is enough.
        if lastReasons.updateValue(reason, forKey: link.node) != reason {
            logger.info(
                "peer not reached",
                metadata: [
                    "peer": "\(link.name)", "address": "\(link.endpoint)", "reason": "\(reason)",
                ]
            )
        }
        step { plane, effects in
            plane.linkDown(
                link.node,
                isRefused: isRefused,
                at: SystemClock.now,
                into: &effects
            )
        }
    }

    func linkRead(
        _ link: PeerLink,
        _ accumulator: inout FrameAccumulator
    ) throws(CodingError) {
        try receive(&accumulator, from: link.node)
    }
}

extension PeerHello {
    /// How a node presents itself on a connection.
    init(
        of identity: NodeIdentity,
        in topology: Topology,
        known: Incarnation?,
        peerClass: PeerClass,
        lane: UInt8
    ) {
        self.init(
            clusterIdentifier: topology.clusterIdentifier,
            foundingDigest: topology.foundingDigest,
            node: identity.id,
            name: identity.name,
            incarnation: identity.incarnation,
            known: known,
            peerClass: peerClass,
            lane: lane,
            epoch: topology.epoch
        )
    }
}
