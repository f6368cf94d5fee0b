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
    /// This life of it.
    package let incarnation: Incarnation

    /// A node's identity.
    package init(
        id: NodeID,
        name: String,
        clusterName: String,
        clusterIdentifier: [UInt8],
        incarnation: Incarnation
    ) {
        self.id = id
        self.name = name
        self.clusterName = clusterName
        self.clusterIdentifier = clusterIdentifier
        self.incarnation = incarnation
    }
}
