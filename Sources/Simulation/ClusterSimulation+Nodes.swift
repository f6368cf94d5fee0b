import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import NodeCore
import ObjectStorage
import Partitioning
import Replication
import StorageEngine

/// Lives of the nodes' processes, and their turns.
extension ClusterSimulation {
    private static let directory = "/data"
    static let storeDirectory = "/data/store"

    /// Gives a machine an empty disk with a data directory.
    func format(_ node: SimulatedNode) {
        do {
            try node.disk.createDirectory(Self.directory)
            try node.disk.syncDirectory("/")
        } catch {
            violate("the disk of \(node.name) cannot be prepared: \(error)")
        }
    }

    /// Starts a node's process from what is on its disk.
    func start(_ node: SimulatedNode) {
        guard node.process == nil else { return }
        let now = instant(of: node)
        do {
            let (state, opened) = try NodeStateStore.open(
                directory: Self.directory,
                on: node.disk,
                name: node.name,
                founding: founding,
                randomBytes: nodeRandom.bytes(16)
            )
            var engine = EngineOptions()
            engine.memoryBudget = scenario.memoryBudget
            engine.segmentSize = scenario.segmentSize
            engine.blockSize = 1024
            engine.spareSegments = scenario.spareSegments
            engine.fragmentSize = scenario.fragmentSize
            engine.cacheSize = scenario.cacheSize
            engine.openFiles = 4
            engine.diskReserve = scenario.diskReserve
            engine.maximumValueSize = Frame.maximumPeerBodySize
            engine.compaction.minimumTables = 3
            engine.compaction.maximumTables = 6
            engine.compaction.minimumSize = scenario.likeSize
            engine.compaction.maximumCompactionBytes = 4 * scenario.fragmentSize
            engine.identity = opened.engineIdentity
            let store = try ReplicaStore.open(
                directory: Self.storeDirectory,
                on: node.disk,
                topology: opened.topology,
                actor: options.mutant == .reuseActor
                    ? ActorID(high: 1, low: UInt64(node.index)) : opened.lives.current.actor,
                earlierActors: opened.lives.earlier.map(\.actor),
                options: engine
            )
            if opened.lostLife > 0, options.mutant != .trustOldDisk { store.distrust() }
            let identity = NodeIdentity(
                id: node.id,
                name: node.name,
                clusterName: opened.topology.clusterName,
                clusterIdentifier: opened.topology.clusterIdentifier,
                lives: opened.lives
            )
            let control = ControlPlane(
                identity: identity,
                topology: opened.topology,
                acceptor: opened.acceptor,
                clockBound: opened.clockBound,
                incarnations: opened.incarnations,
                lostLife: opened.lostLife,
                settings: Self.settings,
                random: nodeRandom.fork(),
                startedAt: now.monotonic
            )
            let view = control.view
            let process = NodeProcess(
                identity: identity,
                control: control,
                store: store,
                state: state,
                lostLife: opened.lostLife,
                nodeCount: nodes.count + 1
            )
            for number in 0..<scenario.lanes {
                var lane = Lane(
                    identity: identity,
                    lane: UInt8(number),
                    view: view,
                    settings: Self.settings,
                    contexts: contexts,
                    clockBound: opened.clockBound,
                    clockStart: opened.clockBound,
                    random: nodeRandom.fork()
                )
                switch options.mutant {
                case .oneAcknowledgementLess: lane.deviation = .oneAcknowledgementLess
                case .noReadRepair: lane.deviation = .noReadRepair
                case .contextOfEverything: lane.deviation = .contextOfEverything
                case .noOperationIDs: lane.deviation = .noOperationIDs
                case .removalOfEverything: lane.deviation = .removalOfEverything
                case .answerBeforeSync, .trustOldDisk, .reuseActor, nil: break
                }
                process.lanes.append(
                    LaneProcess(number: number, lane: lane, nodeCount: nodes.count + 1)
                )
            }
            node.process = process
            node.isSilent = false
            let start = opened.lives.current.start
            trace.add(.started, at: agenda.now, place: node.index, number: start)
            log("\(node.name) starts (#\(start))")
            began(node, clockBound: opened.clockBound)
        } catch {
            guard node.isFull else { return violate("\(node.name) cannot start: \(error)") }
            log("\(node.name) cannot start on its full disk")
            agenda.after(500_000_000) { [unowned self] in start(node) }
        }
    }

    private func began(_ node: SimulatedNode, clockBound: HybridTimestamp) {
        let life = node.life
        tickControl(node, life)
        for peer in nodes where peer !== node {
            connect(node, .urgent, to: peer)
            for lane in 0..<scenario.lanes { connect(node, .lane(lane), to: peer) }
        }
        admitClients(node, life, clockBound)
        flushSometimes(node, life)
    }

