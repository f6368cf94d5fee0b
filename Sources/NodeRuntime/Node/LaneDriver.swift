import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Logging
import MutualTLS
import NIOCore
import NodeCore
import ObjectStorage
import PeerProtocol
import Replication

/// Drives one lane on its event loop: carries bytes in and effects out, and decides nothing.
///
/// All that a turn of the loop reads goes into the lane first; at the turn's end its jobs go to
/// the store until none is left, and then each connection that has something to send gets one
/// write and one flush. Confined to the loop.
final class LaneDriver {
    /// What the lane works on; entered once a read, not once a frame, because each entry costs an
    /// exclusivity check.
    struct State: ~Copyable {
        var lane: Lane
        var effects = Effects()
        var results: [StorageResult] = []
        var deferred: [ReplicaStore.DeferredJob] = []
        /// By lane: frames that arrived here and belong there.
        var foreign: [[ForeignFrame]]
    }

    /// A whole frame of a peer that belongs to another lane of this node.
    struct ForeignFrame: Sendable {
        var node: NodeID
        var frame: ByteBuffer
    }

    /// What the driver works with.
    struct Environment {
        var index: UInt8
        var loop: any EventLoop
        var identity: NodeIdentity
        var storage: LaneStorage
        var security: NodeSecurity
        var notices: NoticeLogger
        var logger: Logger
    }

    let index: UInt8
    let loop: any EventLoop
    let identity: NodeIdentity
    private(set) var view: ClusterView
    /// The highest incarnations that were seen of the others.
    private var incarnations: PeerIncarnations
    /// The start number of the latest life of this node that is on disk as lost; 0 for none.
    private var lostLife: UInt64
    private(set) var isDraining = false
    /// Connections that ended and that their clients have not closed yet.
    var lingeringCount = 0
    private let storage: LaneStorage
    private let security: NodeSecurity
    private let notices: NoticeLogger
    private let logger: Logger
    private var state: State
    private var table = ConnectionTable()
    private var links: PeerLinks
    private var blocked: Set<NodeID> = []
    private var router: LaneRouter?
    private var isTurnEnding = false
    private var isTicking = false
    private var outgoing: [Outgoing] = []

    private enum Outgoing {
        case connection(InboundConnection, ByteBuffer, frames: Int)
        case link(PeerLink, ByteBuffer)
    }

    init(
        _ environment: Environment,
        lane: consuming Lane,
        view: ClusterView,
        incarnations: PeerIncarnations,
        lostLife: UInt64,
        lanes: Int
    ) {
        index = environment.index
        loop = environment.loop
        identity = environment.identity
        storage = environment.storage
        security = environment.security
        notices = environment.notices
        logger = environment.logger
        self.view = view
        self.incarnations = incarnations
        self.lostLife = lostLife
        links = PeerLinks(peerClass: .request, loop: environment.loop)
        state = State(lane: lane, foreign: Array(repeating: [], count: lanes))
    }

    /// Names the other lanes and the control plane, and opens the links.
    func start(_ router: LaneRouter) {
        self.router = router
        links.update(view, owner: self)
    }

    // MARK: Reads

    /// Passes a client's whole frames to the lane.
    ///
    /// - Returns: how many there were.
    func receiveClient(
        _ accumulator: inout FrameAccumulator,
        from connection: ConnectionID,
        isAdmin: Bool
    ) throws(CodingError) -> Int {
        defer { endTurn() }
        if isDraining { return try refuseClient(&accumulator, connection) }
        return try state.receiveClient(
            &accumulator,
            from: connection,
            isAdmin: isAdmin,
            at: SystemClock.now
        )
    }

    /// Passes a peer's whole frames to the lane.
    ///
    /// `connection`: the inbound one; nil for this lane's own link.
    func receivePeer(
        _ accumulator: inout FrameAccumulator,
        from node: NodeID,
        connection: ConnectionID?
    ) throws(CodingError) {
        defer { endTurn() }
        if isBlocked(node) {
            try accumulator.forEachFrame { _, _, _ in .unchanged }
            return
        }
        try state.receivePeer(
            &accumulator,
            from: node,
            connection: connection,
            lane: index,
            at: SystemClock.now
        )
    }

