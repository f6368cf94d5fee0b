package import Causality
package import ClusterPrimitives
package import PeerProtocol

/// Something that an operator, a metric or a test may want to know.
///
/// The core never logs; a world turns notices into lines, counters or trace entries.
package enum NodeNotice: Equatable, Sendable {
    /// A peer answers again.
    case peerUp(NodeID)
    /// A peer is no longer used: its silence grew too suspicious, or it refuses connections.
    case peerDown(NodeID, phi: Double, isRefused: Bool)
    /// A new topology is in force here.
    case topologyAdopted(epoch: UInt64)
    /// A key's replicas differed and were repaired by a read.
    case readRepaired(keyspace: KeyspaceNumber, replicas: Int)
    /// A key has so many siblings that a reader should resolve them.
    case manySiblings(keyspace: KeyspaceNumber, key: [UInt8], count: Int)
    /// A key's record has grown so large that each further write of it is slow.
    case largeRecord(keyspace: KeyspaceNumber, key: [UInt8])
    /// Entries of a counter that no retry needs any more went into its totals.
    case counterFolded(keyspace: KeyspaceNumber)
    /// A peer answers with a lower start number than it did before, or another incarnation for
    /// the same one: its disk went back in time, or is new. Told once for each such life.
    case peerRolledBack(NodeID, seen: UInt64, presented: UInt64)
    /// A peer has seen a life of this node that its disk does not remember: the disk went back in
    /// time, or is new. It reads nothing to anybody until it is repaired.
    case rolledBack(seenBy: NodeID, start: UInt64)
    /// A peer's clock is so far ahead that its timestamp was not taken in.
    case clockAhead(NodeID, timestamp: HybridTimestamp)
    /// This node's clock is so far from the others' that it stamps no writes, or is so no more.
    case clockDeviates(milliseconds: Int64, isOff: Bool)
    /// A frame from a peer could not be understood.
    case malformedFrame(from: NodeID?, reason: String)
    /// A frame is longer than a peer would take, and was not sent; no peer is named where it was an
    /// answer on the peer's own link.
    case frameTooLong(to: NodeID?, PeerKind, size: Int)
    /// A late or duplicate answer found no open request.
    case lateAnswer(from: NodeID)
    /// Peers are cut off by fault injection; none when it ended.
    case peersBlocked([NodeID])
    /// Upkeep of the store that an operator asked for begins.
    case upkeepBegan(String)
    /// It is over; damage was found in these keyspaces.
    case upkeepEnded(String, elapsed: Duration, damagedKeyspaces: [String])
}
