package import ClusterPrimitives

/// One keyspace's placement in one epoch, computed once and then only looked up.
///
/// The walk is that of Cassandra's `NetworkTopologyStrategy` (see `Placement`). Neighbouring
/// ranges with the same replicas in the same order are one.
package final class Ring: Sendable {
    /// A range and who holds it.
    package typealias Entry = (range: TokenRange, replicas: ReplicaSet)

    /// In token order, from `Token.min` to `Token.max` without gaps; never empty.
    package let ranges: [Entry]

    /// The ends of `ranges` as unsigned prefixes: what look-ups search.
    private let ends: [UInt64]

    /// The placement of `keyspace` on the members of `topology`.
    package init(topology: Topology, keyspace: Keyspace) {
        let ranges = Placement(topology, keyspace).ranges()
        self.ranges = ranges
        ends = ranges.map(\.range.end.ordered)
    }

    /// The replicas of the keys with this token, in preference order.
    ///
    /// O(log ranges).
    package func replicas(for token: Token) -> ReplicaSet {
        ranges[index(of: token)].replicas
    }

    /// The range that holds `token`, as an index into `ranges`.
    ///
    /// O(log ranges).
    package func index(of token: Token) -> Int {
        let wanted = token.ordered
        var low = 0
        var high = ends.count - 1
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The share of the circle, 0…1, of which `node` holds a copy.
    ///
    /// O(ranges). Over all nodes these shares add up to the number of replicas of a key.
    package func ownership(of node: NodeID) -> Double {
        share { $0.contains(node) }
    }

    /// The share of the circle, 0…1, whose first replica is `node`.
    ///
    /// O(ranges). Over all nodes these shares add up to 1.
    package func primaryOwnership(of node: NodeID) -> Double {
        share { $0.first == node }
    }

    private func share(_ isCounted: (ReplicaSet) -> Bool) -> Double {
        ranges.reduce(0) { isCounted($1.replicas) ? $0 + $1.range.share : $0 }
    }
}