    /// Passes a peer's whole frames on to the control plane.
    func receiveUrgent(_ accumulator: inout FrameAccumulator, from node: NodeID) throws(CodingError)
    {
        guard let frames = try accumulator.takeFrames(), !isBlocked(node) else { return }
        router?.control.execute { $0.receive(frames, from: node) }
    }

    /// Frames that reached another lane of this node.
    func receiveForeign(_ frames: [ForeignFrame]) {
        defer { endTurn() }
        for foreign in frames {
            var accumulator = FrameAccumulator(limit: Frame.maximumPeerBodySize)
            var frame = foreign.frame
            accumulator.append(&frame)
            // Cut by this node out of a frame that was whole.
            try? receivePeer(&accumulator, from: foreign.node, connection: nil)
        }
    }

    private func refuseClient(
        _ accumulator: inout FrameAccumulator,
        _ connection: ConnectionID
    ) throws(CodingError) -> Int {
        let failure = FailureResponse(
            code: .unavailable,
            message: "node \(identity.name) is stopping",
            advice: "Ask another node."
        )
        return try accumulator.forEachFrame { header, _, _ in
            state.effects.connections.write(to: Int(connection.rawValue)) { writer in
                let start = writer.beginFrame(
                    Frame.Header(
                        kind: ClientKind.failure.rawValue,
                        correlation: header.correlation
                    )
                )
                failure.encode(into: &writer)
                writer.endFrame(start)
            }
            return .unchanged
        }
    }

    // MARK: The turn's end

    /// Has the turn's effects carried out once the loop has read all that is ready.
    private func endTurn() {
        guard !isTurnEnding else { return }
        isTurnEnding = true
        loop.assumeIsolated().execute { self.carryOut() }
    }

    private func carryOut() {
        isTurnEnding = false
        let now = SystemClock.now
        runJobs(at: now)
        collectOutput()
        passOn()
        for output in outgoing {
            switch output {
            case .connection(let connection, let bytes, let frames):
                connection.send(bytes, frames: frames)
            case .link(let link, let bytes):
                link.send(bytes)
            }
        }
        outgoing.removeAll(keepingCapacity: true)
        scheduleTick()
    }

    /// The most bytes of memory that are kept for the jobs of later turns: 1 MiB.
    private static let maximumRoom = 1 << 20

    /// Gives the lane's jobs to the store, and what it answers at once back to the lane, until
    /// the lane asks for nothing more.
    private func runJobs(at now: Instant) {
        while !state.effects.jobs.isEmpty {
            for job in state.effects.jobs where job.origin.route == .connection {
                table.beginWork(for: Lane.connection(of: job.origin).rawValue)
            }
            let staged = storage.submit(&state)
            state.effects.jobs.removeAll(keepingCapacity: true)
            let isLarge = state.effects.payload.bytes.capacity > Self.maximumRoom
            state.effects.payload.bytes.removeAll(keepingCapacity: !isLarge)
            deliverResults(at: now)
            if let staged { storage.stage(staged) }
            let jobs = state.deferred
            state.deferred.removeAll(keepingCapacity: true)
            for job in jobs { storage.run(job, results: &state.results) }
            deliverResults(at: now)
        }
    }

    private func deliverResults(at now: Instant) {
        guard !state.results.isEmpty else { return }
        passOnForeignResults()
        for result in state.results where result.origin.route == .connection {
            table.endWork(for: Lane.connection(of: result.origin).rawValue)
        }
        state.deliverResults(at: now)
    }

