import ClusterPrimitives
import NodeRuntime
import Partitioning
import Testing

@Suite struct `Topology file` {
    private let members = """
        cluster: orders
        tokens_per_member: 4
        members:
          - {name: a1, datacenter: east, rack: r1, peer: "10.0.0.1:7400", client: "10.0.0.1:7401"}
          - {name: "on", datacenter: east, rack: r2, peer: "10.0.0.2:7400", client: "10.0.0.2:7401"}
          - {name: "1.0", datacenter: west, rack: r1, peer: "[::1]:7400", client: "h\\"o:7401"}

        """

    private func founding() throws -> Topology {
        try MembersFile(text: members, file: "members.yaml").founding(file: "members.yaml")
    }

    @Test func `it reads back as exactly the topology that was printed`() throws {
        let topology = try founding()
        let text = TopologyFile.text(of: topology)
        let read = try TopologyFile.parse(text: text, file: "topology.yaml")
        #expect(read == topology)
        #expect(read.epoch == 1)
        #expect(read.keyspaces.isEmpty)
    }

    @Test(arguments: [
        ("rack: \"r1\"", "rack: \"r9\""), ("10.0.0.1:7400", "10.0.0.9:7400"),
        ("cluster: \"orders\"", "cluster: \"order\""), ("voters: [\"a1\", ", "voters: ["),
    ])
    func `an edited file is refused`(old: String, new: String) throws {
        let text = TopologyFile.text(of: try founding())
        let edited = text.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != text)
        #expect(throws: ConfigurationError.self) {
            try TopologyFile.parse(text: edited, file: "topology.yaml")
        }
    }

    @Test func `findings name the member and the key`() throws {
        let error = try #require(throws: ConfigurationError.self) {
            _ = try MembersFile(
                text: """
                    cluster: orders
                    members:
                      - {name: a1, datacentre: east, rack: r1, peer: "10.0.0.1", client: "h:1"}
                      - a2
                    """,
                file: "members.yaml"
            )
        }
        #expect(
            error.description.split(separator: "\n").map(String.init) == [
                "members.yaml:3: members[0].datacenter: is missing; add it",
                "members.yaml:3: members[0].peer: must be host:port, such as 127.0.0.1:7400, and is "
                    + "'10.0.0.1'",
                "members.yaml:3: members[0].datacentre: is not a key of this file; did you mean "
                    + "'datacenter'?",
                "members.yaml:4: members[1]: must be a mapping, and is 'a2'",
            ]
        )
    }

    @Test func `members that cannot be a cluster are refused with the reason`() throws {
        let error = try #require(throws: ConfigurationError.self) {
            _ = try MembersFile(text: "cluster: orders\nmembers: []\n", file: "m.yaml")
                .founding(file: "m.yaml")
        }
        #expect(error.description.contains("at least one member"))
    }
}
