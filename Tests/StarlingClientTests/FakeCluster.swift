import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Foundation
import MutualTLS
import NIOCore
import NIOPosix
import Partitioning
import Synchronization

@testable import StarlingClient

/// Two nodes in two datacenters that speak the client protocol over TLS on loopback, with a
/// script instead of storage.
final class FakeCluster: Sendable {
    /// What a node does with one request.
    enum Move: Sendable {
        /// Answers it from the shared keys.
        case answer
        /// Refuses it.
        case fail(FailureCode, FailureResponse.Written)
        /// Refuses it with these words.
        case refuse(FailureResponse)
        /// Breaks the connection off, as a node does that dies.
        case hangUp
        /// Ends the connection in order, as a node does that stops.
        case end
        /// Says nothing.
        case ignore
    }

    /// A data request that a node answered.
    enum Request: Equatable, Sendable {
        /// A read of what the keyspace must hold.
        case get(DataKind?, ConsistencyLevel?)
        /// A put or a delete.
        case write(ClientKind, context: [UInt8])
        /// A change.
        case update(UpdateRequest.Change, context: [UInt8])
    }

    /// What all nodes share.
    struct State: Sendable {
        var topology: Topology?
        var contents: [[UInt8]: KeyContents] = [:]
        /// The data requests that were answered, in their order.
        var answered: [Request] = []
        /// What node `i` does next with data requests; afterwards it answers.
        var script: [Int: [Move]] = [:]
        /// Data requests that node `i` got.
        var received: [Int: Int] = [:]
        var clock: UInt64 = 1 << 40
    }

    let directory: String
    let state = Mutex(State())
    private let listeners: [any Channel]

    private init(directory: String, listeners: [any Channel]) {
        self.directory = directory
        self.listeners = listeners
    }

    /// The names of the nodes, each in the datacenter that its name begins with.
    static let names = ["dc1-n1", "dc2-n1"]

    /// The keyspaces and their modes.
    static let keyspaces: [(String, ConflictMode)] = [
        ("demo", .lww), ("carts", .siblings), ("hits", .counter), ("tags", .set), ("people", .map),
    ]

    /// Does some work with a cluster and a client of it, and leaves neither behind.
    static func run(
        adjust: (inout ClientConfiguration) -> Void = { _ in },
        _ body: (StarlingClient, FakeCluster) async throws -> Void
    ) async throws {
        let cluster = try await FakeCluster.start()
        var configuration = cluster.configuration()
        // Longer than the other tests can keep a busy machine from running this one.
        configuration.requestTimeout = .seconds(600)
        configuration.connectPatience = .seconds(600)
        adjust(&configuration)
        let client = try StarlingClient(configuration: configuration)
        do {
            try await body(client, cluster)
        } catch {
            client.close()
            await cluster.stop()
            throw error
        }
        client.close()
        await cluster.stop()
    }

