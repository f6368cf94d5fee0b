import ClusterPrimitives
import Partitioning

/// How the ring is divided among the members.
struct Ownership {
    /// Each member's share of all keys as their first replica in its datacenter, divided by the
    /// number of datacenters, so that the shares of all members add up to 1.
    private(set) var shares: [NodeID: Double] = [:]

    /// The division of a topology's tokens.
    init(_ topology: Topology) {
        let occupied = topology.datacenters.indices.map { DatacenterID(UInt8($0)) }
            .filter { !topology.members(in: $0).isEmpty }
        for datacenter in occupied {
            // One replica in this datacenter alone: whose it is follows from the tokens only.
            let keyspace = Keyspace(
                number: KeyspaceNumber(0),
                name: "",
                replication: [DatacenterReplication(datacenter: datacenter, replicas: 1)],
                mode: .lww
            )
            let ring = Ring(topology: topology, keyspace: keyspace)
            for member in topology.members(in: datacenter) {
                shares[member.id] = ring.primaryOwnership(of: member.id) / Double(occupied.count)
            }
        }
    }

    /// A member's share.
    func share(of node: NodeID) -> Double { shares[node] ?? 0 }

    /// The largest share of a datacenter's members over their mean; 1 is perfect.
    func balance(in datacenter: DatacenterID, of topology: Topology) -> Double {
        let shares = topology.members(in: datacenter).map { share(of: $0.id) }
        let mean = shares.reduce(0, +) / Double(max(1, shares.count))
        return mean > 0 ? (shares.max() ?? 0) / mean : 1
    }
}
