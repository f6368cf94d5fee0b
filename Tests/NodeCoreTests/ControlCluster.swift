import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication

/// Control planes of several nodes joined by queues, over disks that are dictionaries.
final class ControlCluster {
    /// What survives a crash of a node.
    struct Disk {
        var topology: Topology
        var acceptor: RegisterAcceptor?
        var clockBound = HybridTimestamp.zero
        var incarnations = PeerIncarnations()
        var lives: [Incarnation] = []
        var lostLife: UInt64 = 0
    }

    final class Node {
        var plane: ControlPlane
        var effects = ControlEffects()
        var disk: Disk
        /// Persists that wait, while `holdsDisk`.
        var waiting: [ControlEffects.Persist] = []
        var holdsDisk = false
        var isUp = true
        /// Milliseconds by which its wall clock is ahead.
        var clockOffset: Int64 = 0
        var liveness: Liveness?
        var epoch: UInt64
        var blocked: [NodeID]?
        /// Upkeep that its store was asked for.
        var upkeep: [UpkeepJob] = []
        var notices: [NodeNotice] = []

        init(_ plane: consuming ControlPlane, _ disk: Disk) {
            self.plane = plane
            self.disk = disk
            epoch = disk.topology.epoch
        }
    }

    /// Frames on their way, in order.
    struct Packet {
        var from: NodeID
        var to: NodeID
        var bytes: [UInt8]
        /// Kinds of the frames in it.
        var kinds: [PeerKind]
    }

