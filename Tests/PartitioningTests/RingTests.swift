import ByteCoding
import ClusterPrimitives
import Partitioning
import Testing

@Suite struct `The ring of a keyspace` {
    @Test(arguments: 1...60)
    func `keeps the laws of placement`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let (topology, keyspace) = try DrawnTopology.draw(&random)
        let ring = Ring(topology: topology, keyspace: keyspace)
        for _ in 0..<50 {
            let token = Token(ofKey: random.bytes(random.number(in: 1...20)))
            let replicas = ring.replicas(for: token)
            #expect(Set(replicas).count == replicas.count, "a node twice, seed \(seed)")
            for datacenter in topology.datacenters.indices.map({ DatacenterID(UInt8($0)) }) {
                let wanted = keyspace.replicas(in: datacenter)
                let nodes = topology.members(in: datacenter)
                let chosen = nodes.filter { replicas.contains($0.id) }
                #expect(chosen.count == min(wanted, nodes.count), "seed \(seed)")
                let racks = Set(nodes.map(\.rack)).count
                #expect(Set(chosen.map(\.rack)).count >= min(chosen.count, racks), "seed \(seed)")
            }
            #expect(Array(replicas) == Self.walked(topology, keyspace, token), "seed \(seed)")
        }
    }

    @Test(arguments: 1...30)
    func `covers the circle without gaps, and merges equal neighbours`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let (topology, keyspace) = try DrawnTopology.draw(&random)
        let ring = Ring(topology: topology, keyspace: keyspace)
        #expect(ring.ranges.first?.range.start == .min)
        #expect(ring.ranges.last?.range.end == .max)
        for (left, right) in zip(ring.ranges, ring.ranges.dropFirst()) {
            #expect(left.range.end == right.range.start)
            #expect(left.replicas != right.replicas)
        }
        for (range, replicas) in ring.ranges {
            #expect(ring.replicas(for: range.end) == replicas)
            #expect(ring.replicas(for: Token(range.start.rawValue + 1)) == replicas)
        }
        let total = topology.members.reduce(0) { $0 + ring.ownership(of: $1.id) }
        let primary = topology.members.reduce(0) { $0 + ring.primaryOwnership(of: $1.id) }
        #expect(abs(total - Double(ring.replicas(for: .max).count)) < 1e-9)
        #expect(abs(primary - 1) < 1e-9)
    }

    @Test(arguments: 1...30)
    func `changes only what a new node takes over when one is added in its rack`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let racks = random.number(in: 1...3)
        let nodes = random.number(in: 4...9)
        let replicas = random.number(in: 1...3)
        let allocation = TokenAllocation.random(seed: random.next())
        // Random allocation draws member by member, so the first nodes' tokens stay.
        let before = try DrawnTopology.make(
            nodes: [nodes],
            racks: [racks],
            replicas: [replicas],
            allocation: allocation
        )
        let after = try DrawnTopology.make(
            nodes: [nodes + 1],
            racks: [racks],
            replicas: [replicas],
            allocation: allocation
        )
        #expect(before.0.members.map(\.tokens) == after.0.members.dropLast().map(\.tokens))
        let old = Ring(topology: before.0, keyspace: before.1)
        let new = Ring(topology: after.0, keyspace: after.1)
        let added = NodeID(UInt16(nodes + 1))
        for (range, replicas) in new.ranges {
            let previous = old.replicas(for: range.end)
            if replicas.contains(added) {
                let others = Set(replicas).subtracting([added])
                #expect(others.isSubset(of: Set(previous)), "seed \(seed)")
            } else {
                #expect(replicas == previous, "seed \(seed)")
            }
        }
    }

    @Test func `of a keyspace without members in its datacenters holds nothing`() throws {
        let (topology, _) = try DrawnTopology.make(nodes: [1], racks: [1], replicas: [1])
        let keyspace = Keyspace(
            number: KeyspaceNumber(1),
            name: "k",
            replication: [DatacenterReplication(datacenter: DatacenterID(7), replicas: 3)],
            mode: .lww
        )
        let ring = Ring(topology: topology, keyspace: keyspace)
        #expect(ring.ranges.count == 1)
        #expect(ring.replicas(for: Token(0)).isEmpty)
    }

    /// The walk as it is defined, without anything computed before.
    private static func walked(
        _ topology: Topology,
        _ keyspace: Keyspace,
        _ token: Token
    ) -> [NodeID] {
        let owners = topology.members.flatMap { member in member.tokens.map { ($0, member) } }
            .sorted { $0.0 < $1.0 }
        let start = owners.firstIndex { $0.0 >= token } ?? 0
        let circle = owners[start...] + owners[..<start]
        var taken: [Member] = []
        for (_, member) in circle {
            let there = topology.members(in: member.datacenter)
            let wanted = keyspace.replicas(in: member.datacenter)
            let racks = Set(there.map(\.rack)).count
            let mine = taken.filter { $0.datacenter == member.datacenter }
            let repeated = mine.count - Set(mine.map(\.rack)).count
            if mine.count >= min(wanted, there.count) || mine.contains(member) { continue }
            if mine.contains(where: { $0.rack == member.rack }), repeated >= wanted - racks {
                continue
            }
            taken.append(member)
        }
        return taken.map(\.id)
    }
}
