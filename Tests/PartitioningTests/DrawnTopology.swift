import ClusterPrimitives
import Partitioning

/// Clusters for tests, by counts.
enum DrawnTopology {
    /// Members of datacenters `dc1`, `dc2`, …, each with nodes dealt over racks `r1`, `r2`, ….
    static func founders(nodes: [Int], racks: [Int]) -> [FoundingMember] {
        var founders: [FoundingMember] = []
        for (datacenter, count) in nodes.enumerated() {
            for node in 0..<count {
                let port = UInt16(10_000 + founders.count * 2)
                founders.append(
                    FoundingMember(
                        name: "dc\(datacenter + 1)-n\(node + 1)",
                        datacenter: "dc\(datacenter + 1)",
                        rack: "r\(node % racks[datacenter] + 1)",
                        peer: Endpoint(host: "127.0.0.1", port: port),
                        client: Endpoint(host: "127.0.0.1", port: port + 1)
                    )
                )
            }
        }
        return founders
    }

    /// A founded cluster of these counts with the keyspace `k`.
    static func make(
        nodes: [Int],
        racks: [Int],
        replicas: [Int],
        tokens: Int = 16,
        allocation: TokenAllocation = .allocated
    ) throws -> (Topology, Keyspace) {
        let topology = try Topology.founding(
            cluster: "drawn",
            members: founders(nodes: nodes, racks: racks),
            tokensPerMember: tokens,
            allocation: allocation
        )
        // Built here, not created, so that a law may ask for more replicas than there are nodes.
        let keyspace = Keyspace(
            number: KeyspaceNumber(1),
            name: "k",
            replication: replicas.enumerated().compactMap { datacenter, count in
                count == 0
                    ? nil
                    : DatacenterReplication(
                        datacenter: DatacenterID(UInt8(datacenter)),
                        replicas: count
                    )
            },
            mode: .lww
        )
        return (topology, keyspace)
    }

    /// A cluster drawn from `random`: 1–3 datacenters, 1–9 nodes, 1–4 racks, 1–4 replicas in each.
    static func draw(_ random: inout SeededRandom) throws -> (Topology, Keyspace) {
        let datacenters = random.number(in: 1...3)
        let nodes = (0..<datacenters).map { _ in random.number(in: 1...9) }
        let racks = (0..<datacenters).map { _ in random.number(in: 1...4) }
        var replicas = (0..<datacenters).map { _ in random.number(in: 0...4) }
        if replicas.allSatisfy({ $0 == 0 }) { replicas[0] = 3 }
        return try make(
            nodes: nodes,
            racks: racks,
            replicas: replicas,
            tokens: random.number(in: 1...8),
            allocation: random.chance(1, in: 2) ? .allocated : .random(seed: random.next())
        )
    }
}
