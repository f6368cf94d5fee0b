import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Replication

/// The beginning and the end of a run: a keyspace to work in, and what must hold once all is
/// healed and quiet.
extension ClusterSimulation {
    private static let keyspaceName = "sim"

    /// Asks a node for something and lets the world go on until it answers.
    ///
    /// - Returns: nil when there was no answer.
    private func ask(
        _ node: SimulatedNode,
        _ kind: ClientKind,
        _ body: (inout ByteWriter) -> Void
    ) -> (kind: ClientKind, body: [UInt8])? {
        let port = ClientPort()
        guard let connection = connect(port, to: node, lane: 0) else { return nil }
        var inbox: [UInt8] = []
        var answer: (ClientKind, [UInt8])?
        var isLost = false
        port.received = { bytes in
            inbox.append(contentsOf: bytes)
            let cut = try? Frame.cut(inbox.span.bytes, at: 0, limit: Frame.maximumBodySize)
            if case .frame(let header, let range)? = cut,
                let kind = ClientKind(rawValue: header.kind)
            {
                answer = (kind, inbox.span.bytes.array(range))
            }
        }
        port.lost = { isLost = true }
        var writer = ByteWriter()
        let frame = writer.beginFrame(Frame.Header(kind: kind.rawValue, correlation: 1))
        body(&writer)
        writer.endFrame(frame)
        send(writer.bytes, on: connection, from: 0)
        _ = run(until: { answer != nil || isLost }, limit: .seconds(12))
        reset(connection)
        return answer
    }

    /// Creates the keyspace that the clients work in.
    func createKeyspace() -> KeyspaceNumber? {
        run(for: .seconds(1))
        let request = CreateKeyspaceRequest(
            name: Self.keyspaceName,
            mode: scenario.mode.rawValue,
            lifetime: 0,
            readConsistency: .quorum,
            writeConsistency: .quorum,
            replication: scenario.replicas.enumerated().map {
                CreateKeyspaceRequest.Replication(
                    datacenter: "dc\($0.offset + 1)",
                    replicas: UInt8($0.element)
                )
            }
        )
        let answer = ask(nodes[0], .createKeyspace) { request.encode(into: &$0) }
        guard let answer, answer.kind == .topology,
            let topology = try? Topology(decoding: answer.body),
            let keyspace = topology.keyspace(named: Self.keyspaceName)
        else {
            violate("the keyspace could not be created in a healthy cluster")
            return nil
        }
        let isKnown = run(
            until: {
                self.nodes.allSatisfy {
                    $0.process?.control.view.topology.epoch == topology.epoch
                }
            },
            limit: .seconds(5)
        )
        if !isKnown { violate("the keyspace was not known to all nodes within 5 s") }
        return keyspace.number
    }

    /// Ends all faults, starts what is down, and lets everything come to rest.
    func recover() {
        log("recovery")
        // Every fault has an end of its own; the longest takes 20 s.
        run(for: .seconds(25))
        for node in nodes where node.process == nil { start(node) }
        for node in nodes { node.clockOffset = 0 }
        run(for: .seconds(10))
        for client in clients where client.open != nil {
            violate("client \(client.index) still waits for an answer")
        }
    }

    /// Checks what must hold in a healed cluster at rest.
    func verify(_ keyspace: KeyspaceNumber) {
        for node in nodes {
            guard let process = node.process else {
                violate("\(node.name) does not run after its recovery")
                return
            }
            for lane in process.lanes where lane.lane.hasOpenRequests {
                violate(
                    "lane \(lane.number) of \(node.name) still has "
                        + "\(lane.lane.openRequestCount) open requests"
                )
            }
            if !process.unsynced.isEmpty {
                violate("\(node.name) still waits for its disk")
            }
        }
        verifySchema()
        for kind in [StoreUpkeep.compact, .scrub, .verify] {
            for node in nodes { verifyUpkeep(kind, of: node) }
        }
        guard let placement = nodes[0].process?.control.view.placement(of: keyspace) else {
            violate("the keyspace is gone")
            return
        }
        for key in 0..<scenario.keys {
            let token = Token(ofKey: History.key(key))
            let replicas = placement.ring.replicas(for: token)
            var owners: [SimulatedNode] = []
            for index in 0..<replicas.count {
                owners.append(nodes[Int(replicas[index].rawValue) - 1])
            }
            if scenario.mode == .lww { verifyDurability(of: key, keyspace, owners) }
            verifyReads(of: key, keyspace, owners)
            verifyAgreement(on: key, keyspace, owners)
        }
    }

    /// Upkeep that is asked for is done, and finds a healthy disk; what follows reads what it left.
    private func verifyUpkeep(_ kind: StoreUpkeep, of node: SimulatedNode) {
        let answer = ask(node, .upkeep) {
            UpkeepRequest(kind: kind, keyspace: nil).encode(into: &$0)
        }
        guard let answer, answer.kind == .upkeepReport,
            let response = try? UpkeepResponse(
                decoding: ByteRange(offset: 0, count: answer.body.count),
                of: answer.body.span.bytes
            )
        else {
            violate("\(node.name) does not \(kind) its store\(reason(answer))")
            return
        }
        for result in response.results {
            guard case .done(let report) = result.outcome else {
                if node.isCorrupt, kind == .compact { continue }
                violate("\(node.name) cannot \(kind) \(result.keyspace): \(result.outcome)")
                continue
            }
            // A scrub leaves nothing damaged behind.
            if node.isCorrupt, kind != .verify { continue }
            let leftovers = report.damage.count + report.lost.count + report.skippedTables.count
            if leftovers > 0 { violate("\(kind) finds damage at \(node.name): \(report)") }
        }
    }