    /// Lets clients in once the node's stamps are believed by the others.
    private func admitClients(_ node: SimulatedNode, _ life: Int, _ bound: HybridTimestamp) {
        guard node.life == life, let process = node.process else { return }
        let wall = instant(of: node).wall.milliseconds
        // Until a peer speaks to it a node cannot know that its disk went back in time.
        let isUnaware = node.isRolledBack && !process.control.isRolledBack
        if !isUnaware, wall + 400 >= bound.wall.milliseconds {
            process.isAdmitting = true
            return
        }
        agenda.after(20_000_000) { [unowned self] in admitClients(node, life, bound) }
    }

    /// Ends a node's process at once.
    ///
    /// With `isSilent` the machine goes with it, so that nobody is told.
    func crash(_ node: SimulatedNode, isSilent: Bool) {
        guard node.process != nil else { return }
        trace.add(.crashed, at: agenda.now, place: node.index, number: isSilent ? 1 : 0)
        log("\(node.name) \(isSilent ? "loses its power" : "crashes")")
        node.disk = node.disk.crashClone(random: &diskRandom)
        end(node, isSilent: isSilent)
    }

    /// Stops a node's process in order.
    func stop(_ node: SimulatedNode) {
        guard let process = node.process else { return }
        trace.add(.crashed, at: agenda.now, place: node.index, number: 2)
        log("\(node.name) stops")
        do {
            try process.store.close()
        } catch {
            if !node.isFull { violate("\(node.name) cannot close its store: \(error)") }
        }
        process.state.close()
        end(node, isSilent: false)
    }

    private func end(_ node: SimulatedNode, isSilent: Bool) {
        let life = node.life
        node.process = nil
        node.life += 1
        node.isSilent = isSilent
        for connection in connections {
            for side in 0..<2 {
                guard case .node(node.index, life, _) = connection.parties[side] else { continue }
                let delay =
                    isSilent
                    ? UInt64(scenario.stallLimit) * 1_000_000
                    : Self.draw(scenario.linkTime, &networkRandom)
                agenda.after(delay) { [unowned self] in
                    guard connection.isOpen else { return }
                    close(connection)
                    lose(connection, at: 1 - side)
                }
            }
        }
    }

    // MARK: Turns of lanes

    /// Does something with a lane and carries out what it asks for.
    func turn(_ node: SimulatedNode, _ number: Int, _ body: (LaneProcess) -> Void) {
        guard let process = node.process else { return }
        body(process.lanes[number])
        flush(node, number)
    }

    /// Carries out what a lane's steps asked for.
    func flush(_ node: SimulatedNode, _ number: Int) {
        guard let process = node.process else { return }
        let lane = process.lanes[number]
        submitJobs(node, process, lane)
        var frames: [(Connection?, Int, [UInt8])] = []
        lane.effects.links.drain { destination, bytes in
            frames.append((lane.links[destination], 0, bytes))
        }
        lane.effects.connections.drain { destination, bytes in
            guard destination < lane.inbound.count else { return }
            frames.append((lane.inbound[destination], 1, bytes))
        }
        for (connection, side, bytes) in frames {
            if let connection { send(bytes, on: connection, from: side) }
        }
        note(lane.effects.notices, of: node)
        lane.effects.notices.removeAll()
        let requests = lane.effects.controlRequests
        lane.effects.controlRequests.removeAll()
        for case .client(_, _, let connection, _) in requests {
            lane.owed[Int(connection.rawValue)] += 1
        }
        let life = node.life
        if !requests.isEmpty {
            agenda.after(0) { [unowned self] in
                guard node.life == life else { return }
                let now = instant(of: node)
                controlTurn(node) { process in
                    for request in requests {
                        process.control.request(request, at: now, into: &process.controlEffects)
                    }
                }
            }
        }
        guard lane.lane.hasOpenRequests, !lane.isTickScheduled else { return }
        lane.isTickScheduled = true
        agenda.after(10_000_000) { [unowned self] in
            guard node.life == life else { return }
            lane.isTickScheduled = false
            let now = instant(of: node)
            turn(node, number) { $0.lane.tick(at: now, into: &$0.effects) }
        }
    }