    static func start() async throws -> FakeCluster {
        let directory = NSTemporaryDirectory() + "starling-client-\(UUID().uuidString)"
        try CertificateAuthority.createAuthority(in: directory, cluster: "dev", days: 1)
        try CertificateAuthority.createClient(
            in: directory,
            name: "tester",
            admin: true,
            days: 1
        )
        let box = NodeBox()
        var listeners: [any Channel] = []
        for (index, name) in names.enumerated() {
            try CertificateAuthority.createNode(
                in: directory,
                name: name,
                hosts: ["127.0.0.1"],
                days: 1
            )
            let tls = try TLSContext(
                TLSConfiguration(
                    cluster: "dev",
                    certificateFile: "\(directory)/\(name).crt",
                    keyFile: "\(directory)/\(name).key",
                    authorityFile: "\(directory)/ca.crt"
                ),
                role: .clientServer
            )
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            TLSHandler(
                                context: tls,
                                expectedName: nil,
                                handshakeTimeout: .seconds(5)
                            ),
                            FakeNodeHandler(index: index, box: box)
                        )
                    }
                }
                .bind(host: "127.0.0.1", port: 0)
                .get()
            listeners.append(listener)
        }
        let cluster = FakeCluster(directory: directory, listeners: listeners)
        box.cluster.withLock { $0 = cluster }
        let topology = try Topology.founding(
            cluster: "dev",
            members: names.enumerated().map { index, name in
                FoundingMember(
                    name: name,
                    datacenter: String(name.prefix(3)),
                    rack: "r1",
                    peer: Endpoint(host: "127.0.0.1", port: UInt16(1 + index)),
                    client: cluster.endpoint(index)
                )
            }
        )
        var created = topology
        for (name, mode) in keyspaces {
            let keyspace = KeyspaceDefinition(
                name: name,
                replication: ["dc1", "dc2"].map {
                    KeyspaceDefinition.Replication(datacenter: $0, replicas: 1)
                },
                mode: mode
            )
            created = try created.creating(keyspace)
        }
        let final = created
        cluster.state.withLock { $0.topology = final }
        return cluster
    }

    func endpoint(_ index: Int) -> Endpoint {
        Endpoint(
            host: "127.0.0.1",
            port: UInt16(listeners[index].localAddress?.port ?? 0)
        )
    }

    func configuration() -> ClientConfiguration {
        ClientConfiguration(
            cluster: "dev",
            nodes: Self.names.indices.map {
                ClientConfiguration.Node(
                    endpoint: endpoint($0),
                    datacenter: String(Self.names[$0].prefix(3)),
                    name: Self.names[$0]
                )
            },
            datacenter: "dc1",
            authorityFile: directory + "/ca.crt",
            certificateFile: directory + "/tester.crt",
            keyFile: directory + "/tester.key"
        )
    }

    func script(_ node: Int, _ moves: [Move]) {
        state.withLock { $0.script[node] = moves }
    }

    func received(_ node: Int) -> Int {
        state.withLock { $0.received[node] ?? 0 }
    }

    /// The data requests that were answered since this was last asked.
    func answered() -> [Request] {
        state.withLock { state in
            defer { state.answered = [] }
            return state.answered
        }
    }

    /// Stops listening; connections that exist stay.
    func stopListening(_ index: Int) async throws {
        try await listeners[index].close().get()
    }

    func stop() async {
        for listener in listeners { try? await listener.close().get() }
        try? FileManager.default.removeItem(atPath: directory)
    }
}

/// Gives handlers the cluster that is only made after them.
private final class NodeBox: Sendable {
    let cluster = Mutex<FakeCluster?>(nil)
}

