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
            load: load,
            uptime: uptime(at: now),
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
        peers[Int(node.rawValue)] = peer
        if !peer.wasUsable { judgePeers(at: now, into: &effects) }
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
        guard hasChanged || now.monotonic >= nextLiveness else { return }
        nextLiveness = now.monotonic + settings.heartbeatPeriod
        effects.liveness = liveness(at: now)
    }

    private func liveness(at now: Instant) -> Liveness {
        var liveness = Liveness(nodeCount: view.nodeCount)
        for index in peers.indices {
            if let peer = peers[index] {
                liveness.entries[index] = Liveness.Entry(
                    isUsable: peer.wasUsable,
                    phi: peer.detector.phi(at: now.monotonic),
                    silence: max(.zero, now.monotonic - peer.detector.lastArrival),
                    isRefused: peer.isRefused
                )
            } else if index == Int(identity.id.rawValue) {
                liveness.entries[index].isUsable = true
            }
        }
        return liveness
    }

    /// What this node knows of all members.
    func status(at now: Instant) -> StatusResponse {
        StatusResponse(
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
                        epoch: view.topology.epoch
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
                    epoch: peer.epoch
                )
            }
        )
    }
}
