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
    /// How often it has started.
    package let startNumber: UInt64
    /// The random part of its incarnation: 16 bytes, new at every start.
    package let incarnation: [UInt8]

    /// A node's identity.
    package init(
        id: NodeID,
        name: String,
        clusterName: String,
        clusterIdentifier: [UInt8],
        startNumber: UInt64,
        incarnation: [UInt8]
    ) {
        self.id = id
        self.name = name
        self.clusterName = clusterName
        self.clusterIdentifier = clusterIdentifier
        self.startNumber = startNumber
        self.incarnation = incarnation
    }
}
