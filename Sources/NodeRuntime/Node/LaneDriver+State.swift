import ByteCoding
import ClusterPrimitives
import NIOCore
import NodeCore
import PeerProtocol
import Replication

/// The lane's inputs, each with the effects it writes to.
extension LaneDriver.State {
    mutating func receiveClient(
        _ accumulator: inout FrameAccumulator,
        from connection: ConnectionID,
        isAdmin: Bool,
        at now: Instant
    ) throws(CodingError) -> Int {
        try accumulator.forEachFrame { header, body, bytes in
            lane.receiveClient(
                header,
                body: body,
                of: bytes,
                from: connection,
                isAdmin: isAdmin,
                at: now,
                into: &effects
            )
            return .unchanged
        }
    }

    mutating func receivePeer(
        _ accumulator: inout FrameAccumulator,
        from node: NodeID,
        connection: ConnectionID?,
        lane index: UInt8,
        at now: Instant
    ) throws(CodingError) {
        try accumulator.forEachFrame { header, body, bytes in
            if connection != nil, header.kind == PeerKind.writeReply.rawValue {
                let owner = Lane.lane(ofCorrelation: header.correlation)
                if owner != index {
                    passOn(header, body, bytes, from: node, to: owner)
                    return .unchanged
                }
            }
            lane.receivePeer(
                header,
                body: body,
                of: bytes,
                from: node,
                connection: connection,
                at: now,
                into: &effects
            )
            return .unchanged
        }
    }

    /// Keeps a copy of a frame for the lane that it belongs to; one for a lane that does not
    /// exist is dropped.
    private mutating func passOn(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        from node: NodeID,
        to owner: UInt8
    ) {
        guard Int(owner) < foreign.count else { return }
        let frame = FrameBytes.frame(header) { $0.raw(body, of: bytes) }
        foreign[Int(owner)].append(LaneDriver.ForeignFrame(node: node, frame: frame))
    }

    mutating func deliverResults(at now: Instant) {
        var delivered: [StorageResult] = []
        swap(&delivered, &results)
        do {
            // Lent, not copied: each has several objects.
            let lent = delivered.span
            for index in lent.indices { lane.completed(lent[index], at: now, into: &effects) }
        }
        delivered.removeAll(keepingCapacity: true)
        swap(&delivered, &results)
    }

    mutating func tick(at now: Instant) {
        lane.tick(at: now, into: &effects)
    }

    mutating func adopt(_ view: ClusterView, at now: Instant) {
        lane.adopt(view, at: now, into: &effects)
    }

    mutating func update(_ liveness: Liveness, at now: Instant) {
        lane.update(liveness, at: now, into: &effects)
    }

    mutating func linkUp(_ node: NodeID, at now: Instant) {
        lane.linkUp(node, at: now, into: &effects)
    }

    mutating func linkDown(_ node: NodeID, at now: Instant) {
        lane.linkDown(node, at: now, into: &effects)
    }

    mutating func disconnected(_ connection: ConnectionID) {
        lane.disconnected(connection, into: &effects)
    }
}