    /// What is established at a level is held by as many replicas as the level asks for.
    private func verifyDurability(
        of key: Int,
        _ keyspace: KeyspaceNumber,
        _ owners: [SimulatedNode]
    ) {
        let copies = owners.map { (node: $0, copy: ownCopy(of: key, keyspace, $0)) }
        for entry in history.established[key] {
            var counts = Array(repeating: 0, count: scenario.nodes.count)
            for (node, copy) in copies {
                // What a damaged table had is unknown, and may have been there.
                let isHeld =
                    copy.map { version(of: $0, key, keyspace) >= entry.version }
                    ?? node.isCorrupt
                if isHeld { counts[node.datacenter] += 1 }
            }
            if !entry.requirement.isMet(by: counts) {
                violate(
                    "a version of key-\(key) was established at \(entry.requirement), but only "
                        + "\(counts) replicas hold it or a newer one"
                )
            }
        }
    }

    private func ownCopy(
        of key: Int,
        _ keyspace: KeyspaceNumber,
        _ node: SimulatedNode
    ) -> ValueResponse? {
        let answer = ask(node, .get) {
            GetRequest.encode(
                keyspace: keyspace,
                level: .one,
                scope: .ownCopy,
                kind: nil,
                timeout: 2000,
                key: History.key(key),
                into: &$0
            )
        }
        guard let answer, answer.kind == .value,
            let response = try? ValueResponse(
                decoding: ByteRange(offset: 0, count: answer.body.count),
                of: answer.body.span.bytes
            )
        else {
            if !node.isCorrupt { violate("\(node.name) cannot read its own copy of key-\(key)") }
            return nil
        }
        return response
    }

    /// The version that the context of an lww key's copy holds.
    private func version(
        of copy: ValueResponse,
        _ key: Int,
        _ keyspace: KeyspaceNumber
    ) -> Version {
        let context = contexts.decode(
            ByteRange(offset: 0, count: copy.context.count),
            of: copy.context.span.bytes,
            keyspace: keyspace,
            key: History.key(key).span.bytes
        )
        return context?.version ?? .zero
    }

    /// Reads at QUORUM and at ALL succeed and bring what is established.
    private func verifyReads(
        of key: Int,
        _ keyspace: KeyspaceNumber,
        _ owners: [SimulatedNode]
    ) {
        for level in [ConsistencyLevel.quorum, .all] {
            let node = clientRandom.pick(nodes)
            var operation = history.begin(
                .get,
                key: key,
                level: level,
                datacenter: node.datacenter
            )
            operation.begun = scenario.counts ? counters.tick() : updates.tick()
            let answer = ask(node, .get) {
                GetRequest.encode(
                    keyspace: keyspace,
                    level: level,
                    scope: .cluster,
                    kind: nil,
                    timeout: 5000,
                    key: History.key(key),
                    into: &$0
                )
            }
            guard let answer, answer.kind == .value,
                let response = try? ValueResponse(
                    decoding: ByteRange(offset: 0, count: answer.body.count),
                    of: answer.body.span.bytes
                )
            else {
                // A replica that does not know is missing; one of three is not needed.
                let mayFail = owners.contains(where: \.isCorrupt)
                if mayFail, level == .all || owners.count < 3 { continue }
                violate(
                    "key-\(key) cannot be read at \(level) from \(node.name) after recovery"
                        + "\(reason(answer))"
                )
                continue
            }
            if scenario.mode == .lww {
                judge(response, operation, keyspace)
            } else {
                judgeContents(response, operation, keyspace)
            }
        }
    }

    private func reason(_ answer: (kind: ClientKind, body: [UInt8])?) -> String {
        guard let answer else { return ": no answer" }
        let failure = try? FailureResponse(
            decoding: ByteRange(offset: 0, count: answer.body.count),
            of: answer.body.span.bytes
        )
        return ": \(failure?.message ?? "an answer of kind \(answer.kind)")"
    }

    /// After a read at ALL every replica has the same copy.
    private func verifyAgreement(
        on key: Int,
        _ keyspace: KeyspaceNumber,
        _ owners: [SimulatedNode]
    ) {
        let copies = owners.map { ownCopy(of: key, keyspace, $0) }
        // Without one of them there was no read at ALL.
        guard let first = copies.first ?? nil, copies.allSatisfy({ $0 != nil }) else { return }
        for (node, copy) in zip(owners, copies) {
            guard let copy else { continue }
            // The context tells all that was ever heard of, and so the whole record.
            if copy.contents != first.contents || copy.context != first.context {
                violate(
                    "\(node.name) and \(owners[0].name) differ on key-\(key) after a read at ALL"
                )
            }
        }
    }
}
