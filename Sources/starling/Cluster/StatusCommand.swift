import ArgumentParser
import ClusterPrimitives
import Partitioning
import StarlingClient

/// The command `starling status`.
struct StatusCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the nodes, and which consistency levels work now.",
        discussion: """
            EXAMPLES:
              starling status
              starling status --watch
              starling status -o json
              starling status --from dc2-n1
            """
    )

    @Flag(help: "Show it anew every two seconds.")
    var watch = false

    @Option(help: "The node whose view to show, by default whichever answers.")
    var from: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        while true {
            let report = try await StatusReport(client, seenFrom: from)
            if watch, output.format == .table, Console.isTerminal {
                Console.write("\u{1B}[H\u{1B}[2J")
            }
            report.print(output)
            guard watch else { return }
            try await Task.sleep(for: .seconds(2))
        }
    }
}

/// The state of a cluster, and what it means.
struct StatusReport {
    private let status: ClusterStatus
    private let shares: [String: Double]
    private let availability: Availability

    /// Asks the cluster.
    init(_ client: StarlingClient, seenFrom node: String?) async throws(StarlingError) {
        let status = try await client.status(seenFrom: node)
        let snapshot = try await client.snapshot()
        let topology = snapshot.topology
        let ownership = Ownership(topology)
        var shares: [String: Double] = [:]
        for member in topology.members { shares[member.name] = ownership.share(of: member.id) }
        func members(_ states: [NodeStatus.State], knowing: Bool = false) -> Set<NodeID> {
            let nodes = status.nodes.filter {
                states.contains($0.state) && ($0.isDataKnown || !knowing)
            }
            let names = Set(nodes.map(\.name))
            return Set(topology.members.filter { names.contains($0.name) }.map(\.id))
        }
        self.status = status
        self.shares = shares
        availability = Availability(
            of: topology,
            ring: snapshot.ring,
            readable: members([.up, .suspect, .leaving], knowing: true),
            writable: members([.up, .suspect, .leaving, .joining]),
            local: client.localDatacenter.flatMap(topology.datacenter)
        )
    }

    /// Prints the state.
    func print(_ output: OutputOptions) {
        switch output.format {
        case .json, .jsonl: Console.print(json.text)
        case .plain, .table: printTable(output)
        }
    }

    private func printTable(_ output: OutputOptions) {
        var table = TablePrinter([
            "NODE", "DC", "RACK", "STATE", "PHI#", "LOAD#", "OWNS#", "VNODES#",
            "UPTIME#", "VERSION", "CLOCK#", "DATA",
        ])
        for node in status.nodes {
            table.row([
                node.name, node.datacenter, node.rack, node.state.rawValue,
                Figures.fixed(node.phi, 1), Figures.size(node.loadInBytes),
                Figures.share(shares[node.name] ?? 0), String(node.virtualNodes),
                node.state == .down ? "-" : DurationText.approximate(node.uptime),
                node.softwareVersion.isEmpty ? "-" : node.softwareVersion,
                node.state == .down ? "-" : "\(node.clockDeviation.wholeMilliseconds) ms",
                node.isDataKnown ? "known" : "unknown",
            ])
        }
        let isPlain = output.format == .plain
        if !isPlain {
            Console.print(
                "cluster \(status.cluster), epoch \(status.epoch), seen from \(status.seenFrom)"
            )
        }
        Console.write(
            table.text(isPlain: isPlain) { row, column, cell in
                let node = status.nodes[row]
                switch column {
                case 3: return output.colored(cell, Self.color(of: node.state))
                case 10 where node.isClockOff: return output.colored(cell, .bad)
                case 11 where !node.isDataKnown: return output.colored(cell, .bad)
                default: return cell
                }
            }
        )
        Console.print(isPlain ? sentence : "\n" + sentence)
    }

    private static func color(of state: NodeStatus.State) -> TextColor {
        switch state {
        case .up: .good
        case .joining, .suspect, .leaving: .warning
        case .down, .left: .bad
        }
    }

    /// Which levels work now and for what share of keys.
    private var sentence: String {
        let unusable =
            NodeStatus.State.allCases.filter { $0 != .up }
            .map { state in (state.rawValue, status.nodes.count { $0.state == state }) }
            .filter { $0.1 > 0 }
            + [("without its data", status.nodes.count { !$0.isDataKnown })].filter { $0.1 > 0 }
        return availability.sentence(unusable: unusable, nodes: status.nodes.count)
    }

    private var json: JSONValue {
        .object([
            ("cluster", .string(status.cluster)),
            ("epoch", .integer(Int(clamping: status.epoch))),
            ("nodes", .array(status.nodes.map(json))),
            (
                "availability",
                .array(
                    availability.lines.map {
                        .object([
                            ("keyspace", .string($0.keyspace)),
                            ("level", .string($0.level.description)),
                            ("reads", .number(Figures.rounded($0.reads, 6))),
                            ("writes", .number(Figures.rounded($0.writes, 6))),
                        ])
                    }
                )
            ),
            ("seen_from", .string(status.seenFrom)),
            ("summary", .string(sentence)),
        ])
    }

    private func json(_ node: NodeStatus) -> JSONValue {
        .object([
            ("name", .string(node.name)),
            ("id", .string(node.identifier)),
            ("datacenter", .string(node.datacenter)),
            ("rack", .string(node.rack)),
            ("state", .string(node.state.rawValue)),
            ("phi", .number(Figures.rounded(node.phi, 2))),
            ("load_bytes", .integer(Int(clamping: node.loadInBytes))),
            ("ownership", .number(Figures.rounded(shares[node.name] ?? 0, 4))),
            ("vnodes", .integer(node.virtualNodes)),
            ("uptime_s", .integer(Int(node.uptime.components.seconds))),
            ("version", .string(node.softwareVersion)),
            ("silence_ms", .integer(Int(node.silence.wholeMilliseconds))),
            ("epoch", .integer(Int(clamping: node.epoch))),
            ("clock_offset_ms", .integer(Int(node.clockDeviation.wholeMilliseconds))),
            ("data", .string(node.isDataKnown ? "known" : "unknown")),
        ])
    }
}
