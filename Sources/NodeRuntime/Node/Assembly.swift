import Causality
import ClientProtocol
import ClusterPrimitives
import Logging
import NIOCore
import NIOPosix
import NodeCore
import ObjectStorage
import Partitioning
import Replication

/// Makes the drivers of a node, each on the loop that it is confined to.
struct Assembly: Sendable {
    let configuration: ServerConfiguration
    let opened: NodeStore
    let member: Member
    let security: NodeSecurity
    let contexts: ContextAuthority
    let sync: SyncThread
    let disks: DiskThreads
    let maintenance: MaintenanceThreads
    let upkeep: UpkeepThread
    let statePool: NIOThreadPool
    let memory: ConnectionMemory
    let logger: Logger

    private var topology: Topology { opened.opened.topology }

    private var identity: NodeIdentity {
        NodeIdentity(
            id: member.id,
            name: member.name,
            clusterName: topology.clusterName,
            clusterIdentifier: topology.clusterIdentifier,
            lives: opened.opened.lives
        )
    }

    private var settings: NodeSettings {
        var settings = NodeSettings()
        settings.maximumValueSize = configuration.maximumValueSize
        settings.allowsFaultInjection = configuration.faultInjection
        if case .periodic = configuration.durability { settings.durability = .periodic }
        return settings
    }

    /// Makes and connects the control plane's driver and the lanes'.
    func makeDrivers(
        laneGroup: MultiThreadedEventLoopGroup,
        controlGroup: MultiThreadedEventLoopGroup
    ) async throws -> LaneRouter {
        var lanes: [LoopHandle<LaneDriver>] = []
        for (index, loop) in laneGroup.makeIterator().enumerated() {
            let seed = ProcessSetup.randomSeed()
            lanes.append(
                try await loop.submit { makeLane(UInt8(index), loop, seed: seed) }.get()
            )
        }
        let loop = controlGroup.next()
        let seed = ProcessSetup.randomSeed()
        let control = try await loop.submit { makeControl(loop, seed: seed) }.get()
        let router = LaneRouter(lanes: lanes, control: control)
        sync.start(lanes)
        disks.start(lanes)
        for lane in lanes { try await lane.call { $0.start(router) } }
        try await control.call { driver in
            driver.start(router, persists: makePersists(driver))
        }
        let sync = sync
        loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            sync.markIdle()
        }
        if case .periodic(let interval) = configuration.durability {
            let period = TimeAmount(interval)
            loop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
                sync.syncPeriodically()
            }
        }
        return router
    }

    private func makeLane(
        _ index: UInt8,
        _ loop: any EventLoop,
        seed: UInt64
    ) -> LoopHandle<LaneDriver> {
        let view = ClusterView(topology: topology, me: member.id)
        let lane = Lane(
            identity: identity,
            lane: index,
            view: view,
            settings: settings,
            contexts: contexts,
            clockBound: opened.opened.clockBound,
            clockStart: opened.opened.clockBound,
            random: SeededRandom(seed: seed)
        )
        let driver = LaneDriver(
            LaneDriver.Environment(
                index: index,
                loop: loop,
                identity: identity,
                storage: LaneStorage(
                    store: opened.objects,
                    sync: sync,
                    disks: disks,
                    lane: index
                ),
                security: security,
                notices: NoticeLogger(logger: logger),
                logger: logger
            ),
            lane: lane,
            view: view,
            incarnations: opened.opened.incarnations,
            lostLife: opened.opened.lostLife,
            lanes: configuration.lanes
        )
        return LoopHandle(driver, loop: loop)
    }

    private func makeControl(_ loop: any EventLoop, seed: UInt64) -> LoopHandle<ControlDriver> {
        let plane = ControlPlane(
            identity: identity,
            topology: topology,
            acceptor: opened.opened.acceptor,
            clockBound: opened.opened.clockBound,
            incarnations: opened.opened.incarnations,
            lostLife: opened.opened.lostLife,
            settings: settings,
            random: SeededRandom(seed: seed),
            startedAt: SystemClock.monotonicTime
        )
        let store = opened.objects
        let maintenance = maintenance
        let upkeep = upkeep
        let memory = memory
        let statePool = statePool
        let driver = ControlDriver(
            ControlDriver.Environment(
                loop: loop,
                identity: identity,
                security: security,
                notices: NoticeLogger(logger: logger),
                logger: logger,
                load: {
                    memory.look(statePool)
                    return store.load
                },
                runUpkeep: { job, finished in upkeep.run(job, finished: finished) },
                look: { maintenance.look() }
            ),
            plane: plane
        )
        return LoopHandle(driver, loop: loop)
    }

    private func makePersists(_ driver: ControlDriver) -> PersistQueue {
        PersistQueue(
            states: opened.states,
            store: opened.objects,
            loop: driver.loop,
            pool: statePool,
            logger: logger,
            persisted: { [unowned driver] in driver.persisted($0) }
        )
    }
}
