import Causality
import ClusterPrimitives
import Logging
import MutualTLS
import NIOCore
import NIOPosix
import NodeCore
import ObjectStorage
import Partitioning
import Replication

/// The parts of a node that runs, and the order in which they start and stop.
struct RunningNode: Sendable {
    let clusterName: String
    let epoch: UInt64
    let startNumber: UInt64
    let peerAddress: String
    let clientAddress: String
    private let parts: Parts

    private struct Parts: Sendable {
        var store: ReplicaStore
        var states: NodeStateStore
        var security: NodeSecurity
        var sync: SyncThread
        var disks: DiskThreads
        var maintenance: MaintenanceThreads
        var upkeep: UpkeepThread
        var statePool: NIOThreadPool
        var memory: ConnectionMemory
        var laneGroup: MultiThreadedEventLoopGroup
        var controlGroup: MultiThreadedEventLoopGroup
        var router: LaneRouter
        var listeners: [Listener]
        var logger: Logger
    }

    // MARK: Start

    /// Opens the data directory, starts the loops, and listens.
    static func start(
        _ configuration: ServerConfiguration,
        logger: Logger
    ) async throws -> RunningNode {
        let opened = try NodeStore.open(configuration)
        let topology = opened.opened.topology
        let security = try security(configuration, cluster: topology.clusterName)
        let contexts = try contextAuthority(configuration, topology)
        guard let member = topology.member(named: configuration.name) else {
            throw NodeError.notAMember(
                name: configuration.name,
                cluster: topology.clusterName,
                topology: "the topology of epoch \(topology.epoch)",
                members: topology.members.map(\.name)
            )
        }
        let store = opened.objects
        StoreFindings.log(store, logger)
        if opened.opened.lostLife > 0 {
            logger.error(
                "data of an earlier life is lost here: reads are unknown until a repair",
                metadata: ["lost_start": "\(opened.opened.lostLife)"]
            )
        }
        let latency = ForegroundLatency()
        let sync = SyncThread(
            store: store,
            latency: latency,
            durability: configuration.durability,
            lanes: configuration.lanes,
            logger: logger
        )
        let disks = DiskThreads(store: store, latency: latency)
        let maintenance = MaintenanceThreads(
            store: store,
            latency: latency,
            maximumCompactions: configuration.storage.parallelCompactions,
            logger: logger
        )
        let upkeep = UpkeepThread(store: store, maintenance: maintenance)
        let statePool = NIOThreadPool(numberOfThreads: 1)
        statePool.start()
        let memory = ConnectionMemory()
        let laneGroup = MultiThreadedEventLoopGroup(numberOfThreads: configuration.lanes)
        let controlGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)