    /// Updates of one key wait for each other over all lanes, so that this lane's write may end
    /// those of others.
    private func passOnForeignResults() {
        func isForeign(_ result: StorageResult) -> Bool { (result.lane ?? index) != index }
        guard state.results.contains(where: isForeign) else { return }
        for result in state.results where isForeign(result) {
            router?.lane(result.lane ?? index)?.execute { $0.completed([result]) }
        }
        state.results.removeAll(where: isForeign)
    }

    /// Copies what is to be sent, so that a channel that fails while it is written to finds the
    /// lane's state at rest.
    private func collectOutput() {
        state.effects.links.drain { number, bytes in
            let node = NodeID(UInt16(truncatingIfNeeded: number))
            guard let link = links[node], link.isOpen, !blocked.contains(node) else { return }
            outgoing.append(.link(link, FrameBytes.buffer(bytes)))
        }
        state.effects.connections.drain { number, bytes in
            let id = ConnectionID(UInt32(truncatingIfNeeded: number))
            guard let connection = table[id] else { return }
            if case .peer(_, let node) = connection.stage, blocked.contains(node) { return }
            outgoing.append(
                .connection(
                    connection,
                    FrameBytes.buffer(bytes),
                    frames: FrameBytes.count(in: bytes)
                )
            )
        }
    }

    /// Hands on what other loops and the log are to have.
    private func passOn() {
        for request in state.effects.controlRequests {
            if case .client(_, _, let connection, _) = request {
                table.beginWork(for: connection.rawValue)
            }
            router?.control.execute { $0.request(request) }
        }
        state.effects.controlRequests.removeAll(keepingCapacity: true)
        for notice in state.effects.notices { notices.log(notice, view: view) }
        state.effects.notices.removeAll(keepingCapacity: true)
        for lane in state.foreign.indices where !state.foreign[lane].isEmpty {
            let frames = state.foreign[lane]
            state.foreign[lane].removeAll(keepingCapacity: true)
            router?.lane(UInt8(lane))?.execute { $0.receiveForeign(frames) }
        }
    }

    private func scheduleTick() {
        guard !isTicking, state.lane.hasOpenRequests else { return }
        isTicking = true
        loop.assumeIsolated().scheduleTask(in: .milliseconds(10)) {
            self.isTicking = false
            self.state.tick(at: SystemClock.now)
            self.endTurn()
        }
    }

    // MARK: What storage threads bring

    /// The sync that staged writes waited for is over.
    func synced(_ batches: [ReplicaStore.StagedWrites], isDurable: Bool) {
        for batch in batches {
            storage.finish(batch, isDurable: isDurable, state: &state)
        }
        let now = SystemClock.now
        deliverResults(at: now)
        let jobs = state.deferred
        state.deferred.removeAll(keepingCapacity: true)
        for job in jobs { storage.run(job, results: &state.results) }
        deliverResults(at: now)
        endTurn()
    }

    /// A job that had to wait for the disk is done.
    func completed(_ results: [StorageResult]) {
        state.results += results
        deliverResults(at: SystemClock.now)
        endTurn()
    }

    // MARK: What the control plane brings

    func adopt(_ view: ClusterView) {
        self.view = view
        links.update(view, owner: self)
        state.adopt(view, at: SystemClock.now)
        endTurn()
    }

    func update(_ liveness: Liveness) {
        state.update(liveness, at: SystemClock.now)
        endTurn()
    }

    func raise(clockBound: HybridTimestamp) {
        state.lane.raise(clockBound: clockBound)
    }

    func block(_ nodes: [NodeID]) {
        blocked = Set(nodes)
    }

    /// The control plane's answer to a client.
    func reply(_ frame: [UInt8], to connection: ConnectionID) {
        table.endWork(for: connection.rawValue)
        table[connection]?.send(FrameBytes.buffer(frame), frames: 1)
    }

    // MARK: Connections

    /// Gives an accepted connection its number.
    func attach(_ connection: InboundConnection) -> ConnectionID {
        table.insert(connection)
    }

    /// Forgets a connection that is gone.
    func detach(_ connection: ConnectionID) {
        table.remove(connection)
        state.disconnected(connection)
        endTurn()
    }

