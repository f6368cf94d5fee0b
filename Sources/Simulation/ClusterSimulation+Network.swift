import ByteCoding
import Causality
import ClusterPrimitives
import NodeCore
import ObjectStorage
import Partitioning
import PeerProtocol
import Replication

/// Connections between nodes, and from clients to nodes.
extension ClusterSimulation {
    // MARK: Links between nodes

    /// Opens a link from a node's control plane or lane to another node.
    func connect(_ node: SimulatedNode, _ channel: Party.Channel, to peer: SimulatedNode) {
        let life = node.life
        let isCut =
            links.isCut(from: node.index, to: peer.index)
            || links.isCut(from: peer.index, to: node.index)
        let trip = latency(node.index, peer.index) + latency(peer.index, node.index)
        if isCut || (peer.process == nil && peer.isSilent) {
            agenda.after(trip + 1_000_000_000) { [unowned self] in
                guard node.life == life else { return }
                failed(node, channel, to: peer, isRefused: false)
            }
            return
        }
        agenda.after(trip) { [unowned self] in
            guard node.life == life, node.process != nil else { return }
            guard peer.process != nil else {
                failed(node, channel, to: peer, isRefused: !peer.isSilent)
                return
            }
            // The accepting lane is known with the hello.
            let connection = open(
                .node(index: node.index, life: life, channel: channel),
                .node(index: peer.index, life: peer.life, channel: .urgent)
            )
            greet(connection, from: 0, node, channel)
        }
    }

    private func failed(
        _ node: SimulatedNode,
        _ channel: Party.Channel,
        to peer: SimulatedNode,
        isRefused: Bool
    ) {
        trace.add(.refused, at: agenda.now, place: node.index, number: UInt64(peer.index))
        linkDown(node, channel, peer, isRefused: isRefused)
    }

    /// Tells the owner of a link that it is down, and tries again later.
    private func linkDown(
        _ node: SimulatedNode,
        _ channel: Party.Channel,
        _ peer: SimulatedNode,
        isRefused: Bool
    ) {
        guard let process = node.process else { return }
        let now = instant(of: node)
        switch channel {
        case .urgent:
            process.urgentLinks[Int(peer.id.rawValue)] = nil
            controlTurn(node) {
                $0.control.linkDown(
                    peer.id,
                    isRefused: isRefused,
                    at: now,
                    into: &$0.controlEffects
                )
            }
        case .lane(let number):
            process.lanes[number].links[Int(peer.id.rawValue)] = nil
            turn(node, number) { $0.lane.linkDown(peer.id, at: now, into: &$0.effects) }
        }
        let life = node.life
        agenda.after(UInt64(networkRandom.number(in: 50...400)) * 1_000_000) { [unowned self] in
            guard node.life == life, node.process != nil else { return }
            connect(node, channel, to: peer)
        }
    }

    /// Sends a hello, or the answer to one.
    private func greet(
        _ connection: Connection,
        from side: Int,
        _ node: SimulatedNode,
        _ channel: Party.Channel
    ) {
        guard let process = node.process else { return }
        let topology = process.control.view.topology
        var lane: UInt8 = 0
        var peerClass = PeerClass.urgent
        if case .lane(let number) = channel {
            lane = UInt8(number)
            peerClass = .request
        }
        let hello = PeerHello(
            clusterIdentifier: topology.clusterIdentifier,
            foundingDigest: topology.foundingDigest,
            node: node.id,
            name: node.name,
            incarnation: process.identity.incarnation,
            known: connection.parties[1 - side].nodeIndex.flatMap {
                process.control.incarnations[nodes[$0].id]
            },
            peerClass: peerClass,
            lane: lane,
            epoch: topology.epoch
        )
        let kind: PeerKind = side == 0 ? .hello : .helloReply
        var writer = ByteWriter()
        let frame = writer.beginFrame(Frame.Header(kind: kind.rawValue))
        hello.encode(into: &writer)
        writer.endFrame(frame)
        send(writer.bytes, on: connection, from: side)
    }

