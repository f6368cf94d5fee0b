import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication

/// Lanes of several nodes joined by queues, over stores that are dictionaries: a request's whole
/// way without a network, a disk or a clock.
final class LaneCluster {
    /// A node: its lane, and the records it keeps.
    final class Node {
        var lane: Lane
        var effects = Effects()
        var records: [KeyspaceNumber: [[UInt8]: [UInt8]]] = [:]
        /// Writes that wait to be made durable, while `holdsWrites`.
        var heldWrites: [(StorageJob, [UInt8])] = []
        var holdsWrites = false
        /// Whether changes of its own copies wait to be made durable, too.
        var holdsUpdates = false
        var isUnreadable = false
        var isUp = true
        /// Who mints this node's dots.
        var actor: ActorID

        init(_ lane: consuming Lane, actor: ActorID) {
            self.lane = lane
            self.actor = actor
        }
    }

    /// A frame on its way.
    struct Packet {
        var from: NodeID
        var to: NodeID
        /// Whether it travels on the sender's own link, or back on an inbound connection.
        var isOnLink: Bool
        var bytes: [UInt8]
    }

    let topology: Topology
    let keyspace: Keyspace
    private(set) var nodes: [NodeID: Node] = [:]
    private var packets: [Packet] = []
    private(set) var answers: [(correlation: UInt64, kind: ClientKind, body: [UInt8])] = []
    /// Drops what it says true to.
    var isDropped: (Packet) -> Bool = { _ in false }
    /// Counts packets by the pair of datacenters they cross.
    private(set) var crossings = 0
    var now = Instant(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000),
        wall: WallClockTime(milliseconds: 1_700_000_000_000)
    )
    private var correlation: UInt64 = 0
    private static let client: UInt32 = 5000

    init(
        _ replication: [String: Int],
        nodesPerDatacenter: Int = 3,
        datacenters: [String] = ["dc1", "dc2"],
        mode: ConflictMode = .lww,
        settings: NodeSettings = NodeSettings(),
        clockStarts: [String: HybridTimestamp] = [:],
        life: UInt64 = 1
    ) throws {
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
        let founding = try Topology.founding(cluster: "test", members: members)
        topology = try founding.creating(
            KeyspaceDefinition(
                name: "k",
                replication: replication.sorted { $0.key < $1.key }.map {
                    KeyspaceDefinition.Replication(datacenter: $0.key, replicas: $0.value)
                },
                mode: mode
            )
        )
        keyspace = topology.keyspaces[0]
        for member in topology.members {
            let bound = HybridTimestamp(rawValue: .max)
            let actor = ActorID(high: 0, low: UInt64(member.id.rawValue) + 1000 * (life - 1))
            nodes[member.id] = Node(
                Lane(
                    identity: NodeIdentity(
                        id: member.id,
                        name: member.name,
                        clusterName: "test",
                        clusterIdentifier: topology.clusterIdentifier,
                        lives: NodeLives(Incarnation(start: life, actor: actor))
                    ),
                    lane: 0,
                    view: ClusterView(topology: topology, me: member.id),
                    settings: settings,
                    contexts: ContextAuthority(
                        cluster: topology.clusterIdentifier,
                        secrets: [[UInt8](repeating: 7, count: 32)]
                    ),
                    clockBound: bound,
                    clockStart: clockStarts[member.name] ?? .zero,
                    random: SeededRandom(seed: UInt64(member.id.rawValue))
                ),
                actor: actor
            )
        }
        refreshLiveness()
    }

    // MARK: Nodes

    func id(_ name: String) -> NodeID { topology.member(named: name)?.id ?? NodeID(0) }

    func node(_ name: String) -> Node? { nodes[id(name)] }

    /// The names of a key's replicas, in preference order.
    func replicas(of key: String) -> [String] {
        Ring(topology: topology, keyspace: keyspace).replicas(for: Token(ofKey: Array(key.utf8)))
            .compactMap { topology.member($0)?.name }
    }

    /// Stops a node, or lets it go on; the others see it at once.
    func set(_ name: String, isUp: Bool) {
        node(name)?.isUp = isUp
        refreshLiveness()
    }

    /// Breaks the links to a node without anyone's opinion of it changing.
    func breakLinks(to name: String) {
        for (other, node) in nodes where other != id(name) {
            node.lane.linkDown(id(name), at: now, into: &node.effects)
        }
        run()
    }

    func refreshLiveness() {
        for (id, node) in nodes {
            var liveness = Liveness(nodeCount: 1 + topology.members.count)
            for (other, peer) in nodes {
                liveness.entries[Int(other.rawValue)].isUsable = peer.isUp
                if other != id {
                    if peer.isUp {
                        node.lane.linkUp(other, at: now, into: &node.effects)
                    } else {
                        node.lane.linkDown(other, at: now, into: &node.effects)
                    }
                }
            }
            node.lane.update(liveness, at: now, into: &node.effects)
        }
        run()
    }

    // MARK: Requests

    /// Sends a request to a node and carries everything out that follows.
    ///
    /// - Returns: the correlation of its answer.
    @discardableResult
    func send(
        _ kind: ClientKind,
        to name: String,
        isAdmin: Bool = false,
        isTraced: Bool = false,
        epoch: UInt64 = 0,
        _ body: (inout ByteWriter) -> Void
    ) -> UInt64 {
        correlation += 1
        var writer = ByteWriter()
        body(&writer)
        let bytes = writer.bytes
        guard let node = node(name) else { return correlation }
        node.lane.receiveClient(
            Frame.Header(
                kind: kind.rawValue,
                flags: isTraced ? 1 : 0,
                correlation: correlation,
                epoch: epoch
            ),
            body: ByteRange(offset: 0, count: bytes.count),
            of: bytes.span.bytes,
            from: ConnectionID(Self.client),
            isAdmin: isAdmin,
            at: now,
            into: &node.effects
        )
        run()
        return correlation
    }

    /// The answer to a request; nil while there is none.
    func answer(_ correlation: UInt64) -> (kind: ClientKind, body: [UInt8])? {
        answers.last { $0.correlation == correlation }.map { ($0.kind, $0.body) }
    }

    /// What a put came to.
    enum PutOutcome {
        case written(WrittenResponse)
        case failed(FailureResponse)
        case none
    }

    func put(
        _ key: String,
        _ value: String,
        at name: String,
        _ level: ConsistencyLevel? = nil,
        context: [UInt8] = [],
        conflict: WriteRequest.Conflict = .restamp
    ) -> PutOutcome {
        outcome(
            send(.put, to: name) {
                WriteRequest.encode(
                    keyspace: keyspace.number,
                    level: level,
                    conflict: conflict,
                    timeout: 1000,
                    lifetime: 0,
                    key: Array(key.utf8),
                    context: context,
                    value: Array(value.utf8),
                    into: &$0
                )
            }
        )
    }

    func outcome(_ correlation: UInt64) -> PutOutcome {
        guard let (kind, body) = answer(correlation) else { return .none }
        let range = ByteRange(offset: 0, count: body.count)
        if kind == .written,
            let response = try? WrittenResponse(decoding: range, of: body.span.bytes)
        {
            return .written(response)
        }
        if let failure = try? FailureResponse(decoding: range, of: body.span.bytes) {
            return .failed(failure)
        }
        return .none
    }

    /// What a get came to.
    enum GetOutcome {
        case value(ValueResponse)
        case failed(FailureResponse)
        case none

        /// The value's text; nil when absent or failed.
        var text: String? {
            guard case .value(let response) = self, let first = response.values.first else {
                return nil
            }
            return String(decoding: first.bytes, as: UTF8.self)
        }
    }

    func get(
        _ key: String,
        at name: String,
        _ level: ConsistencyLevel? = nil,
        scope: GetRequest.Scope = .cluster,
        isTraced: Bool = false
    ) -> GetOutcome {
        let correlation = send(.get, to: name, isTraced: isTraced) {
            GetRequest.encode(
                keyspace: keyspace.number,
                level: level,
                scope: scope,
                kind: nil,
                timeout: 1000,
                key: Array(key.utf8),
                into: &$0
            )
        }
        return getOutcome(correlation)
    }

    func getOutcome(_ correlation: UInt64) -> GetOutcome {
        guard let (kind, body) = answer(correlation) else { return .none }
        let range = ByteRange(offset: 0, count: body.count)
        if kind == .value, let response = try? ValueResponse(decoding: range, of: body.span.bytes) {
            return .value(response)
        }
        if let failure = try? FailureResponse(decoding: range, of: body.span.bytes) {
            return .failed(failure)
        }
        return .none
    }

    /// A node's own record of a key, as text; nil when it has none.
    func copy(_ key: String, of name: String) -> String? {
        guard let record = node(name)?.records[keyspace.number]?[Array(key.utf8)],
            let stored = try? StoredRecord(
                decoding: ByteRange(offset: 0, count: record.count),
                of: record.span.bytes
            )
        else { return nil }
        return String(decoding: record[stored.value.offset...], as: UTF8.self)
    }

    /// Lets time pass and looks at what is due.
    func advance(_ duration: Duration) {
        now.monotonic = now.monotonic + duration
        now.wall = WallClockTime(
            milliseconds: now.wall.milliseconds + UInt64(duration.wholeMilliseconds)
        )
        for (_, node) in nodes.sorted(by: { $0.key < $1.key }) where node.isUp {
            node.lane.tick(at: now, into: &node.effects)
        }
        run()
    }

    // MARK: Carrying out

    /// Makes held writes of a node durable.
    func release(_ name: String) {
        guard let node = node(name) else { return }
        node.holdsWrites = false
        node.holdsUpdates = false
        let held = node.heldWrites
        node.heldWrites = []
        for (job, payload) in held { perform(job, payload, on: node) }
        run()
    }

    func run() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for (id, node) in nodes.sorted(by: { $0.key < $1.key }) {
                isBusy = drain(id, node) || isBusy
            }
            let batch = packets
            packets = []
            for packet in batch where !isDropped(packet) {
                isBusy = true
                deliver(packet)
            }
        }
    }

    private func drain(_ id: NodeID, _ node: Node) -> Bool {
        let jobs = node.effects.jobs
        let payload = node.effects.payload.bytes
        node.effects.jobs = []
        node.effects.payload = ByteWriter()
        for job in jobs { perform(job, payload, on: node) }
        var outgoing: [Packet] = []
        var replies: [[UInt8]] = []
        node.effects.links.drain { target, bytes in
            outgoing.append(
                Packet(from: id, to: NodeID(UInt16(target)), isOnLink: true, bytes: bytes)
            )
        }
        node.effects.connections.drain { target, bytes in
            if target == Int(Self.client) {
                replies.append(bytes)
            } else {
                outgoing.append(
                    Packet(from: id, to: NodeID(UInt16(target)), isOnLink: false, bytes: bytes)
                )
            }
        }
        packets += outgoing
        for bytes in replies {
            Self.cut(bytes, limit: Frame.maximumBodySize) { header, body in
                if let kind = ClientKind(rawValue: header.kind) {
                    answers.append((header.correlation, kind, bytes.span.bytes.array(body)))
                }
            }
        }
        return !jobs.isEmpty || !outgoing.isEmpty || !replies.isEmpty
    }

    private static func cut(
        _ bytes: [UInt8],
        limit: Int = Frame.maximumPeerBodySize,
        _ body: (Frame.Header, ByteRange) -> Void
    ) {
        var offset = 0
        while case .frame(let header, let range)? = try? Frame.cut(
            bytes.span.bytes,
            at: offset,
            limit: limit
        ) {
            body(header, range)
            offset = range.end
        }
    }

    private func deliver(_ packet: Packet) {
        guard let node = nodes[packet.to], node.isUp, nodes[packet.from]?.isUp == true else {
            return
        }
        if topology.member(packet.from)?.datacenter != topology.member(packet.to)?.datacenter,
            packet.isOnLink
        {
            Self.cut(packet.bytes) { header, _ in
                if header.kind == PeerKind.write.rawValue { crossings += 1 }
            }
        }
        Self.cut(packet.bytes) { header, range in
            node.lane.receivePeer(
                header,
                body: range,
                of: packet.bytes.span.bytes,
                from: packet.from,
                connection: packet.isOnLink ? ConnectionID(UInt32(packet.from.rawValue)) : nil,
                at: now,
                into: &node.effects
            )
        }
    }

    private func perform(_ job: StorageJob, _ payload: [UInt8], on node: Node) {
        switch job.work {
        case .write(let key, let record, let version, _):
            if node.holdsWrites {
                node.heldWrites.append((job, payload))
                return
            }
            let key = Array(payload[key.offset..<key.end])
            let record = Array(payload[record.offset..<record.end])
            let existing = node.records[job.keyspace]?[key]
            var status = WriteStatus.applied
            var shadow = Version.zero
            if keyspace.mode != .lww {
                let joined = keyspace.mode.records.joined(existing ?? [], record)
                node.records[job.keyspace, default: [:]][key] = joined
            } else if let existing, !LastWriterWins.incomingWins(existing, record) {
                let stored = try? StoredRecord(
                    decoding: ByteRange(offset: 0, count: existing.count),
                    of: existing.span.bytes
                )
                if let stored, stored.version > version {
                    status = .shadowed
                    shadow = stored.version
                }
            } else {
                node.records[job.keyspace, default: [:]][key] = record
            }
            node.lane.completed(
                .written(job.origin, status, version: version, shadow: shadow),
                at: now,
                into: &node.effects
            )
        case .read(let key, let contents):
            let record =
                node.records[job.keyspace]?[Array(payload[key.offset..<key.end])] ?? []
            let range = ByteRange(offset: 0, count: record.count)
            let summary = try? keyspace.mode.records.summary(range, of: record.span.bytes)
            node.lane.completed(
                .read(
                    job.origin,
                    node.isUnreadable ? .unknown : record.isEmpty ? .absent : .found,
                    contents: contents,
                    digest: keyspace.mode.records.digest(range, of: record.span.bytes),
                    version: summary?.newestVersion ?? .zero,
                    record: contents == .record ? record : []
                ),
                at: now,
                into: &node.effects
            )
        case .update(let update):
            if node.holdsUpdates {
                node.heldWrites.append((job, payload))
                return
            }
            let result = change(update, in: job.keyspace, on: node)
            node.lane.completed(.updated(job.origin, result), at: now, into: &node.effects)
        case .put(let put):
            var kept = job
            kept.work = .update(put.update(of: payload.span.bytes))
            perform(kept, payload, on: node)
        case .scan(let scan):
            var records = (node.records[job.keyspace] ?? [:]).map { key, record in
                ScannedRecord(token: Token(ofKey: key).ordered, key: key, record: record)
            }
            records.sort {
                $0.token == $1.token
                    ? $0.key.lexicographicallyPrecedes($1.key) : $0.token < $1.token
            }
            records = records.filter { record in
                guard record.token >= scan.fromToken, record.token <= scan.throughToken,
                    record.key.starts(with: scan.prefix)
                else { return false }
                guard record.token == scan.fromToken, let after = scan.after else { return true }
                return after.lexicographicallyPrecedes(record.key)
            }
            let page = Array(records.prefix(Int(scan.maximumEntries)))
            let isComplete = page.count == records.count
            node.lane.completed(
                .scanned(
                    job.origin,
                    ReplicaPage(
                        status: node.isUnreadable ? .unknown : .found,
                        records: page,
                        isComplete: isComplete,
                        coveredToken: isComplete ? 0 : page.last?.token ?? 0,
                        coveredKey: isComplete ? [] : page.last?.key ?? []
                    )
                ),
                at: now,
                into: &node.effects
            )
        }
    }

    private func change(
        _ update: KeyUpdate,
        in number: KeyspaceNumber,
        on node: Node
    ) -> UpdateResult {
        let mode = keyspace.mode.records
        let own = node.records[number]?[update.key] ?? []
        if node.isUnreadable, update.base == nil { return .unreadable(update) }
        let copy = mode.joined(node.isUnreadable ? [] : own, update.base ?? [])
        let outcome = mode.apply(
            update.change,
            seen: update.context,
            to: copy,
            UpdateTerms(
                version: update.version,
                actor: node.actor,
                wall: update.wall,
                maximumSize: Limits.maximumRecordSize,
                idsFrom: update.idsFrom
            )
        )
        switch outcome {
        case .changed(let record, let answer):
            let kept = mode.joined(update.base ?? [], record)
            node.records[number, default: [:]][update.key] = mode.joined(own, kept)
            return .applied(record: kept[...], answer)
        case .unchanged(let answer):
            return .unchanged(update, record: copy, answer)
        case .refused(let refusal):
            return .refused(update, refusal, record: copy)
        }
    }
}