        let assembly = Assembly(
            configuration: configuration,
            opened: opened,
            member: member,
            security: security,
            contexts: contexts,
            sync: sync,
            disks: disks,
            maintenance: maintenance,
            upkeep: upkeep,
            statePool: statePool,
            memory: memory,
            logger: logger
        )
        let router = try await assembly.makeDrivers(
            laneGroup: laneGroup,
            controlGroup: controlGroup
        )
        var parts = Parts(
            store: store,
            states: opened.states,
            security: security,
            sync: sync,
            disks: disks,
            maintenance: maintenance,
            upkeep: upkeep,
            statePool: statePool,
            memory: memory,
            laneGroup: laneGroup,
            controlGroup: controlGroup,
            router: router,
            listeners: [],
            logger: logger
        )
        do {
            try await listen(configuration, member, opened.opened.clockBound, &parts)
        } catch {
            try? await stop(parts, within: .zero)
            throw error
        }
        return RunningNode(
            clusterName: topology.clusterName,
            epoch: topology.epoch,
            startNumber: opened.opened.lives.current.start,
            peerAddress: parts.listeners[0].address.map(AddressText.of) ?? "",
            clientAddress: parts.listeners[1].address.map(AddressText.of) ?? "",
            parts: parts
        )
    }

    private static func listen(
        _ configuration: ServerConfiguration,
        _ member: Member,
        _ clockBound: HybridTimestamp,
        _ parts: inout Parts
    ) async throws(NodeError) {
        let refusals = RefusalLog(logger: parts.logger)
        let memory = parts.memory
        for port in [InboundConnection.Port.peer, .client] {
            if port == .client { await waitForClock(clockBound, logger: parts.logger) }
            let environment = Listener.Environment(
                security: parts.security,
                lanes: parts.router.lanes,
                gate: ConnectionGate(
                    maximumStrangers: configuration.maximumUnauthenticatedConnections,
                    maximumAccepted: port == .peer
                        ? configuration.maximumPeerConnections
                        : configuration.maximumClientConnections,
                    memory: memory
                ),
                refusals: refusals,
                settings: InboundConnection.Settings(
                    handshakeTimeout: configuration.handshakeTimeout
                )
            )
            let endpoint =
                port == .peer
                ? configuration.peerListen ?? member.peerEndpoint
                : configuration.clientListen ?? member.clientEndpoint
            parts.listeners.append(
                try await Listener.open(
                    port,
                    at: endpoint,
                    accepting: parts.controlGroup,
                    lanes: parts.laneGroup,
                    environment
                )
            )
        }
    }

    /// Waits until this node's stamps, which begin at the bound that its last life left on disk,
    /// lie no further ahead of its clock than the other nodes accept.
    private static func waitForClock(_ bound: HybridTimestamp, logger: Logger) async {
        let margin = HybridClock.maximumOffset - .milliseconds(100)
        let ahead =
            Int64(clamping: bound.wall.milliseconds)
            - Int64(clamping: SystemClock.wallTime.milliseconds) - margin.wholeMilliseconds
        guard ahead > 0 else { return }
        let wait = min(Duration.milliseconds(ahead), HybridClock.reserve)
        if wait < .milliseconds(ahead) {
            logger.warning(
                "the clock went back since this node ran last: others have to coordinate writes",
                metadata: ["ahead_ms": "\(ahead)"]
            )
        }
        // Cancellation only shortens the wait.
        try? await Task.sleep(for: wait)
    }

    static func security(
        _ configuration: ServerConfiguration,
        cluster: String
    ) throws(NodeError) -> NodeSecurity {
        let security: NodeSecurity
        do {
            security = try NodeSecurity(
                TLSConfiguration(
                    cluster: cluster,
                    certificateFile: configuration.certificate,
                    keyFile: configuration.key,
                    authorityFile: configuration.certificateAuthority,
                    revocationListFile: configuration.certificateRevocationList
                )
            )
        } catch {
            throw .security("\(error)")
        }
        let name = security.contexts.peerServer.identity.name
        guard name == configuration.name else {
            throw .certificateOfAnother(certificate: name, name: configuration.name)
        }
        return security
    }

    private static func contextAuthority(
        _ configuration: ServerConfiguration,
        _ topology: Topology
    ) throws(NodeError) -> ContextAuthority {
        var secrets: [[UInt8]] = []
        for file in configuration.clusterSecrets {
            do {
                secrets.append(try CertificateAuthority.loadSecret(file: file))
            } catch {
                throw .security("\(error)")
            }
        }
        return ContextAuthority(cluster: topology.clusterIdentifier, secrets: secrets)
    }

    // MARK: Life

    /// Reads certificates and revocation lists again.
    func reloadSecurity() throws(NodeError) {
        do {
            try parts.security.reload()
        } catch {
            throw .security("\(error)")
        }
    }

    // MARK: Stop

    /// Lets open requests end, for `timeout` at most, then closes everything and syncs what was
    /// acknowledged.
    func stop(within timeout: Duration) async throws {
        try await Self.stop(parts, within: timeout)
    }

    private static func stop(_ parts: Parts, within timeout: Duration) async throws {
        for listener in parts.listeners { await listener.close() }
        parts.upkeep.cancel()
        for lane in parts.router.lanes { try await lane.call { $0.beginDraining() } }
        let deadline = ContinuousClock.now + timeout
        while ContinuousClock.now < deadline, try await !isQuiet(parts) {
            // Cancellation only shortens the wait.
            try? await Task.sleep(for: .milliseconds(10))
        }
        // Clients that are told close within a round trip.
        let lingering = min(deadline, ContinuousClock.now + .milliseconds(500))
        while ContinuousClock.now < lingering, try await hasLingering(parts) {
            try? await Task.sleep(for: .milliseconds(5))
        }
        try await parts.router.control.call { $0.stop() }
        for lane in parts.router.lanes { try await lane.call { $0.stop() } }
        try await parts.sync.shutDown()
        try await parts.disks.shutDown()
        try await parts.upkeep.shutDown()
        try await parts.maintenance.shutDown()
        try await parts.statePool.shutdownGracefully()
        do {
            try parts.store.close()
        } catch {
            throw NodeError.storage("\(error)")
        }
        parts.states.close()
        try await parts.laneGroup.shutdownGracefully()
        try await parts.controlGroup.shutdownGracefully()
    }

    private static func hasLingering(_ parts: Parts) async throws -> Bool {
        for lane in parts.router.lanes where try await lane.call({ $0.lingeringCount }) > 0 {
            return true
        }
        return false
    }

    private static func isQuiet(_ parts: Parts) async throws -> Bool {
        for lane in parts.router.lanes where try await !lane.call({ $0.isQuiet }) {
            return false
        }
        return true
    }
}
