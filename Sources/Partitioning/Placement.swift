internal import ClusterPrimitives

/// The walk of Cassandra's `NetworkTopologyStrategy` over a ring of tokens.
///
/// From a token clockwise, per datacenter: a node is taken if its rack holds no replica yet, or
/// if more replicas are wanted than there are racks and that many repeats were not taken yet;
/// until the datacenter has as many as it wants or has nodes. The order of taking is the
/// preference order.
struct Placement {
    /// A token and the member that it belongs to.
    private struct Position {
        var token: Token
        /// Index into `members`.
        var member: Int
    }

    private struct Node {
        var id: NodeID
        /// Index into `needs`.
        var datacenter: Int
        /// Number of the rack among all racks.
        var rack: Int
    }

    /// What one datacenter wants.
    private struct Need {
        var replicas: Int
        /// Replicas that may share a rack with another.
        var repeats: Int
    }

    private var nodes: [Node] = []
    private var needs: [Need] = []
    private var positions: [Position] = []

    /// The tokens of the datacenters in which `keyspace` is replicated.
    init(_ topology: Topology, _ keyspace: Keyspace) {
        var racks: [String: Int] = [:]
        var rackCount = 0
        for replication in keyspace.replication {
            let members = topology.members(in: replication.datacenter)
            racks.removeAll()
            for member in members {
                let rack = racks[member.rack] ?? rackCount
                if rack == rackCount {
                    racks[member.rack] = rack
                    rackCount += 1
                }
                let index = nodes.count
                nodes.append(Node(id: member.id, datacenter: needs.count, rack: rack))
                positions += member.tokens.map { Position(token: $0, member: index) }
            }
            needs.append(
                Need(
                    replicas: min(replication.replicas, members.count),
                    repeats: max(0, replication.replicas - racks.count)
                )
            )
        }
        positions.sort { $0.token < $1.token }
    }

    /// The circle cut at `Token.min`, in token order; equal neighbours are one range.
    func ranges() -> [(range: TokenRange, replicas: ReplicaSet)] {
        guard !positions.isEmpty else { return [(.full, ReplicaSet())] }
        var walk = Walk(nodeCount: nodes.count)
        var merged: [(range: TokenRange, replicas: ReplicaSet)] = []
        var start = Token.min
        func append(through end: Token, _ replicas: ReplicaSet) {
            if let last = merged.last, last.replicas == replicas {
                merged[merged.count - 1].range = TokenRange(after: last.range.start, through: end)
            } else {
                merged.append((TokenRange(after: start, through: end), replicas))
            }
            start = end
        }
        for index in positions.indices {
            append(through: positions[index].token, replicas(from: index, &walk))
        }
        // What lies behind the last token belongs to the first one, across the cut.
        if start < .max { append(through: .max, replicas(from: 0, &walk)) }
        return merged
    }

    /// What a walk has met, kept between walks so that none allocates.
    private struct Walk {
        /// The number of the walk in which a node, or a rack, was taken last.
        var takenNode: [Int]
        var takenRack: [Int]
        var number = 0

        init(nodeCount: Int) {
            takenNode = Array(repeating: 0, count: nodeCount)
            // There are at most as many racks as nodes.
            takenRack = takenNode
        }
    }

    private func replicas(from start: Int, _ walk: inout Walk) -> ReplicaSet {
        walk.number += 1
        var open = needs
        var missing = open.reduce(0) { $0 + $1.replicas }
        var taken = ReplicaSet()
        var index = start
        for _ in positions.indices {
            if missing == 0 { break }
            let member = positions[index].member
            index = index + 1 == positions.count ? 0 : index + 1
            let node = nodes[member]
            guard open[node.datacenter].replicas > 0, walk.takenNode[member] != walk.number else {
                continue
            }
            if walk.takenRack[node.rack] == walk.number {
                guard open[node.datacenter].repeats > 0 else { continue }
                open[node.datacenter].repeats -= 1
            }
            walk.takenNode[member] = walk.number
            walk.takenRack[node.rack] = walk.number
            open[node.datacenter].replicas -= 1
            missing -= 1
            taken.append(node.id)
        }
        return taken
    }
}
