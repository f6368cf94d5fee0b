import ClusterPrimitives
import Partitioning
import Testing

@Suite struct `Token allocation` {
    /// A cluster shape: nodes of one datacenter over racks.
    struct Shape: CustomStringConvertible, Sendable {
        var nodes: Int
        var racks: Int
        var description: String { "\(nodes) nodes in \(racks) racks" }
    }

    static let shapes = [
        (3, 1), (3, 3), (5, 1), (6, 1), (6, 3), (10, 1), (20, 1), (21, 3), (60, 1), (60, 3),
    ]
    .map { Shape(nodes: $0, racks: $1) }

    @Test(arguments: shapes)
    func `owns alike to a quarter at three replicas, and better than random`(
        shape: Shape
    ) throws {
        let allocated = try Self.imbalance(shape, .allocated)
        let random = try (1...3).map { try Self.imbalance(shape, .random(seed: $0)) }
        #expect(allocated <= 1.25)
        for random in random where shape.nodes > 3 { #expect(allocated < random) }
    }

    @Test(arguments: [(5, 2), (10, 3), (7, 3), (4, 3), (20, 4), (11, 5), (50, 3), (13, 2)])
    func `of racks of different sizes is balanced within each rack`(
        nodes: Int,
        racks: Int
    ) throws {
        let (topology, keyspace) = try DrawnTopology.make(
            nodes: [nodes],
            racks: [racks],
            replicas: [3]
        )
        let ring = Ring(topology: topology, keyspace: keyspace)
        for rack in Set(topology.members.map(\.rack)).sorted() {
            let shares = topology.members.filter { $0.rack == rack }
                .map { ring.ownership(of: $0.id) }
            let mean = shares.reduce(0, +) / Double(shares.count)
            let worst = (shares.max() ?? 0) / mean
            #expect(worst <= 1.25)
        }
    }

    @Test func `of several datacenters never gives a token twice`() throws {
        let (topology, _) = try DrawnTopology.make(
            nodes: [4, 8, 16],
            racks: [1, 2, 3],
            replicas: [1, 1, 1]
        )
        let tokens = topology.members.flatMap(\.tokens)
        #expect(Set(tokens).count == 28 * 16)
        #expect(!tokens.contains(.min))
        #expect(topology.members.allSatisfy { $0.tokens == $0.tokens.sorted() })
    }

    @Test func `spreads the neighbours of a node over many others`() throws {
        let (topology, keyspace) = try DrawnTopology.make(nodes: [20], racks: [1], replicas: [3])
        let ring = Ring(topology: topology, keyspace: keyspace)
        for member in topology.members {
            let shared = ring.ranges.filter { $0.replicas.contains(member.id) }
                .flatMap { Array($0.replicas) }
            #expect(Set(shared).count - 1 >= 12)
        }
    }

    private static func imbalance(_ shape: Shape, _ allocation: TokenAllocation) throws -> Double {
        let (topology, keyspace) = try DrawnTopology.make(
            nodes: [shape.nodes],
            racks: [shape.racks],
            replicas: [3],
            allocation: allocation
        )
        let ring = Ring(topology: topology, keyspace: keyspace)
        let shares = topology.members.map { ring.ownership(of: $0.id) }
        return (shares.max() ?? 0) * Double(shares.count) / shares.reduce(0, +)
    }
}
