package import ClusterPrimitives
package import Partitioning

/// The replicas of one key in preference order, with the datacenter of each.
///
/// Holds no reference, so a coordination copies it as plain bytes.
package struct ReplicaPlan: Sendable {
    /// The replicas.
    package let replicas: ReplicaSet
    private var masks: InlineArray<8, UInt32>

    /// The plan for the replicas of a key under a view of the cluster.
    package init(_ replicas: ReplicaSet, view: ClusterView) {
        self.replicas = replicas
        masks = InlineArray(repeating: 0)
        for index in 0..<replicas.count {
            let datacenter = view.datacenter(of: replicas[index])
            masks[Int(datacenter.rawValue)] |= 1 << UInt32(index)
        }
    }

    /// How many replicas there are.
    package var count: Int { replicas.count }

    /// The replica at `index`.
    package subscript(index: Int) -> NodeID { replicas[index] }

    /// The replicas in a datacenter.
    package func replicas(in datacenter: DatacenterID) -> ReplicaBits {
        Int(datacenter.rawValue) < 8
            ? ReplicaBits(rawValue: masks[Int(datacenter.rawValue)]) : ReplicaBits()
    }

    /// The place of a node in the plan; nil when it is no replica.
    package func index(of node: NodeID) -> Int? {
        for index in 0..<replicas.count where replicas[index] == node { return index }
        return nil
    }
}
