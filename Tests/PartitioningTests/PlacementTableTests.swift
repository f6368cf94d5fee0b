import ClusterPrimitives
import Partitioning
import Testing

@Suite struct `Placement drawn as a table` {
    /// Six nodes with two tokens each; `dc1` has racks r1 r2 r1, `dc2` one rack.
    @Test func `takes new racks first, skips to them, and repeats racks only then`() throws {
        let (topology, keyspace) = try DrawnTopology.make(
            nodes: [3, 3],
            racks: [2, 1],
            replicas: [2, 2],
            tokens: 2
        )
        let ring = Ring(topology: topology, keyspace: keyspace)
        #expect(
            Self.drawn(ring, topology) == """
                to 1/24: dc1-n1/r1 dc2-n2/r1 dc1-n2/r2 dc2-n1/r1
                to 3/24: dc2-n2/r1 dc1-n2/r2 dc2-n1/r1 dc1-n3/r1
                to 5/24: dc1-n2/r2 dc2-n1/r1 dc1-n3/r1 dc2-n3/r1
                to 7/24: dc2-n1/r1 dc1-n3/r1 dc2-n3/r1 dc1-n2/r2
                to 9/24: dc1-n3/r1 dc2-n3/r1 dc2-n2/r1 dc1-n2/r2
                to 11/24: dc2-n3/r1 dc1-n1/r1 dc2-n2/r1 dc1-n2/r2
                to 13/24: dc1-n1/r1 dc2-n2/r1 dc1-n2/r2 dc2-n1/r1
                to 15/24: dc2-n2/r1 dc1-n2/r2 dc2-n1/r1 dc1-n3/r1
                to 17/24: dc1-n2/r2 dc2-n1/r1 dc1-n3/r1 dc2-n3/r1
                to 19/24: dc2-n1/r1 dc1-n3/r1 dc2-n3/r1 dc1-n2/r2
                to 21/24: dc1-n3/r1 dc2-n3/r1 dc2-n2/r1 dc1-n2/r2
                to 23/24: dc2-n3/r1 dc1-n1/r1 dc2-n2/r1 dc1-n2/r2
                to 24/24: dc1-n1/r1 dc2-n2/r1 dc1-n2/r2 dc2-n1/r1
                """
        )
    }

    /// A line per range: where it ends, in parts of the circle, and its replicas.
    private static func drawn(_ ring: Ring, _ topology: Topology) -> String {
        ring.ranges.map { range, replicas in
            let names = replicas.map { id in
                topology.member(id).map { "\($0.name)/\($0.rack)" } ?? "?"
            }
            let end = Int((Double(range.end.ordered) / 0x1p64 * 24).rounded())
            return "to \(end)/24: " + names.joined(separator: " ")
        }
        .joined(separator: "\n")
    }
}
