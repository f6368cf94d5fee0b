import ByteCoding
package import Causality
package import ClusterPrimitives
package import Replication

/// What the steps of the control plane ask of the world.
package struct ControlEffects: ~Copyable {
    /// By node number: frames for this node's urgent link to the node.
    package var links = OutputBuffers()
    /// Frames for clients' connections, each on the lane that asked.
    package var replies: [Reply] = []
    /// What must be on disk; each is answered by `ControlPlane.persisted`, in order.
    package var persists: [Persist] = []
    /// A new topology's view, for every lane; the store has its keyspaces already.
    package var view: ClusterView?
    /// A new picture of the others, for every lane.
    package var liveness: Liveness?
    /// What was seen of the others, for what every lane says to them.
    package var incarnations: PeerIncarnations?
    /// The start number of a lost life of this node that is on disk as lost now, for every lane.
    package var lostLife: UInt64?
    /// A new upper bound of the clock, for every lane.
    package var clockBound: HybridTimestamp?
    /// The peers to be cut off from now on, by fault injection.
    package var blockedPeers: [NodeID]?
    /// Upkeep for the store to begin, answered by `ControlPlane.upkeepFinished`; none is under way.
    package var upkeep: UpkeepJob?
    /// What an operator or a test may want to know.
    package var notices: [NodeNotice] = []

    /// Nothing asked.
    package init() {}

    /// A frame for a client.
    package struct Reply: Sendable {
        /// The lane that asked.
        package var lane: UInt8
        /// The client's connection.
        package var connection: ConnectionID
        /// The whole frame.
        package var frame: [UInt8]
    }

    /// Something to be made durable: written, synced, and only then reported.
    package struct Persist: Sendable {
        /// What it is.
        package enum Content: Sendable {
            /// The clock's upper bound.
            case clockBound(HybridTimestamp)
            /// The state of the register's acceptor, encoded.
            case acceptor([UInt8])
            /// The topology, encoded. The world also creates the trees of its new keyspaces and
            /// drops those of its dropped ones before it reports.
            case topology([UInt8])
            /// The highest incarnations that were seen of the others, encoded.
            case incarnations([UInt8])
            /// That this node has lost what it was in a life, by its start number.
            case lostLife(UInt64)
        }

        /// The number that `persisted` repeats.
        package var ticket: UInt64
        /// What it is.
        package var content: Content
    }
}
