import ArgumentParser
import ClusterPrimitives
import Partitioning
import StarlingClient

/// The command `starling ring`.
struct RingCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring",
        abstract: "Show who owns how much of the ring, or where one key lies and why.",
        discussion: """
            EXAMPLES:
              starling ring
              starling ring --key demo/greeting
              starling ring --vnodes -o jsonl
            """
    )

    @Option(help: "Show the replicas of this key: KEYSPACE/KEY.")
    var key: KeyArgument?

    @Flag(help: "List every token.")
    var vnodes = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard key == nil || !vnodes else {
            throw ValidationError("--key and --vnodes are two questions: ask one.")
        }
    }

    func execute(_ client: StarlingClient) async throws {
        if let key {
            let (keyspace, snapshot) = try await client.keyspace(key.keyspace)
            KeyPlacement(key, keyspace, snapshot).print(output)
        } else {
            let topology = try await client.refreshed().topology
            if vnodes { printTokens(topology) } else { printMembers(topology) }
        }
    }

    private func printMembers(_ topology: Topology) {
        let ownership = Ownership(topology)
        switch output.format {
        case .json, .jsonl:
            let nodes = topology.members.map { member in
                JSONValue.object([
                    ("name", .string(member.name)),
                    ("datacenter", .string(topology.name(of: member.datacenter))),
                    ("rack", .string(member.rack)),
                    ("vnodes", .integer(member.tokens.count)),
                    (
                        "ownership",
                        .number(Figures.rounded(ownership.share(of: member.id), 6))
                    ),
                ])
            }
            let balance = datacenters(of: topology).map { datacenter in
                (
                    topology.name(of: datacenter),
                    JSONValue.number(
                        Figures.rounded(ownership.balance(in: datacenter, of: topology), 4)
                    )
                )
            }
            Console.print(
                JSONValue.object([
                    ("cluster", .string(topology.clusterName)),
                    ("epoch", .integer(Int(clamping: topology.epoch))),
                    ("nodes", .array(nodes)),
                    ("balance", .object(balance)),
                ]).text
            )
        case .plain, .table:
            var table = TablePrinter(["NODE", "DC", "RACK", "VNODES#", "OWNS#"])
            for member in topology.members {
                table.row([
                    member.name, topology.name(of: member.datacenter), member.rack,
                    String(member.tokens.count), Figures.share(ownership.share(of: member.id)),
                ])
            }
            Console.write(table.text(isPlain: output.format == .plain))
            let balance = datacenters(of: topology).map {
                "\(topology.name(of: $0)) "
                    + Figures.fixed(ownership.balance(in: $0, of: topology), 3)
            }.joined(separator: ", ")
            let sentence = "balance, largest share over mean: \(balance)"
            if output.format == .plain {
                Console.note(sentence)
            } else {
                Console.print("\n" + sentence)
            }
        }
    }

    private func datacenters(of topology: Topology) -> [DatacenterID] {
        topology.datacenters.indices.map { DatacenterID(UInt8($0)) }
            .filter { !topology.members(in: $0).isEmpty }
    }

    private func printTokens(_ topology: Topology) {
        let tokens = topology.members
            .flatMap { member in member.tokens.map { (token: $0, member: member) } }
            .sorted { $0.token < $1.token }
        if output.isJSON {
            let values = tokens.map { entry in
                JSONValue.object([
                    ("token", .string(entry.token.description)),
                    ("node", .string(entry.member.name)),
                    ("datacenter", .string(topology.name(of: entry.member.datacenter))),
                    ("rack", .string(entry.member.rack)),
                ])
            }
            if output.format == .jsonl {
                for value in values { Console.print(value.text) }
            } else {
                Console.print(JSONValue.object([("vnodes", .array(values))]).text)
            }
            return
        }
        var table = TablePrinter(["TOKEN#", "NODE", "DC", "RACK"])
        for entry in tokens {
            table.row([
                entry.token.description, entry.member.name,
                topology.name(of: entry.member.datacenter), entry.member.rack,
            ])
        }
        Console.write(table.text(isPlain: output.format == .plain))
    }
}

/// Where a key lies, and why.
private struct KeyPlacement {
    private struct Replica {
        var name: String
        var datacenter: String
        var rack: String
        var reason: String
    }

    private let key: KeyArgument
    private let token: Token
    private let range: TokenRange
    private let replicas: [Replica]

    init(_ key: KeyArgument, _ keyspace: Keyspace, _ snapshot: ClusterSnapshot) {
        self.key = key
        let token = Token(ofKey: key.key)
        let ring = snapshot.ring(of: keyspace)
        let topology = snapshot.topology
        self.token = token
        range = ring.ranges[ring.index(of: token)].range
        var racksTaken: [[String]] = Array(repeating: [], count: topology.datacenters.count)
        replicas = ring.replicas(for: token).enumerated().compactMap { index, id in
            guard let member = topology.member(id) else { return nil }
            let datacenter = Int(member.datacenter.rawValue)
            let name = topology.name(of: member.datacenter)
            let place = racksTaken[datacenter].count + 1
            let wanted = keyspace.replicas(in: member.datacenter)
            let isNewRack = !racksTaken[datacenter].contains(member.rack)
            racksTaken[datacenter].append(member.rack)
            var reason =
                index == 0 ? "first clockwise from the token" : "next clockwise"
            reason += ", \(place) of \(wanted) in \(name)"
            reason += isNewRack ? ", first in rack \(member.rack)" : ", rack \(member.rack) again"
            return Replica(
                name: member.name,
                datacenter: name,
                rack: member.rack,
                reason: reason
            )
        }
    }

    func print(_ output: OutputOptions) {
        if output.isJSON {
            Console.print(
                JSONValue.object([
                    ("keyspace", .string(key.keyspace)), ("key", .bytes(key.key)),
                    ("token", .string(token.description)),
                    (
                        "range",
                        .array([
                            .string(range.start.description), .string(range.end.description),
                        ])
                    ),
                    (
                        "replicas",
                        .array(
                            replicas.map {
                                .object([
                                    ("node", .string($0.name)),
                                    ("datacenter", .string($0.datacenter)),
                                    ("rack", .string($0.rack)), ("why", .string($0.reason)),
                                ])
                            }
                        )
                    ),
                ]).text
            )
            return
        }
        if output.format == .table {
            Console.print("\(key.text): token \(token) in \(range)")
        }
        var table = TablePrinter(["#", "NODE", "DC", "RACK", "WHY"])
        for (index, replica) in replicas.enumerated() {
            table.row([
                String(index + 1), replica.name, replica.datacenter, replica.rack, replica.reason,
            ])
        }
        Console.write(table.text(isPlain: output.format == .plain))
    }
}
