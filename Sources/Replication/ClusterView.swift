package import ClusterPrimitives
package import Partitioning

/// The topology as request coordination uses it: immutable, computed once per epoch.
package final class ClusterView: Sendable {
    /// One keyspace and where its keys lie; all requests of the keyspace share it.
    package final class Placement: Sendable {
        /// The keyspace.
        package let keyspace: Keyspace
        /// Its replicas by token.
        package let ring: Ring

        fileprivate init(keyspace: Keyspace, ring: Ring) {
            self.keyspace = keyspace
            self.ring = ring
        }
    }

    /// The topology it was made from.
    package let topology: Topology
    /// The node whose view it is.
    package let me: NodeID
    /// That node's datacenter.
    package let localDatacenter: DatacenterID
    /// One more than the greatest node number.
    package let nodeCount: Int
    private let placements: [Placement]
    private let datacenters: [DatacenterID]

    /// The view that node `me` has of a topology, of which it must be a member.
    package init(topology: Topology, me: NodeID) {
        self.topology = topology
        self.me = me
        nodeCount = 1 + Int(topology.members.map(\.id.rawValue).max() ?? 0)
        var datacenters = [DatacenterID](repeating: DatacenterID(0), count: nodeCount)
        for member in topology.members {
            datacenters[Int(member.id.rawValue)] = member.datacenter
        }
        self.datacenters = datacenters
        localDatacenter = datacenters[Int(me.rawValue)]
        placements = topology.keyspaces.map {
            Placement(keyspace: $0, ring: Ring(topology: topology, keyspace: $0))
        }
    }

    /// The keyspace with a number and its placement; nil when there is none.
    package func placement(of number: KeyspaceNumber) -> Placement? {
        // A handful of keyspaces, in order of their numbers.
        for placement in placements where placement.keyspace.number == number {
            return placement
        }
        return nil
    }

    /// The datacenter of a node; the first one for a number that no member has.
    package func datacenter(of node: NodeID) -> DatacenterID {
        Int(node.rawValue) < datacenters.count
            ? datacenters[Int(node.rawValue)] : DatacenterID(0)
    }

    /// The name of a node, or its number where no member has it.
    package func name(of node: NodeID) -> String {
        topology.members.first { $0.id == node }?.name ?? "\(node)"
    }

    /// The name of a datacenter.
    package func name(of datacenter: DatacenterID) -> String {
        Int(datacenter.rawValue) < topology.datacenters.count
            ? topology.datacenters[Int(datacenter.rawValue)] : "#\(datacenter.rawValue)"
    }
}