    let founding: Topology
    private(set) var nodes: [NodeID: Node] = [:]
    private var packets: [Packet] = []
    private var answers: [UInt64: (kind: ClientKind, body: [UInt8])] = [:]
    private(set) var answerCounts: [UInt64: Int] = [:]
    /// Drops what it says true to.
    var isDropped: (Packet) -> Bool
    /// Sees every packet that is delivered.
    var observe: (Packet) -> Void = { _ in }
    var now = Instant(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000),
        wall: WallClockTime(milliseconds: 1_700_000_000_000)
    )
    private let settings: NodeSettings
    private var correlation: UInt64 = 0
    private var starts: UInt64 = 0

    init(
        datacenters: [String] = ["dc1"],
        nodesPerDatacenter: Int = 3,
        settings: NodeSettings = NodeSettings(),
        isDropped: @escaping (Packet) -> Bool = { _ in false }
    ) throws {
        self.settings = settings
        self.isDropped = isDropped
        var members: [FoundingMember] = []
        for datacenter in datacenters {
            for index in 1...nodesPerDatacenter {
                members.append(
                    FoundingMember(
                        name: "\(datacenter)-n\(index)",
                        datacenter: datacenter,
                        rack: "r\(index)",
                        peer: Endpoint(host: datacenter, port: UInt16(7000 + index)),
                        client: Endpoint(host: datacenter, port: UInt16(8000 + index))
                    )
                )
            }
        }
        founding = try Topology.founding(cluster: "test", members: members)
        for member in founding.members { boot(member.id, Disk(topology: founding)) }
        connect()
    }

    // MARK: Nodes

    func id(_ name: String) -> NodeID { founding.member(named: name)?.id ?? NodeID(0) }

    subscript(name: String) -> Node {
        guard let node = nodes[id(name)] else { preconditionFailure("no node \(name)") }
        return node
    }

    private var ordered: [(key: NodeID, value: Node)] { nodes.sorted { $0.key < $1.key } }

    private func boot(_ id: NodeID, _ disk: Disk) {
        starts += 1
        let life = Incarnation(start: starts, actor: ActorID(high: 0, low: starts))
        let lives = NodeLives(life, earlier: disk.lives)
        var disk = disk
        disk.lives.append(life)
        let plane = ControlPlane(
            identity: NodeIdentity(
                id: id,
                name: founding.member(id)?.name ?? "",
                clusterName: "test",
                clusterIdentifier: founding.clusterIdentifier,
                lives: lives
            ),
            topology: disk.topology,
            acceptor: disk.acceptor,
            clockBound: disk.clockBound,
            incarnations: disk.incarnations,
            lostLife: disk.lostLife,
            settings: settings,
            random: SeededRandom(seed: starts),
            startedAt: now.monotonic
        )
        nodes[id] = Node(plane, disk)
    }

    /// Brings up the links between nodes that are up.
    func connect() {
        for (id, node) in ordered where node.isUp {
            for (other, peer) in ordered where other != id && peer.isUp {
                node.plane.linkUp(other, at: now, into: &node.effects)
            }
        }
        run()
    }

    /// Stops a node; the others' links to it break.
    func stop(_ name: String, isRefused: Bool) {
        let stopped = id(name)
        self[name].isUp = false
        for (other, node) in ordered where other != stopped {
            node.plane.linkDown(stopped, isRefused: isRefused, at: now, into: &node.effects)
        }
        run()
    }

    /// Starts a node again from what was on its disk.
    func restart(_ name: String) {
        boot(id(name), self[name].disk)
        connect()
        advance(.seconds(1))
    }

    // MARK: Requests

    @discardableResult
    func request(_ request: ClientControlRequest, at name: String) -> UInt64 {
        correlation += 1
        let node = self[name]
        node.plane.request(
            .client(request, lane: 0, ConnectionID(9), correlation: correlation),
            at: now,
            into: &node.effects
        )
        run()
        return correlation
    }

    func create(
        _ keyspace: String,
        at name: String,
        mode: UInt8 = 1,
        compression: UInt8 = 0,
        lifetime: UInt64 = 0,
        replicas: [(String, UInt8)] = [("dc1", 1)]
    ) -> UInt64 {
        var writer = ByteWriter()
        CreateKeyspaceRequest(
            name: keyspace,
            mode: mode,
            lifetime: lifetime,
            readConsistency: .one,
            writeConsistency: .one,
            compression: compression,
            replication: replicas.map { .init(datacenter: $0.0, replicas: $0.1) }
        ).encode(into: &writer)
        return request(.createKeyspace(writer.bytes), at: name)
    }

    func drop(_ keyspace: String, at name: String) -> UInt64 {
        var writer = ByteWriter()
        DropKeyspaceRequest(name: keyspace).encode(into: &writer)
        return request(.dropKeyspace(writer.bytes), at: name)
    }

    /// The topology that a request was answered with; nil while there is none, or for a failure.
    func topology(_ correlation: UInt64) -> Topology? {
        guard let answer = answers[correlation], answer.kind == .topology else { return nil }
        return try? Topology(decoding: answer.body)
    }

    func failure(_ correlation: UInt64) -> FailureResponse? {
        guard let answer = answers[correlation], answer.kind == .failure else { return nil }
        return try? FailureResponse(
            decoding: ByteRange(offset: 0, count: answer.body.count),
            of: answer.body.span.bytes
        )
    }

    /// Asks a node for upkeep of its store.
    func upkeep(_ kind: StoreUpkeep, of keyspace: String? = nil, at name: String) -> UInt64 {
        var writer = ByteWriter()
        UpkeepRequest(kind: kind, keyspace: keyspace).encode(into: &writer)
        return request(.upkeep(writer.bytes), at: name)
    }

    /// Ends the upkeep that a node's store was asked for.
    func endUpkeep(_ results: [UpkeepResult], at name: String) {
        let node = self[name]
        node.plane.upkeepFinished(results, at: now, into: &node.effects)
        run()
    }

    /// What a request for upkeep was answered with; nil while there is no answer, or for a failure.
    func upkeepReport(_ correlation: UInt64) -> UpkeepResponse? {
        guard let answer = answers[correlation], answer.kind == .upkeepReport else { return nil }
        return try? UpkeepResponse(
            decoding: ByteRange(offset: 0, count: answer.body.count),
            of: answer.body.span.bytes
        )
    }

    func isDone(_ correlation: UInt64) -> Bool { answers[correlation]?.kind == .done }

    func status(at name: String) -> StatusResponse? {
        guard let answer = answers[request(.status, at: name)] else { return nil }
        return try? StatusResponse(
            decoding: ByteRange(offset: 0, count: answer.body.count),
            of: answer.body.span.bytes
        )
    }

    /// Gives a node a frame as if `from` had sent it.
    func inject(
        _ kind: PeerKind,
        from: NodeID,
        to name: String,
        epoch: UInt64 = 1,
        correlation: UInt64 = 1,
        _ body: [UInt8]
    ) {
        let node = self[name]
        node.plane.receive(
            Frame.Header(kind: kind.rawValue, correlation: correlation, epoch: epoch),
            body: ByteRange(offset: 0, count: body.count),
            of: body.span.bytes,
            from: from,
            at: now,
            into: &node.effects
        )
        run()
    }

    // MARK: Carrying out

    /// What a node's clocks show.
    func instant(of node: Node) -> Instant {
        let wall = Int64(now.wall.milliseconds) + node.clockOffset
        return Instant(
            monotonic: now.monotonic,
            wall: WallClockTime(milliseconds: UInt64(wall))
        )
    }

    /// Lets time pass in steps of 50 ms.
    func advance(_ duration: Duration) {
        for _ in 0..<max(1, duration.wholeMilliseconds / 50) {
            now.monotonic = now.monotonic + .milliseconds(50)
            now.wall = WallClockTime(milliseconds: now.wall.milliseconds + 50)
            for (_, node) in ordered where node.isUp {
                node.plane.tick(at: instant(of: node), into: &node.effects)
            }
            run()
        }
    }

    /// Makes what waits on a node's disk durable.
    func releaseDisk(_ name: String) {
        self[name].holdsDisk = false
        run()
    }

    func run() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for (id, node) in ordered { isBusy = drain(id, node) || isBusy }
            let batch = packets
            packets = []
            for packet in batch where !isDropped(packet) {
                isBusy = true
                deliver(packet)
            }
        }
    }

    private func drain(_ id: NodeID, _ node: Node) -> Bool {
        node.waiting += node.effects.persists
        node.effects.persists = []
        var outgoing: [(Int, [UInt8])] = []
        node.effects.links.drain { outgoing.append(($0, $1)) }
        for (target, bytes) in outgoing where node.isUp {
            var kinds: [PeerKind] = []
            Self.cut(bytes) { header, _ in
                if let kind = PeerKind(rawValue: header.kind) { kinds.append(kind) }
            }
            let to = NodeID(UInt16(target))
            packets.append(Packet(from: id, to: to, bytes: bytes, kinds: kinds))
        }
        for reply in node.effects.replies where node.isUp {
            Self.cut(reply.frame) { header, body in
                guard let kind = ClientKind(rawValue: header.kind) else { return }
                answers[header.correlation] = (kind, reply.frame.span.bytes.array(body))
                answerCounts[header.correlation, default: 0] += 1
            }
        }
        node.effects.replies = []
        if let liveness = node.effects.liveness { node.liveness = liveness }
        if let view = node.effects.view { node.epoch = view.topology.epoch }
        if let blocked = node.effects.blockedPeers { node.blocked = blocked }
        node.effects.liveness = nil
        node.effects.view = nil
        node.effects.blockedPeers = nil
        if let job = node.effects.upkeep { node.upkeep.append(job) }
        node.effects.upkeep = nil
        node.notices += node.effects.notices
        node.effects.notices = []
        guard node.isUp, !node.holdsDisk, !node.waiting.isEmpty else { return !outgoing.isEmpty }
        let persist = node.waiting.removeFirst()
        store(persist.content, on: node)
        node.plane.persisted(persist.ticket, at: now, into: &node.effects)
        return true
    }

    private func store(_ content: ControlEffects.Persist.Content, on node: Node) {
        switch content {
        case .clockBound(let bound): node.disk.clockBound = bound
        case .acceptor(let bytes): node.disk.acceptor = try? RegisterAcceptor(decoding: bytes)
        case .topology(let bytes):
            if let topology = try? Topology(decoding: bytes) { node.disk.topology = topology }
        case .incarnations(let bytes):
            if let seen = try? PeerIncarnations(decoding: bytes) { node.disk.incarnations = seen }
        case .lostLife(let start): node.disk.lostLife = max(node.disk.lostLife, start)
        }
    }

    private func deliver(_ packet: Packet) {
        guard let node = nodes[packet.to], node.isUp, nodes[packet.from]?.isUp == true else {
            return
        }
        observe(packet)
        Self.cut(packet.bytes) { header, body in
            node.plane.receive(
                header,
                body: body,
                of: packet.bytes.span.bytes,
                from: packet.from,
                at: instant(of: node),
                into: &node.effects
            )
        }
    }

    private static func cut(_ bytes: [UInt8], _ body: (Frame.Header, ByteRange) -> Void) {
        var offset = 0
        while case .frame(let header, let range)? = try? Frame.cut(
            bytes.span.bytes,
            at: offset,
            limit: Frame.maximumBodySize
        ) {
            body(header, range)
            offset = range.end
        }
    }
}