    /// Takes the first frame of a connection on one side.
    ///
    /// - Returns: whether the connection goes on.
    private func takeGreeting(
        _ connection: Connection,
        at side: Int,
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan
    ) -> Bool {
        guard case .node(let index, let life, let channel) = connection.parties[side],
            let peerIndex = connection.parties[1 - side].nodeIndex,
            let process = nodes[index].process
        else { return false }
        let node = nodes[index]
        let peer = nodes[peerIndex]
        guard let hello = try? PeerHello(decoding: body, of: bytes) else {
            violate("\(node.name) cannot read the hello of \(peer.name)")
            return false
        }
        let topology = process.control.view.topology
        if let reason = hello.refusal(expecting: topology, certificateName: peer.name) {
            violate("\(node.name) refuses \(peer.name): \(reason)")
            return false
        }
        connection.isGreeted[side] = true
        trace.add(.connected, at: agenda.now, place: connection.number, bytes.array(body))
        let now = instant(of: node)
        if let known = hello.known, process.identity.lives.hasLost(known) {
            if !node.isRolledBack {
                violate("\(node.name) is told of a life that it never lost")
            }
            if options.mutant != .trustOldDisk { process.store.distrust() }
        }
        controlTurn(node) {
            $0.control.wasSeen(as: hello.known, by: peer.id, at: now, into: &$0.controlEffects)
        }
        if side == 1 {
            // The peer notes this life by the answer.
            guard process.identity.mayAnswer(seenAs: hello.known, lostLife: process.lostLife)
            else { return false }
            var own = Party.Channel.urgent
            if hello.peerClass == .request {
                let number = Int(hello.lane) % process.lanes.count
                own = .lane(number)
                _ = process.lanes[number].admit(connection)
            }
            connection.parties[1] = .node(index: index, life: life, channel: own)
            greet(connection, from: 1, node, own)
            return true
        }
        switch channel {
        case .urgent:
            process.urgentLinks[Int(peer.id.rawValue)] = connection
            controlTurn(node) {
                $0.control.peerAnswered(
                    peer.id,
                    as: hello.incarnation,
                    into: &$0.controlEffects
                )
                $0.control.linkUp(peer.id, at: now, into: &$0.controlEffects)
            }
        case .lane(let number):
            process.lanes[number].links[Int(peer.id.rawValue)] = connection
            turn(node, number) { $0.lane.linkUp(peer.id, at: now, into: &$0.effects) }
        }
        return true
    }

    // MARK: Clients

    /// Connects a client to a node; the hello is taken as done.
    ///
    /// - Returns: nil when the node does not run.
    func connect(_ port: ClientPort, to node: SimulatedNode, lane: Int) -> Connection? {
        guard let process = node.process else { return nil }
        let connection = open(
            .client(port),
            .node(index: node.index, life: node.life, channel: .lane(lane))
        )
        connection.isGreeted = [true, true]
        _ = process.lanes[lane].admit(connection)
        return connection
    }

    // MARK: Bytes

    private func open(_ initiator: Party, _ acceptor: Party) -> Connection {
        let connection = Connection(number: nextConnection, initiator, acceptor)
        nextConnection += 1
        connections.append(connection)
        return connection
    }

    private func latency(_ from: Int, _ to: Int) -> UInt64 {
        var time = Self.draw(scenario.linkTime, &networkRandom)
        if nodes[from].datacenter != nodes[to].datacenter {
            time += UInt64(scenario.distance) * 1000
        }
        return time + UInt64(links.slowness[from] + links.slowness[to]) * 1000
    }

    /// Sends bytes from one side of a connection to the other.
    func send(_ bytes: [UInt8], on connection: Connection, from side: Int) {
        guard connection.isOpen, !bytes.isEmpty else { return }
        var parts = [bytes]
        if bytes.count > 1, networkRandom.chance(1, in: 16) {
            let cut = 1 + networkRandom.below(bytes.count - 1)
            parts = [Array(bytes[..<cut]), Array(bytes[cut...])]
        }
        for part in parts {
            var time: UInt64
            if let from = connection.parties[side].nodeIndex,
                let to = connection.parties[1 - side].nodeIndex
            {
                time = latency(from, to)
            } else {
                time = Self.draw(scenario.linkTime, &networkRandom)
            }
            let arrival = max(agenda.now + time, connection.streams[side].lastArrival)
            connection.streams[side].lastArrival = arrival
            agenda.after(arrival - agenda.now) { [unowned self] in
                arrive(part, on: connection, from: side)
            }
        }
    }

    private func isCut(_ connection: Connection, from side: Int) -> Bool {
        guard let from = connection.parties[side].nodeIndex,
            let to = connection.parties[1 - side].nodeIndex
        else { return false }
        return links.isCut(from: from, to: to)
    }

    private func arrive(_ bytes: [UInt8], on connection: Connection, from side: Int) {
        guard connection.isOpen else { return }
        let isHeld = !connection.streams[side].held.isEmpty
        guard !isHeld, !isCut(connection, from: side) else {
            connection.streams[side].held.append(bytes)
            if !isHeld {
                agenda.after(UInt64(scenario.stallLimit) * 1_000_000) { [unowned self] in
                    if isCut(connection, from: side) { reset(connection) }
                }
            }
            return
        }
        receive(bytes, on: connection, at: 1 - side)
    }

    /// Lets pass what was held back where nothing is cut any more.
    func releaseHeld() {
        for connection in connections where connection.isOpen {
            for side in 0..<2
            where !connection.streams[side].held.isEmpty && !isCut(connection, from: side) {
                agenda.after(Self.draw(scenario.linkTime, &networkRandom)) { [unowned self] in
                    guard connection.isOpen, !isCut(connection, from: side) else { return }
                    let held = connection.streams[side].held
                    connection.streams[side].held = []
                    for bytes in held where connection.isOpen {
                        receive(bytes, on: connection, at: 1 - side)
                    }
                }
            }
        }
    }

