package import ClusterPrimitives
package import Partitioning
internal import Synchronization

/// What a client knows of its cluster at one epoch: the topology, and each keyspace's placement
/// once it was needed.
package final class ClusterSnapshot: Sendable {
    /// Members and keyspaces.
    package let topology: Topology

    private let rings = Mutex<[KeyspaceNumber: Ring]>([:])

    /// The snapshot of a topology.
    init(_ topology: Topology) {
        self.topology = topology
    }

    /// The placement of one of the topology's keyspaces; computed at first use.
    package func ring(of keyspace: Keyspace) -> Ring {
        if let ring = rings.withLock({ $0[keyspace.number] }) { return ring }
        let ring = Ring(topology: topology, keyspace: keyspace)
        rings.withLock { $0[keyspace.number] = ring }
        return ring
    }

    /// A member's name; its number where the topology has no such member.
    package func name(of node: NodeID) -> String {
        topology.member(node)?.name ?? node.description
    }
}
