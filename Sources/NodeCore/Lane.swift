import ByteCoding
package import Causality
import ClientProtocol
package import ClusterPrimitives
import Partitioning
import PeerProtocol
package import Replication

/// The request coordination of one event loop: the requests of the clients whose connections
/// live there, and the jobs that other coordinators ask of this node.
///
/// It owns connections, not keys. It reads an immutable view of the cluster that the control
/// plane publishes, and knows nothing else of it.
package struct Lane: ~Copyable {
    let identity: NodeIdentity
    let number: UInt8
    let settings: NodeSettings
    let contexts: ContextAuthority
    var view: ClusterView
    var liveness: Liveness
    /// By node number: whether this lane's request link is up.
    var links: [Bool]
    var clock: HybridClock
    var random: SeededRandom
    /// Tells apart the writes that clients stamped with one millisecond.
    ///
    /// It begins at a number drawn from the life's actor, so that a timestamp used before and after
    /// a restart hardly makes one version twice.
    var clientStamps: UInt16
    var wheel = DeadlineWheel()
    var writes: RequestTable<OpenWrite>
    var reads: RequestTable<OpenRead>
    var scans: RequestTable<OpenScan>
    var forwards: RequestTable<OpenForward>
    var parked: [ParkedFrame] = []
    /// Of the open writes, those in keyspaces that are not lww.
    var updates = RequestAnnex<OpenUpdate>()
    /// By the read that came before; only looked up.
    var folds: [RequestID: OpenFold] = [:]
    /// Reads that are open for folds.
    var foldCount = 0
    /// Events of the requests that are traced, by request.
    var traces: [RequestID: [TraceEvent]] = [:]
    /// Reads so far, and those of them that asked one more replica.
    var readCount = 0
    var speculationCount = 0

    /// By connection number: how often it was given back, so that the result of a job outlives
    /// its connection without reaching the next one of that number.
    private var connectionGenerations: [UInt8] = []
    /// A bug planted to prove the simulation's checkers; nil everywhere else.
    package var deviation: CoordinationDeviation?

    /// The tables' kinds, as the ids carry them.
    enum Kind {
        static let write = 0
        static let read = 1
        static let scan = 2
        static let forward = 3
    }

    /// A lane without requests.
    ///
    /// - `lane`: its number on the node.
    /// - `clockBound`: the clock's upper bound on disk.
    package init(
        identity: NodeIdentity,
        lane: UInt8,
        view: ClusterView,
        settings: NodeSettings,
        contexts: ContextAuthority,
        clockBound: HybridTimestamp,
        clockStart: HybridTimestamp,
        random: SeededRandom
    ) {
        self.identity = identity
        clientStamps = UInt16(truncatingIfNeeded: identity.incarnation.actor.low)
        number = lane
        self.view = view
        self.settings = settings
        self.contexts = contexts
        liveness = Liveness(nodeCount: view.nodeCount)
        links = [Bool](repeating: false, count: view.nodeCount)
        clock = HybridClock(bound: clockStart)
        clock.boundPersisted(clockBound)
        self.random = random
        writes = RequestTable(lane: lane, kind: Kind.write)
        reads = RequestTable(lane: lane, kind: Kind.read)
        scans = RequestTable(lane: lane, kind: Kind.scan)
        forwards = RequestTable(lane: lane, kind: Kind.forward)
    }

    /// The lane of a node that owns the request a correlation belongs to.
    package static func lane(ofCorrelation correlation: UInt64) -> UInt8 {
        RequestID(rawValue: correlation).lane
    }

    /// Whether `tick` has anything to wait for.
    package var hasOpenRequests: Bool {
        openRequestCount > 0 || !parked.isEmpty
    }

    /// How many requests are open.
    package var openRequestCount: Int {
        writes.count + reads.count + scans.count + forwards.count
    }

    // MARK: The world outside

    /// This lane's request link to a node can be used.
    package mutating func linkUp(_ node: NodeID, at now: Instant, into effects: inout Effects) {
        if Int(node.rawValue) < links.count { links[Int(node.rawValue)] = true }
    }

    /// This lane's request link to a node is gone, and with it all answers that it owed.
    package mutating func linkDown(_ node: NodeID, at now: Instant, into effects: inout Effects) {
        if Int(node.rawValue) < links.count { links[Int(node.rawValue)] = false }
        effects.links.discard(Int(node.rawValue))
        peerFailed(node, at: now, into: &effects)
    }

    /// An inbound connection is gone: nobody waits for its answers any more.
    ///
    /// Its writes are on their way and stay so; they are only not counted any more.
    package mutating func disconnected(
        _ connection: ConnectionID,
        into effects: inout Effects
    ) {
        effects.connections.discard(Int(connection.rawValue))
        effects.controlRequests.removeAll {
            if case .client(_, _, let asker, _) = $0 { asker == connection } else { false }
        }
        while connectionGenerations.count <= Int(connection.rawValue) {
            connectionGenerations.append(0)
        }
        connectionGenerations[Int(connection.rawValue)] &+= 1
        parked.removeAll {
            switch $0.source {
            case .client(let source, _), .peer(_, let source): source == connection
            }
        }
        for id in writes.openIDs where writes[id]?.sink.connection == connection {
            forget(write: id)
        }
        for id in reads.openIDs where reads[id]?.sink.connection == connection {
            close(read: id)
        }
        for id in scans.openIDs where scans[id]?.sink.connection == connection {
            scans.remove(id)
        }
        for id in forwards.openIDs where forwards[id]?.sink.connection == connection {
            forwards.remove(id)
        }
    }

    /// A new view of the cluster is in force.
    package mutating func adopt(
        _ view: ClusterView,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard view.topology.epoch > self.view.topology.epoch else { return }
        self.view = view
        while links.count < view.nodeCount { links.append(false) }
        let ready = parked.filter { $0.epoch <= view.topology.epoch }
        parked.removeAll { $0.epoch <= view.topology.epoch }
        for frame in ready { replay(frame, at: now, into: &effects) }
    }

    /// A new picture of the other nodes.
    package mutating func update(
        _ liveness: Liveness,
        at now: Instant,
        into effects: inout Effects
    ) {
        let before = self.liveness
        self.liveness = liveness
        for member in view.topology.members
        where before.isUsable(member.id) && !liveness.isUsable(member.id) {
            peerFailed(member.id, at: now, into: &effects)
        }
    }

    /// The clock may go up to a new bound, which is on disk.
    package mutating func raise(clockBound: HybridTimestamp) {
        clock.boundPersisted(clockBound)
    }

    /// Looks at what is due; to be called about every 10 ms while requests are open.
    package mutating func tick(at now: Instant, into effects: inout Effects) {
        // Entries of answered requests stay until they are due, which may be a minute.
        if wheel.count > Self.maximumStaleEntries + 4 * openRequestCount { sweepWheel() }
        for entry in wheel.due(by: now.monotonic) {
            switch (RequestTable<OpenWrite>.kind(of: entry.id), entry.purpose) {
            case (Kind.write, .deadline): expire(write: entry.id, at: now, into: &effects)
            case (Kind.write, .patience): bypassRelays(of: entry.id, at: now, into: &effects)
            case (Kind.read, .deadline): expire(read: entry.id, at: now, into: &effects)
            case (Kind.read, .patience): speculate(entry.id, at: now, into: &effects)
            case (Kind.scan, .deadline): expire(scan: entry.id, at: now, into: &effects)
            case (Kind.forward, .deadline): expire(forward: entry.id, into: &effects)
            default: break
            }
        }
        expireParked(at: now, into: &effects)
    }

    /// Entries of the wheel whose requests may be gone before they are looked for: 65,536, about
    /// 1.5 MiB.
    private static var maximumStaleEntries: Int { 65_536 }

    private mutating func sweepWheel() {
        var open: Set<RequestID> = []
        for ids in [writes.openIDs, reads.openIDs, scans.openIDs, forwards.openIDs] {
            open.formUnion(ids)
        }
        wheel.keep(open.contains)
    }

    /// The result of a job that this lane asked for.
    package mutating func completed(
        _ result: StorageResult,
        at now: Instant,
        into effects: inout Effects
    ) {
        switch result {
        case .written(let origin, let status, let version, let shadow):
            switch origin.route {
            case .request:
                acknowledged(
                    RequestID(rawValue: origin.correlation),
                    by: identity.id,
                    PeerWriteReply(status: status, version: version, shadow: shadow),
                    at: now,
                    into: &effects
                )
            case .connection, .link:
                send(to: origin, .writeReply, into: &effects) {
                    PeerWriteReply(status: status, version: version, shadow: shadow)
                        .encode(into: &$0)
                }
            }
        case .read(let origin, let status, let contents, let digest, let version, let record):
            if origin.route == .request {
                answered(
                    read: RequestID(rawValue: origin.correlation),
                    by: identity.id,
                    status,
                    contents,
                    digest: digest,
                    record: record,
                    at: now,
                    into: &effects
                )
            } else {
                func reply(_ status: ReadStatus, _ record: [UInt8]) -> Bool {
                    send(to: origin, .readReply, into: &effects) {
                        PeerReadReply.encode(
                            status: status,
                            contents: contents,
                            digest: digest,
                            version: version,
                            record: record,
                            into: &$0
                        )
                    }
                }
                // What fits no frame cannot be told.
                if !reply(status, record) { _ = reply(.unknown, []) }
            }
        case .scanned(let origin, let page):
            if origin.route == .request {
                answered(
                    scan: RequestID(rawValue: origin.correlation),
                    by: identity.id,
                    page,
                    at: now,
                    into: &effects
                )
            } else {
                func reply(_ page: ReplicaPage) -> Bool {
                    send(to: origin, .scanReply, into: &effects) { page.encode(into: &$0) }
                }
                if !reply(page) {
                    _ = reply(ReplicaPage(status: .unknown, records: [], isComplete: false))
                }
            }
        case .updated(let origin, let result):
            let id = RequestID(rawValue: origin.correlation)
            updated(id, result, at: now, into: &effects)
        }
    }

    // MARK: Shared by the requests

    /// Whether requests can be sent to a node now.
    func isUsable(_ node: NodeID) -> Bool {
        node == identity.id
            || (liveness.isUsable(node) && Int(node.rawValue) < links.count
                && links[Int(node.rawValue)])
    }

    /// The replicas of a plan to which requests can be sent now.
    func usable(in plan: ReplicaPlan) -> ReplicaBits {
        var bits = ReplicaBits()
        for index in 0..<plan.count where isUsable(plan[index]) { bits.insert(index) }
        return bits
    }

    /// Appends a frame for the node's link.
    ///
    /// - Returns: false for one that is longer than peers take, which is not sent: the request
    ///   counts as not answered.
    @discardableResult
    func send(
        _ kind: PeerKind,
        to node: NodeID,
        _ correlation: UInt64,
        into effects: inout Effects,
        _ body: (inout ByteWriter) -> Void
    ) -> Bool {
        let header = Frame.Header(
            kind: kind.rawValue,
            correlation: correlation,
            epoch: view.topology.epoch,
            timestamp: clock.latest.rawValue
        )
        let excess = effects.links.write(to: Int(node.rawValue)) { writer in
            writer.peerFrame(header, body)
        }
        guard let excess else { return true }
        effects.notices.append(.frameTooLong(to: node, kind, size: excess))
        return false
    }

    private func generation(ofConnection number: Int) -> UInt8 {
        number < connectionGenerations.count ? connectionGenerations[number] : 0
    }

    /// The origin of a job that came on an inbound connection: its number below 2²⁴, and how
    /// often that number was given back.
    func origin(on connection: ConnectionID, _ correlation: UInt64) -> JobOrigin {
        let generation = UInt32(generation(ofConnection: Int(connection.rawValue)))
        return JobOrigin(
            route: .connection,
            target: generation << 24 | connection.rawValue & 0xFF_FFFF,
            correlation: correlation
        )
    }

    /// The number of the inbound connection on which a job came.
    package static func connection(of origin: JobOrigin) -> ConnectionID {
        ConnectionID(origin.target & 0xFF_FFFF)
    }

    /// Appends a frame for the one who asked for a job.
    ///
    /// - Returns: false for one that is longer than peers take, which is not sent.
    @discardableResult
    func send(
        to origin: JobOrigin,
        _ kind: PeerKind,
        into effects: inout Effects,
        _ body: (inout ByteWriter) -> Void
    ) -> Bool {
        if origin.route == .link {
            let node = NodeID(UInt16(truncatingIfNeeded: origin.target))
            return send(kind, to: node, origin.correlation, into: &effects, body)
        }
        let number = Int(origin.target & 0xFF_FFFF)
        guard origin.target >> 24 == UInt32(generation(ofConnection: number)) else { return true }
        let header = Frame.Header(
            kind: kind.rawValue,
            correlation: origin.correlation,
            epoch: view.topology.epoch,
            timestamp: clock.latest.rawValue
        )
        let excess = effects.connections.write(to: number) { writer in
            writer.peerFrame(header, body)
        }
        guard let excess else { return true }
        effects.notices.append(.frameTooLong(to: nil, kind, size: excess))
        return false
    }

    /// Answers the asker of a request.
    func respond(
        to sink: ResponseSink,
        _ kind: ClientKind,
        into effects: inout Effects,
        _ body: (inout ByteWriter) -> Void
    ) {
        effects.connections.write(to: Int(sink.connection.rawValue)) { writer in
            writer.response(
                to: sink,
                kind: kind,
                epoch: view.topology.epoch,
                timestamp: clock.latest.rawValue,
                body
            )
        }
    }

    /// Tells the asker that its request failed.
    func fail(_ sink: ResponseSink, _ failure: FailureResponse, into effects: inout Effects) {
        respond(to: sink, .failure, into: &effects) { failure.encode(into: &$0) }
    }

    /// Takes in the clock of a peer's frame.
    mutating func mergeClock(
        _ header: Frame.Header,
        from node: NodeID,
        at now: Instant,
        into effects: inout Effects
    ) {
        let timestamp = HybridTimestamp(rawValue: header.timestamp)
        if !clock.merge(timestamp, at: now.wall) {
            effects.notices.append(.clockAhead(node, timestamp: timestamp))
        }
    }

    /// A node will not answer what it was asked.
    mutating func peerFailed(_ node: NodeID, at now: Instant, into effects: inout Effects) {
        for id in writes.openIDs { lose(node, write: id, at: now, into: &effects) }
        for id in reads.openIDs { lose(node, read: id, at: now, into: &effects) }
        for id in scans.openIDs { lose(node, scan: id, at: now, into: &effects) }
        for id in forwards.openIDs { lose(node, forward: id, into: &effects) }
    }

    /// Adds to the trace of a request, where one was asked for.
    mutating func trace(
        _ id: RequestID,
        since start: MonotonicInstant,
        at now: Instant,
        _ node: NodeID,
        _ event: String,
        _ detail: @autoclosure () -> String
    ) {
        guard !traces.isEmpty, traces[id] != nil else { return }
        let elapsed = (now.monotonic - start).wholeNanoseconds / 1000
        traces[id]?.append(
            TraceEvent(
                microseconds: UInt32(clamping: elapsed),
                node: node,
                event: event,
                detail: detail()
            )
        )
    }
}

extension ByteWriter {
    /// Appends a frame for a peer, unless its body is longer than peers take.
    ///
    /// - Returns: the bytes of such a body; nil once the frame is there.
    fileprivate mutating func peerFrame(
        _ header: Frame.Header,
        _ body: (inout ByteWriter) -> Void
    ) -> Int? {
        let start = beginFrame(header)
        body(&self)
        let size = count - start - Frame.headerSize
        guard size <= Frame.maximumPeerBodySize else {
            bytes.removeLast(count - start)
            return size
        }
        endFrame(start)
        return nil
    }
}