    private func receive(_ bytes: [UInt8], on connection: Connection, at side: Int) {
        trace.add(.delivered, at: agenda.now, place: connection.number, bytes)
        switch connection.parties[side] {
        case .client(let port):
            port.received(bytes)
        case .node(let index, let life, _):
            guard nodes[index].life == life, nodes[index].process != nil else { return }
            connection.inbox[side].append(contentsOf: bytes)
            handleInbox(of: connection, at: side)
        }
    }

    /// Cuts the frames out of what arrived and hands them on, all in one turn.
    private func handleInbox(of connection: Connection, at side: Int) {
        var bytes = connection.inbox[side]
        connection.inbox[side] = []
        let isPeer = connection.parties[1 - side].nodeIndex != nil
        let limit = isPeer ? Frame.maximumPeerBodySize : Frame.maximumBodySize
        var offset = 0
        cutting: while connection.isOpen {
            switch try? Frame.cut(bytes.span.bytes, at: offset, limit: limit) {
            case .frame(let header, let body)?:
                offset = body.end
                dispatch(header, body, bytes.span.bytes, connection, side)
            case .incomplete?:
                break cutting
            case nil:
                violate("a frame on connection \(connection.number) cannot be cut")
                reset(connection)
                return
            }
        }
        flushTurn(of: connection, at: side)
        connection.inbox[side] = Array(bytes[offset...]) + connection.inbox[side]
        // What still points into the read must show.
        for index in bytes.indices { bytes[index] = 0xDB }
    }

    private func dispatch(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ connection: Connection,
        _ side: Int
    ) {
        guard connection.isGreeted[side] else {
            if !takeGreeting(connection, at: side, header, body, bytes) { reset(connection) }
            return
        }
        guard case .node(let index, _, let channel) = connection.parties[side],
            let process = nodes[index].process
        else { return }
        let node = nodes[index]
        let now = instant(of: node)
        let other = connection.parties[1 - side].nodeIndex.map { nodes[$0].id }
        switch (channel, other) {
        case (.urgent, let other?):
            process.control.receive(
                header,
                body: body,
                of: bytes,
                from: other,
                at: now,
                into: &process.controlEffects
            )
        case (.urgent, nil):
            return
        case (.lane(let number), let other?):
            var owner = number
            if side == 1, header.kind == PeerKind.writeReply.rawValue {
                owner = Int(Lane.lane(ofCorrelation: header.correlation))
                guard owner < process.lanes.count else { return }
            }
            let lane = process.lanes[owner]
            lane.lane.receivePeer(
                header,
                body: body,
                of: bytes,
                from: other,
                connection: side == 1 ? connection.identifier : nil,
                at: now,
                into: &lane.effects
            )
            if owner != number { flush(node, owner) }
        case (.lane(let number), nil):
            guard let identifier = connection.identifier else { return }
            let lane = process.lanes[number]
            lane.lane.receiveClient(
                header,
                body: body,
                of: bytes,
                from: identifier,
                isAdmin: true,
                at: now,
                into: &lane.effects
            )
        }
    }

    private func flushTurn(of connection: Connection, at side: Int) {
        guard case .node(let index, _, let channel) = connection.parties[side] else { return }
        switch channel {
        case .urgent: flushControl(nodes[index])
        case .lane(let number): flush(nodes[index], number)
        }
    }

    // MARK: Ends

    /// Breaks a connection: what is under way is lost, and each side hears of it.
    func reset(_ connection: Connection) {
        guard connection.isOpen else { return }
        close(connection)
        for side in 0..<2 {
            agenda.after(Self.draw(scenario.linkTime, &networkRandom)) { [unowned self] in
                lose(connection, at: side)
            }
        }
    }

    /// Ends a connection without telling anybody.
    func close(_ connection: Connection) {
        connection.isOpen = false
        connections.removeAll { $0 === connection }
    }

    /// Tells one side of a connection that it is gone.
    func lose(_ connection: Connection, at side: Int) {
        trace.add(.lost, at: agenda.now, place: connection.number, number: UInt64(side))
        switch connection.parties[side] {
        case .client(let port):
            port.lost()
        case .node(let index, let life, let channel):
            let node = nodes[index]
            guard node.life == life, let process = node.process else { return }
            if side == 0, let peer = connection.parties[1].nodeIndex {
                linkDown(node, channel, nodes[peer], isRefused: false)
            } else if case .lane(let number) = channel, let identifier = connection.identifier {
                process.lanes[number].inbound[Int(identifier.rawValue)] = nil
                turn(node, number) {
                    $0.lane.disconnected(identifier, into: &$0.effects)
                }
            }
        }
    }
}
