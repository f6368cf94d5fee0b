package import Causality
package import ClusterPrimitives

/// Who a node is, in this life of its process.
package struct NodeIdentity: Sendable {
    /// Its number in the topology.
    package let id: NodeID
    /// Its name.
    package let name: String
    /// Its cluster's name.
    package let clusterName: String
    /// Its cluster's identifier.
    package let clusterIdentifier: [UInt8]
    /// This life of it, and those before it on its disk.
    package let lives: NodeLives

    /// A node's identity.
    package init(
        id: NodeID,
        name: String,
        clusterName: String,
        clusterIdentifier: [UInt8],
        lives: NodeLives
    ) {
        self.id = id
        self.name = name
        self.clusterName = clusterName
        self.clusterIdentifier = clusterIdentifier
        self.lives = lives
    }

    /// This life of it.
    package var incarnation: Incarnation { lives.current }

    /// Whether the hello of a peer that has seen this node last as `known` may be answered.
    ///
    /// The peer notes this life by the answer and forgets the other, so a life that is lost has to
    /// be on disk as lost before: `lostLife` is the start number of the latest that is.
    package func mayAnswer(seenAs known: Incarnation?, lostLife: UInt64) -> Bool {
        guard let known, lives.hasLost(known) else { return true }
        return known.start <= lostLife
    }
}
