import ClusterPrimitives
import Partitioning
import Testing

@testable import starling

@Suite struct `What works now` {
    /// Two datacenters of `nodes` nodes each, a rack to each node, and one keyspace.
    private func topology(nodes: Int = 3, replication: [(String, Int)]) throws -> Topology {
        let members = ["dc1", "dc2"].enumerated().flatMap { index, datacenter in
            (1...nodes).map { number in
                FoundingMember(
                    name: "\(datacenter)-n\(number)",
                    datacenter: datacenter,
                    rack: "r\(number)",
                    peer: Endpoint(host: "h", port: UInt16(1000 + index * 100 + number * 2)),
                    client: Endpoint(host: "h", port: UInt16(1001 + index * 100 + number * 2))
                )
            }
        }
        return try Topology.founding(cluster: "dev", members: members)
            .creating(
                KeyspaceDefinition(
                    name: "demo",
                    replication: replication.map {
                        KeyspaceDefinition.Replication(datacenter: $0.0, replicas: $0.1)
                    }
                )
            )
    }

    private func availability(
        _ topology: Topology,
        down: [String] = [],
        joining: [String] = [],
        local: String? = "dc1"
    ) -> Availability {
        let writable = Set(topology.members.filter { !down.contains($0.name) }.map(\.id))
        let readable = writable.subtracting(
            topology.members.filter { joining.contains($0.name) }.map(\.id)
        )
        return Availability(
            of: topology,
            ring: { Ring(topology: topology, keyspace: $0) },
            readable: readable,
            writable: writable,
            local: local.flatMap(topology.datacenter)
        )
    }

    private func reads(_ availability: Availability, _ level: ConsistencyLevel) -> Double? {
        availability.lines.first { $0.level == level }?.reads
    }

    @Test func `with all nodes up every level works`() throws {
        let availability = availability(try topology(replication: [("dc1", 3), ("dc2", 3)]))
        #expect(availability.lines.count == ConsistencyLevel.named.count)
        #expect(availability.lines.allSatisfy { abs($0.reads - 1) < 1e-9 })
        #expect(
            availability.sentence(unusable: [], nodes: 6)
                == "All 6 nodes are up: every level works."
        )
    }

    @Test func `one lost node of full replication costs ALL alone`() throws {
        let topology = try topology(replication: [("dc1", 3), ("dc2", 3)])
        let availability = availability(topology, down: ["dc1-n2"])
        #expect(reads(availability, .all) == 0)
        #expect(reads(availability, .localQuorum).map { $0 > 0.999 } == true)
        #expect(
            availability.sentence(unusable: [("down", 1)], nodes: 6)
                == "1 node is down: ONE, TWO, THREE, QUORUM, LOCAL_ONE, LOCAL_QUORUM and "
                + "EACH_QUORUM work; ALL fails for 100 % of keys."
        )
    }

    @Test func `a lost datacenter costs its own local levels`() throws {
        let topology = try topology(replication: [("dc1", 3), ("dc2", 3)])
        let down = ["dc1-n1", "dc1-n2", "dc1-n3"]
        let here = availability(topology, down: down)
        #expect(reads(here, .localOne) == 0 && reads(here, .eachQuorum) == 0)
        #expect(reads(here, .quorum) == 0)
        #expect(reads(here, .three).map { $0 > 0.999 } == true)
        let there = availability(topology, down: down, local: "dc2")
        #expect(reads(there, .localQuorum).map { $0 > 0.999 } == true)
    }

    @Test func `a node that owns a part costs ALL for that part of the keys`() throws {
        let topology = try topology(nodes: 4, replication: [("dc1", 2)])
        let availability = availability(topology, down: ["dc1-n1"])
        let owned = try #require(reads(availability, .all))
        #expect(owned > 0.3 && owned < 0.7)
        #expect(reads(availability, .one).map { $0 > 0.999 } == true)
    }

    @Test func `a joining node takes writes and serves no reads`() throws {
        let topology = try topology(replication: [("dc1", 3)])
        let availability = availability(topology, joining: ["dc1-n1"])
        let line = try #require(availability.lines.first { $0.level == .all })
        #expect(line.reads == 0)
        #expect(line.writes > 0.999)
    }

    @Test func `levels that a keyspace can never reach are not blamed on lost nodes`() throws {
        let topology = try topology(replication: [("dc2", 1)])
        let levels = availability(topology).lines.map(\.level)
        #expect(!levels.contains(.two) && !levels.contains(.localOne))
        #expect(levels.contains(.one) && levels.contains(.eachQuorum))
    }

    @Test func `the shares of all members add up to one`() throws {
        let topology = try topology(nodes: 4, replication: [("dc1", 2)])
        let ownership = Ownership(topology)
        let sum = topology.members.reduce(0) { $0 + ownership.share(of: $1.id) }
        #expect(abs(sum - 1) < 1e-9)
        #expect(ownership.balance(in: DatacenterID(0), of: topology) >= 1)
    }
}

@Suite struct `Tables of commands` {
    @Test func `columns are aligned for people and between tabs for scripts`() {
        var table = TablePrinter(["NAME", "SIZE#"])
        table.row(["a", "10"])
        table.row(["long", "7"])
        #expect(table.text(isPlain: false) == "NAME  SIZE\na       10\nlong     7\n")
        #expect(table.text(isPlain: true) == "a\t10\nlong\t7\n")
    }
}