/// One connection of a fake node.
private final class FakeNodeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let index: Int
    private let box: NodeBox
    private var bytes: [UInt8] = []

    init(index: Int, box: NodeBox) {
        self.index = index
        self.box = box
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += Array(Self.unwrapInboundIn(data).readableBytesView)
        guard let cluster = box.cluster.withLock({ $0 }) else { return }
        while case .frame(let header, let body)? = try? Frame.cut(
            bytes.span.bytes,
            at: 0,
            limit: Frame.maximumBodySize
        ) {
            let request = Array(bytes[body.offset..<body.end])
            bytes.removeFirst(body.end)
            receive(header, request, cluster, context)
        }
    }

    private func send(
        _ kind: ClientKind,
        to header: Frame.Header,
        epoch: UInt64,
        _ context: ChannelHandlerContext,
        _ encode: (inout ByteWriter) -> Void
    ) {
        var writer = ByteWriter()
        let start = writer.beginFrame(
            Frame.Header(kind: kind.rawValue, correlation: header.correlation, epoch: epoch)
        )
        encode(&writer)
        writer.endFrame(start)
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: writer.bytes)), promise: nil)
    }

    private func receive(
        _ header: Frame.Header,
        _ body: [UInt8],
        _ cluster: FakeCluster,
        _ context: ChannelHandlerContext
    ) {
        let topology = cluster.state.withLock { $0.topology }
        let epoch = topology?.epoch ?? 0
        switch ClientKind(rawValue: header.kind) {
        case .hello:
            send(.helloReply, to: header, epoch: epoch, context) { writer in
                ClientHelloReply(
                    cluster: "dev",
                    node: FakeCluster.names[index],
                    id: NodeID(UInt16(index + 1)),
                    datacenter: String(FakeCluster.names[index].prefix(3))
                ).encode(into: &writer)
            }
        case .describe:
            send(.topology, to: header, epoch: epoch, context) { writer in
                writer.raw(topology?.encode() ?? [])
            }
        case .get, .put, .delete, .update:
            let move = cluster.state.withLock { state in
                state.received[index, default: 0] += 1
                guard let next = state.script[index]?.first else { return FakeCluster.Move.answer }
                state.script[index]?.removeFirst()
                return next
            }
            switch move {
            case .hangUp:
                let tls = try? context.pipeline.syncOperations.handler(type: TLSHandler.self)
                tls?.breakOff()
            case .end: context.close(promise: nil)
            case .ignore: break
            case .fail(let code, let written):
                send(.failure, to: header, epoch: epoch, context) { writer in
                    FailureResponse(code: code, written: written, message: "as scripted")
                        .encode(into: &writer)
                }
            case .refuse(let response):
                send(.failure, to: header, epoch: epoch, context) { response.encode(into: &$0) }
            case .answer:
                answer(header, body, epoch, cluster, context)
            }
        default:
            context.close(promise: nil)
        }
    }

    private func answer(
        _ header: Frame.Header,
        _ body: [UInt8],
        _ epoch: UInt64,
        _ cluster: FakeCluster,
        _ context: ChannelHandlerContext
    ) {
        let range = ByteRange(offset: 0, count: body.count)
        let span = body.span.bytes
        let coordinator = NodeID(UInt16(index + 1))
        if header.kind == ClientKind.get.rawValue {
            guard let request = try? GetRequest(decoding: range, of: span) else { return }
            let contents = cluster.state.withLock { state in
                state.answered.append(.get(request.kind, request.level))
                return state.contents[span.array(request.key)]
            }
            send(.value, to: header, epoch: epoch, context) { writer in
                ValueResponse(
                    contents: contents ?? .absent(request.kind),
                    context: [7],
                    level: request.level ?? .localQuorum,
                    coordinator: coordinator,
                    required: 1,
                    responded: 1,
                    repaired: 0,
                    trace: header.flags & 1 == 0
                        ? []
                        : [
                            TraceEvent(
                                microseconds: 5,
                                node: coordinator,
                                event: "plan",
                                detail: "1 of 1"
                            )
                        ]
                ).encode(into: &writer)
            }
            return
        }
        let version = cluster.state.withLock { state in
            state.clock += 1
            return Version(
                timestamp: HybridTimestamp(rawValue: state.clock),
                node: coordinator,
                lane: 0
            )
        }
        let level: ConsistencyLevel?
        var sum: Int64 = 0
        if header.kind == ClientKind.update.rawValue {
            guard let request = try? UpdateRequest(decoding: range, of: span) else { return }
            level = request.level
            cluster.state.withLock {
                $0.answered.append(
                    .update(request.change, context: span.array(request.context))
                )
            }
            if case .increment(let amount, _) = request.change { sum = amount }
        } else {
            guard let kind = ClientKind(rawValue: header.kind),
                let request = try? WriteRequest(decoding: range, of: span)
            else { return }
            level = request.level
            cluster.state.withLock { state in
                state.answered.append(.write(kind, context: span.array(request.context)))
                let value = VersionedValue(
                    version: version,
                    expiry: nil,
                    bytes: span.array(request.value)
                )
                state.contents[span.array(request.key)] = .values(kind == .put ? [value] : [])
            }
        }
        send(.written, to: header, epoch: epoch, context) { writer in
            WrittenResponse(
                version: version,
                winner: .zero,
                context: [8],
                level: level ?? .localQuorum,
                coordinator: coordinator,
                acknowledged: 1,
                required: 1,
                shadowed: .no,
                sum: sum
            ).encode(into: &writer)
        }
    }
}

extension KeyContents {
    /// What an absent key holds.
    fileprivate static func absent(_ kind: DataKind?) -> KeyContents {
        switch kind {
        case .value, nil: .values([])
        case .counter: .counter(0)
        case .set: .set([])
        case .map: .map([])
        }
    }
}

/// The error of some work with a client; nil for none.
func failure(
    _ body: () async throws(StarlingError) -> Void
) async -> StarlingError? {
    do throws(StarlingError) {
        try await body()
        return nil
    } catch {
        return error
    }
}
