import ByteCoding
import ClusterPrimitives
import Partitioning
import Testing

@Suite struct `The topology of a cluster` {
    private static func example() throws -> Topology {
        try Topology.founding(
            cluster: "example",
            members: DrawnTopology.founders(nodes: [3, 3], racks: [3, 1])
        ).creating(
            KeyspaceDefinition(
                name: "users",
                replication: [
                    .init(datacenter: "dc2", replicas: 2), .init(datacenter: "dc1", replicas: 3),
                ],
                mode: .siblings,
                defaultTimeToLiveMilliseconds: 60_000,
                readConsistency: .one,
                writeConsistency: .eachQuorum
            )
        )
    }

    @Test func `founded twice from the same members is the same, from others another`() throws {
        let founders = DrawnTopology.founders(nodes: [3, 2], racks: [1, 1])
        let first = try Topology.founding(cluster: "c", members: founders)
        #expect(try Topology.founding(cluster: "c", members: founders) == first)
        let other = try Topology.founding(cluster: "d", members: founders)
        #expect(other.clusterIdentifier != first.clusterIdentifier)
        #expect(other.foundingDigest != first.foundingDigest)
        #expect(first.epoch == 1)
        #expect(first.members.map(\.id.rawValue) == [1, 2, 3, 4, 5])
        #expect(first.datacenters == ["dc1", "dc2"])
        #expect(first.clusterIdentifier.count == 16)
        #expect(first.foundingDigest.count == 32)
    }