    /// An accepted connection ended without a goodbye.
    func connectionBroke(
        _ port: InboundConnection.Port,
        _ address: SocketAddress?,
        _ error: any Error
    ) {
        logger.debug(
            "connection broke",
            metadata: [
                "port": "\(port.rawValue)", "reason": "\(error)",
                "address": "\(address.map(AddressText.of) ?? "unknown")",
            ]
        )
    }

    /// What a connection beyond the maximum is told.
    func overloadedFrame(for port: InboundConnection.Port) -> ByteBuffer {
        let reason = "node \(identity.name) has as many connections as it may have"
        switch port {
        case .peer:
            return PeerRefusal.frame(reason, correlation: 0)
        case .client:
            let failure = FailureResponse(
                code: .overloaded,
                message: reason,
                advice: "Ask another node."
            )
            return FrameBytes.frame(Frame.Header(kind: ClientKind.failure.rawValue)) {
                failure.encode(into: &$0)
            }
        }
    }

    /// Takes over what was seen of the others.
    func update(_ incarnations: PeerIncarnations) {
        self.incarnations = incarnations
    }

    /// A life of this node is on disk as lost.
    func update(lostLife: UInt64) {
        self.lostLife = lostLife
    }

    /// Acknowledged writes are missing in the store.
    func distrust() {
        storage.store.distrust()
    }

    /// A peer said in a hello in which life it has seen this node last.
    ///
    /// Where the disk lacks that life, none of the peer's requests comes before the store knows it.
    func wasSeen(as known: Incarnation?, by node: NodeID) {
        guard let known, identity.lives.hasLost(known) else { return }
        distrust()
        router?.control.execute { $0.wasSeen(as: known, by: node) }
    }

    /// Whether a peer's hello may be answered yet.
    func mayAnswer(_ hello: PeerHello) -> Bool {
        identity.mayAnswer(seenAs: hello.known, lostLife: lostLife)
    }

    // MARK: The end

    /// Takes no more requests; the connections of clients end once nothing is owed to them.
    func beginDraining() {
        isDraining = true
        for connection in table.connections where connection.port == .client && connection.isIdle {
            connection.endInOrder()
        }
    }

    /// Whether nothing is under way any more.
    var isQuiet: Bool {
        !state.lane.hasOpenRequests
            && table.connections.allSatisfy { $0.port == .peer || $0.isIdle }
    }

    /// Closes all connections and links.
    func stop() {
        isDraining = true
        for connection in table.connections { connection.close() }
        links.stop()
    }
}

@available(*, unavailable)
extension LaneDriver: Sendable {}

extension LaneDriver: PeerLinkOwner {
    var peerClientContext: TLSContext { security.contexts.peerClient }

    func hello(of peerClass: PeerClass, to node: NodeID) -> PeerHello {
        PeerHello(
            of: identity,
            in: view.topology,
            known: incarnations[node],
            peerClass: peerClass,
            lane: index
        )
    }

    func isBlocked(_ node: NodeID) -> Bool { blocked.contains(node) }

    func refusal(of hello: PeerHello, certificateName: String) -> String? {
        hello.refusal(expecting: view.topology, certificateName: certificateName)
    }

    func linkOpened(_ link: PeerLink, _ hello: PeerHello) {
        wasSeen(as: hello.known, by: hello.node)
        state.linkUp(link.node, at: SystemClock.now)
        endTurn()
    }

    func linkClosed(_ link: PeerLink, wasOpen: Bool, isRefused: Bool, reason: String) {
        logger.debug(
            "request link closed",
            metadata: ["peer": "\(link.name)", "reason": "\(reason)"]
        )
        guard wasOpen else { return }
        state.linkDown(link.node, at: SystemClock.now)
        endTurn()
    }

    func linkRead(
        _ link: PeerLink,
        _ accumulator: inout FrameAccumulator
    ) throws(CodingError) {
        try receivePeer(&accumulator, from: link.node, connection: nil)
    }
}
