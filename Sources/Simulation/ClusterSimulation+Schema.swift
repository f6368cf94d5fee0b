import ByteCoding
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Replication

/// An administrator who creates keyspaces while faults happen.
extension ClusterSimulation {
    /// A keyspace that was asked for.
    struct SchemaRequest {
        var name: String
        var effect = History.Effect.open
    }

    private static let maximumRequests = 16

    /// Enters the next creation.
    func scheduleSchemaChange() {
        let pause = faultRandom.number(in: 1000...20_000)
        agenda.after(UInt64(pause) * 1_000_000) { [unowned self] in
            guard isActive, schemaRequests.count < Self.maximumRequests else { return }
            requestKeyspace()
            scheduleSchemaChange()
        }
    }

    private func requestKeyspace() {
        let admitting = nodes.filter { $0.process?.isAdmitting == true }
        guard !admitting.isEmpty else { return }
        let node = faultRandom.pick(admitting)
        let port = ClientPort()
        guard let connection = connect(port, to: node, lane: 0) else { return }
        let index = schemaRequests.count
        schemaRequests.append(SchemaRequest(name: "extra-\(index)"))
        var inbox: [UInt8] = []
        port.received = { [unowned self] bytes in
            inbox.append(contentsOf: bytes)
            let cut = try? Frame.cut(inbox.span.bytes, at: 0, limit: Frame.maximumBodySize)
            guard case .frame(let header, let body)? = cut else { return }
            schemaRequests[index].effect = judge(header, body, inbox.span.bytes)
            log("creation of extra-\(index): \(schemaRequests[index].effect)")
            reset(connection)
        }
        port.lost = { [unowned self] in
            if schemaRequests[index].effect == .open { schemaRequests[index].effect = .unknown }
        }
        let request = CreateKeyspaceRequest(
            name: schemaRequests[index].name,
            mode: ConflictMode.lww.rawValue,
            lifetime: 0,
            readConsistency: .one,
            writeConsistency: .one,
            replication: [CreateKeyspaceRequest.Replication(datacenter: "dc1", replicas: 1)]
        )
        var writer = ByteWriter()
        let frame = writer.beginFrame(Frame.Header(kind: ClientKind.createKeyspace.rawValue))
        request.encode(into: &writer)
        writer.endFrame(frame)
        send(writer.bytes, on: connection, from: 0)
    }

    private func judge(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan
    ) -> History.Effect {
        if header.kind == ClientKind.topology.rawValue { return .done }
        guard let failure = try? FailureResponse(decoding: body, of: bytes) else {
            violate("a creation got an answer of kind \(header.kind)")
            return .unknown
        }
        return failure.written == .no ? .refused : .unknown
    }

    /// All nodes hold one topology, with what was acknowledged and without what was refused.
    func verifySchema() {
        guard let topology = nodes[0].process?.control.view.topology else { return }
        for node in nodes {
            guard let other = node.process?.control.view.topology, other != topology else {
                continue
            }
            violate("\(node.name) holds epoch \(other.epoch), n1 holds epoch \(topology.epoch)")
        }
        for request in schemaRequests {
            let exists = topology.keyspace(named: request.name) != nil
            switch request.effect {
            case .done where !exists:
                violate("keyspace \(request.name) was acknowledged and is gone")
            case .refused where exists:
                violate("keyspace \(request.name) was refused and exists")
            case .open:
                violate("the creation of \(request.name) was never answered")
            default:
                break
            }
        }
    }
}