    @Test func `is not founded from what could not be a cluster`() {
        let good = DrawnTopology.founders(nodes: [2], racks: [1])
        func refusal(_ cluster: String = "c", _ change: (inout [FoundingMember]) -> Void)
            -> TopologyError?
        {
            var members = good
            change(&members)
            do throws(TopologyError) {
                _ = try Topology.founding(cluster: cluster, members: members)
                return nil
            } catch { return error }
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal("no spaces") { _ in } == .invalidName(kind: "cluster", name: "no spaces"))
        #expect(refusal { $0 = [] } == .noMembers)
        #expect(refusal { $0[1].name = $0[0].name } == .memberRepeated("dc1-n1"))
        #expect(refusal { $0[1].rack = "" } == .invalidName(kind: "rack", name: ""))
        #expect(
            refusal { $0[1].peer = $0[0].client }
                == .endpointRepeated(good[0].client, first: "dc1-n1", second: "dc1-n2")
        )
        let none = Endpoint(host: "h", port: 0)
        #expect(refusal { $0[0].peer = none } == .invalidEndpoint(none, member: "dc1-n1"))
        #expect(
            refusal {
                $0 = DrawnTopology.founders(
                    nodes: [Int](repeating: 1, count: 9),
                    racks: [Int](repeating: 1, count: 9)
                )
            }
                == .tooManyDatacenters(count: 9, limit: 8)
        )
    }

    @Test func `survives its encoding`() throws {
        let topology = try Self.example()
        let bytes = topology.encode()
        let read = try Topology(decoding: bytes)
        #expect(read == topology)
        #expect(read.encode() == bytes)
    }

    @Test func `that claims to be the founding is refused when anything in it was changed`() throws
    {
        let founders = DrawnTopology.founders(nodes: [2], racks: [1])
        let founding = try Topology.founding(cluster: "c", members: founders)
        var bytes = founding.encode()
        #expect(try Topology(decoding: bytes) == founding)
        bytes[2] ^= 1
        #expect(throws: CodingError.invalid(field: "founding digest", value: 1)) {
            try Topology(decoding: bytes)
        }
    }

    @Test func `is not read from cut bytes`() throws {
        let bytes = try Self.example().encode()
        for length in 0..<bytes.count {
            #expect(throws: CodingError.self) { try Topology(decoding: Array(bytes[..<length])) }
        }
        #expect(throws: CodingError.trailingBytes(count: 1)) { try Topology(decoding: bytes + [0]) }
    }

    @Test func `read from flipped bytes is refused or again a valid topology`() throws {
        let bytes = try Self.example().encode()
        var random = SeededRandom(seed: 7)
        for _ in 0..<500 {
            var changed = bytes
            for _ in 0..<random.number(in: 1...3) {
                changed[random.below(changed.count)] ^= UInt8(random.number(in: 1...255))
            }
            if let topology = try? Topology(decoding: changed) {
                #expect(topology.encode() == changed)
                for keyspace in topology.keyspaces {
                    _ = Ring(topology: topology, keyspace: keyspace)
                }
            }
        }
    }

    @Test func `gains and loses keyspaces by epochs, and never gives a number again`() throws {
        let first = try Self.example()
        #expect(first.epoch == 2)
        let users = try #require(first.keyspace(named: "users"))
        #expect(users.number == KeyspaceNumber(1))
        #expect(users.replication.map(\.replicas) == [3, 2])
        let dropped = try first.dropping("users")
        #expect(dropped.epoch == 3)
        #expect(dropped.keyspaces.isEmpty)
        let again = try dropped.creating(
            KeyspaceDefinition(name: "users", replication: [.init(datacenter: "dc1", replicas: 1)])
        )
        #expect(again.keyspace(named: "users")?.number == KeyspaceNumber(2))
        #expect(again.foundingDigest == first.foundingDigest)
        #expect(try Topology(decoding: again.encode()) == again)
    }

    @Test func `refuses keyspaces that cannot be placed, and says what to do`() throws {
        let topology = try Self.example()
        func refusal(_ name: String, _ replication: [(String, Int)]) -> TopologyError? {
            do throws(TopologyError) {
                _ = try topology.creating(
                    KeyspaceDefinition(
                        name: name,
                        replication: replication.map { .init(datacenter: $0.0, replicas: $0.1) }
                    )
                )
                return nil
            } catch { return error }
        }
        #expect(refusal("users", [("dc1", 1)]) == .keyspaceExists("users"))
        #expect(refusal("a/b", [("dc1", 1)]) == .invalidName(kind: "keyspace", name: "a/b"))
        #expect(refusal("a", []) == .noReplication(keyspace: "a"))
        #expect(refusal("a", [("dc1", 0)]) == .tooFewReplicas(datacenter: "dc1", replicas: 0))
        #expect(refusal("a", [("dc1", 1), ("dc1", 2)]) == .datacenterRepeated("dc1"))
        #expect(
            refusal("a", [("dc1", 4)]) == .tooFewNodes(datacenter: "dc1", replicas: 4, nodes: 3)
        )
        #expect(refusal("a", [("dc11", 1)]) == .unknownDatacenter("dc11", nearest: "dc1"))
        #expect(
            refusal("a", [("dc1", 4)])?.description
                == "'dc1' has 3 nodes, too few for 4 replicas; ask for at most 3 or add nodes"
        )
        #expect(throws: TopologyError.unknownKeyspace("user", nearest: "users")) {
            try topology.dropping("user")
        }
    }

    @Test func `lets all vote while few, then seven spread over datacenters and racks`() throws {
        let few = try Topology.founding(
            cluster: "c",
            members: DrawnTopology.founders(nodes: [3, 3], racks: [1, 1])
        )
        #expect(few.voters.count == 6)
        let many = try Topology.founding(
            cluster: "c",
            members: DrawnTopology.founders(nodes: [10, 10, 2], racks: [3, 2, 1])
        )
        let voters = many.voters.compactMap { many.member($0) }
        #expect(voters.count == 7)
        #expect(many.voters == many.voters.sorted())
        let counts = (0..<3).map { datacenter in
            voters.count { $0.datacenter == DatacenterID(UInt8(datacenter)) }
        }
        #expect(counts == [3, 2, 2])
        #expect(Set(voters.prefix(3).map(\.rack)).count == 3)
    }
}