    private func note(_ notices: [NodeNotice], of node: SimulatedNode) {
        for notice in notices {
            switch notice {
            case .readRepaired(_, let replicas):
                repairCount += replicas
            case .malformedFrame(let peer, let reason):
                violate(
                    "\(node.name) cannot read a frame of \(peer.map(\.description) ?? "a client"): \(reason)"
                )
            case .frameTooLong(_, let kind, let size):
                violate("\(node.name) did not send a \(kind) of \(size) bytes")
            case .peerRolledBack(let peer, let seen, let presented):
                let isExpected = nodes.contains { $0.id == peer && $0.isRolledBack }
                if !isExpected {
                    violate("\(node.name) saw \(peer) start as #\(seen), now as #\(presented)")
                }
            case .rolledBack(let peer, let start):
                log("\(node.name) hears of \(peer) that it has lost life #\(start)")
            case .peerUp(let peer):
                log("\(node.name) uses \(peer) again")
            case .peerDown(let peer, _, let isRefused):
                log("\(node.name) gives \(peer) up\(isRefused ? " (refused)" : "")")
            case .topologyAdopted(let epoch):
                log("\(node.name) adopts epoch \(epoch)")
            case .upkeepBegan(let job):
                log("\(node.name) begins \(job)")
            case .upkeepEnded(let job, _, let damaged):
                log("\(node.name) ends \(job)")
                if !damaged.isEmpty, !node.isCorrupt {
                    violate("\(node.name) found damage on a healthy disk")
                }
            case .clockDeviates(let milliseconds, let isOff):
                log(
                    "\(node.name)'s clock \(isOff ? "is \(milliseconds) ms ahead" : "agrees again")"
                )
            case .counterFolded:
                log("\(node.name) folds a counter")
            case .clockAhead, .lateAnswer, .peersBlocked, .manySiblings, .largeRecord:
                break
            }
        }
    }

    // MARK: Turns of the control plane

    /// Does something with a control plane and carries out what it asks for.
    func controlTurn(_ node: SimulatedNode, _ body: (NodeProcess) -> Void) {
        guard let process = node.process else { return }
        body(process)
        flushControl(node)
    }

    /// Carries out what a control plane's steps asked for.
    func flushControl(_ node: SimulatedNode) {
        guard let process = node.process else { return }
        var frames: [(Connection?, [UInt8])] = []
        process.controlEffects.links.drain { destination, bytes in
            frames.append((process.urgentLinks[destination], bytes))
        }
        for (connection, bytes) in frames {
            if let connection { send(bytes, on: connection, from: 0) }
        }
        for reply in process.controlEffects.replies {
            let lane = process.lanes[Int(reply.lane)]
            let number = Int(reply.connection.rawValue)
            lane.owed[number] -= 1
            if let connection = lane.inbound[number] {
                send(reply.frame, on: connection, from: 1)
            }
        }
        process.controlEffects.replies.removeAll()
        process.persists.append(contentsOf: process.controlEffects.persists)
        process.controlEffects.persists.removeAll()
        note(process.controlEffects.notices, of: node)
        process.controlEffects.notices.removeAll()
        publish(node, process)
        persistNext(node, process)
        beginUpkeep(node, process)
    }

    /// Hands the control plane's snapshots to the lanes.
    private func publish(_ node: SimulatedNode, _ process: NodeProcess) {
        let view = process.controlEffects.view
        let liveness = process.controlEffects.liveness
        let bound = process.controlEffects.clockBound
        process.controlEffects.view = nil
        process.controlEffects.liveness = nil
        process.controlEffects.clockBound = nil
        // Hellos are written with the control plane at hand.
        process.controlEffects.incarnations = nil
        process.lostLife = process.controlEffects.lostLife ?? process.lostLife
        process.controlEffects.lostLife = nil
        guard view != nil || liveness != nil || bound != nil else { return }
        let life = node.life
        agenda.after(0) { [unowned self] in
            guard node.life == life else { return }
            let now = instant(of: node)
            for number in 0..<scenario.lanes {
                turn(node, number) { lane in
                    if let bound { lane.lane.raise(clockBound: bound) }
                    if let view { lane.lane.adopt(view, at: now, into: &lane.effects) }
                    if let liveness { lane.lane.update(liveness, at: now, into: &lane.effects) }
                }
            }
        }
    }

    private func tickControl(_ node: SimulatedNode, _ life: Int) {
        guard node.life == life, let process = node.process else { return }
        let now = instant(of: node)
        if agenda.now % 1_000_000_000 < 50_000_000 {
            process.control.update(load: process.store.load)
        }
        // A store that refuses writes syncs nothing, and still has upkeep to do.
        maintain(node, process)
        controlTurn(node) { $0.control.tick(at: now, into: &$0.controlEffects) }
        agenda.after(50_000_000) { [unowned self] in tickControl(node, life) }
    }
}
