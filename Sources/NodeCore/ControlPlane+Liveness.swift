import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Membership
import Partitioning
import PeerProtocol
import Replication

/// Who seems alive: a heartbeat and its answer over each directed link, judged by φ.
///
/// It changes routing only; ownership follows committed topologies.
extension ControlPlane {
    mutating func sendHeartbeats(at now: Instant, into effects: inout ControlEffects) {
        for member in view.topology.members {
            guard let peer = peer(member.id), peer.isLinkUp else { continue }
            sendHeartbeat(to: member.id, at: now, into: &effects)
        }
    }

    mutating func sendHeartbeat(
        to node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        heartbeatSequence &+= 1
        let heartbeat = Heartbeat(
            sequence: heartbeatSequence,
            sent: now.monotonic.nanoseconds
        )
        send(.heartbeat, to: node, into: &effects) { heartbeat.encode(into: &$0) }
    }

    func answer(
        _ heartbeat: Heartbeat,
        to node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        let reply = HeartbeatReply(
            sequence: heartbeat.sequence,
            sent: heartbeat.sent,
            wall: now.wall,
            load: load,
            uptime: uptime(at: now),
            isDataKnown: !isRolledBack,
            softwareVersion: settings.softwareVersion
        )
        send(.heartbeatReply, to: node, into: &effects) { reply.encode(into: &$0) }
    }

    mutating func receive(
        _ reply: HeartbeatReply,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard var peer = peer(node) else { return }
        // The answer to a heartbeat of an earlier connection or process proves nothing.
        guard reply.sent <= now.monotonic.nanoseconds, reply.sequence <= heartbeatSequence else {
            return
        }
        peer.detector.heartbeat(at: now.monotonic)
        peer.hasAnswered = true
        peer.load = reply.load
        peer.uptime = reply.uptime
        peer.softwareVersion = reply.softwareVersion
        peer.isDataKnown = reply.isDataKnown
        // Off by half of the way's time at most.
        let way = Duration.nanoseconds(
            Int64(clamping: (now.monotonic.nanoseconds - reply.sent) / 2)
        )
        peer.clockDrift =
            ClockHealth.drift(reply.wall, now.monotonic) + way.wholeMilliseconds
        peers[Int(node.rawValue)] = peer
        if !peer.wasUsable { judgePeers(at: now, into: &effects) }
    }

    /// Milliseconds by which a peer's clock is ahead of this node's; nil before it spoke.
    private func clockOffset(of peer: Peer, at now: Instant) -> Int64? {
        peer.clockDrift.map { $0 - ClockHealth.drift(now.wall, now.monotonic) }
    }

    /// The clocks of the nodes that are heard, against this one's.
    private func clockOffsets(at now: Instant) -> [Int64] {
        peers.compactMap { peer in
            peer.flatMap { $0.wasUsable ? clockOffset(of: $0, at: now) : nil }
        }
    }

    private func uptime(at now: Instant) -> UInt32 {
        UInt32(clamping: (now.monotonic - startedAt).wholeMilliseconds / 1000)
    }

    private func isUsable(_ peer: Peer, at now: Instant) -> Bool {
        peer.hasAnswered && !peer.isRefused
            && peer.detector.phi(at: now.monotonic) < settings.convictionThreshold
    }

    /// Publishes the picture of the others when a verdict changed, and every period anyway.
    mutating func judgePeers(at now: Instant, into effects: inout ControlEffects) {
        var hasChanged = false
        for member in view.topology.members {
            guard var peer = peer(member.id) else { continue }
            peer.detector.evaluated(at: now.monotonic)
            let isUsable = isUsable(peer, at: now)
            if isUsable != peer.wasUsable {
                hasChanged = true
                peer.wasUsable = isUsable
                effects.notices.append(
                    isUsable
                        ? .peerUp(member.id)
                        : .peerDown(
                            member.id,
                            phi: peer.detector.phi(at: now.monotonic),
                            isRefused: peer.isRefused
                        )
                )
            }
            peers[Int(member.id.rawValue)] = peer
        }
        judgeClock(at: now, into: &effects)
        guard hasChanged || now.monotonic >= nextLiveness else { return }
        nextLiveness = now.monotonic + settings.heartbeatPeriod
        effects.liveness = liveness(at: now)
    }

    /// Tells when this node's clock leaves the others', and when it is back.
    private mutating func judgeClock(at now: Instant, into effects: inout ControlEffects) {
        let offsets = clockOffsets(at: now)
        if !offsets.isEmpty {
            clockHealth = ClockHealth(offsets: offsets, wall: now.wall, monotonic: now.monotonic)
        }
        let isOff = ClockHealth.isOff(clockHealth.deviation(at: now.wall, now.monotonic))
        guard isOff != wasClockOff else { return }
        wasClockOff = isOff
        effects.notices.append(
            .clockDeviates(milliseconds: clockHealth.deviation, isOff: isOff)
        )
    }

    private func liveness(at now: Instant) -> Liveness {
        var liveness = Liveness(nodeCount: view.nodeCount)
        liveness.clock = clockHealth
        let median = ClockHealth.median(clockOffsets(at: now))
        for index in peers.indices {
            if let peer = peers[index] {
                liveness.entries[index] = Liveness.Entry(
                    isUsable: peer.wasUsable,
                    phi: peer.detector.phi(at: now.monotonic),
                    silence: max(.zero, now.monotonic - peer.detector.lastArrival),
                    isRefused: peer.isRefused
                )
                liveness.entries[index].isClockOff =
                    clockOffset(of: peer, at: now).map { ClockHealth.isOff($0 - median) } ?? false
            } else if index == Int(identity.id.rawValue) {
                liveness.entries[index].isUsable = true
            }
        }
        return liveness
    }

    /// What this node knows of all members.
    func status(at now: Instant) -> StatusResponse {
        let median = ClockHealth.median(clockOffsets(at: now))
        return StatusResponse(
            durability: settings.durability,
            nodes: view.topology.members.map { member in
                guard let peer = peer(member.id) else {
                    return StatusResponse.Node(
                        id: member.id,
                        state: .up,
                        phi: 0,
                        silence: 0,
                        load: load,
                        uptime: uptime(at: now),
                        version: settings.softwareVersion,
                        incarnation: identity.incarnation.description,
                        epoch: view.topology.epoch,
                        clockDeviation: Int32(clamping: -median),
                        isDataKnown: !isRolledBack
                    )
                }
                let phi = peer.detector.phi(at: now.monotonic)
                let silence = max(.zero, now.monotonic - peer.detector.lastArrival)
                return StatusResponse.Node(
                    id: member.id,
                    state: !isUsable(peer, at: now) ? .down : phi >= 5 ? .suspect : .up,
                    phi: phi,
                    silence: UInt32(clamping: silence.wholeMilliseconds),
                    load: peer.load,
                    uptime: peer.uptime,
                    version: peer.softwareVersion,
                    incarnation: incarnations[member.id]?.description ?? "",
                    epoch: peer.epoch,
                    clockDeviation: clockOffset(of: peer, at: now)
                        .map { Int32(clamping: $0 - median) } ?? 0,
                    isDataKnown: peer.isDataKnown
                )
            }
        )
    }
}
