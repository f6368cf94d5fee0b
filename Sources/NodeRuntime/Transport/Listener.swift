import ClusterPrimitives
import Glibc
import MutualTLS
import NIOCore
import NIOPosix

/// One port of a node: accepts, and gives each connection to a lane.
struct Listener {
    /// Which port.
    let port: InboundConnection.Port
    private let channel: any Channel

    /// What the connections of a port are made with.
    struct Environment: Sendable {
        var security: NodeSecurity
        var lanes: [LoopHandle<LaneDriver>]
        var gate: ConnectionGate
        var refusals: RefusalLog
        var settings: InboundConnection.Settings
    }

    /// Listens at an endpoint.
    ///
    /// Accepting pauses for a second when the process has no more open files to give.
    ///
    /// - Throws: `NodeError.portInUse` or `cannotListen`.
    static func open(
        _ port: InboundConnection.Port,
        at endpoint: Endpoint,
        accepting: any EventLoopGroup,
        lanes: any EventLoopGroup,
        _ environment: Environment
    ) async throws(NodeError) -> Listener {
        do {
            let channel = try await ServerBootstrap(group: accepting, childGroup: lanes)
                .serverChannelOption(.backlog, value: 4096)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try configure(channel, port, environment)
                    }
                }
                .bind(host: endpoint.host, port: Int(endpoint.port))
                .get()
            return Listener(port: port, channel: channel)
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw .portInUse(port: port.rawValue, endpoint)
        } catch {
            throw .cannotListen(
                port: port.rawValue,
                endpoint,
                reason: ConnectFailure.text(of: error)
            )
        }
    }

    /// Where it listens; the port is the real one where the endpoint's was 0.
    var address: SocketAddress? { channel.localAddress }

    /// Stops accepting.
    func close() async {
        // One that is closed already is what was wanted.
        try? await channel.close()
    }

    private static func configure(
        _ channel: any Channel,
        _ port: InboundConnection.Port,
        _ environment: Environment
    ) throws {
        guard let lane = environment.lanes.first(where: { $0.loop === channel.eventLoop }) else {
            throw ChannelError.inappropriateOperationForState
        }
        let contexts = environment.security.contexts
        let tls = TLSHandler(
            context: port == .peer ? contexts.peerServer : contexts.clientServer,
            handshakeTimeout: TimeAmount(environment.settings.handshakeTimeout)
        )
        let connection = InboundConnection(
            port: port,
            driver: lane.here,
            tls: tls,
            settings: environment.settings,
            gate: environment.gate,
            refusals: environment.refusals
        )
        try channel.pipeline.syncOperations.addHandlers([tls, connection])
    }
}
