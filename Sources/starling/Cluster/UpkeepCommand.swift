import ArgumentParser
import ClusterPrimitives
import StarlingClient

/// Which stores an upkeep command is for.
struct UpkeepOptions: ParsableArguments {
    @Option(help: "The keyspace; by default all, one after another.")
    var keyspace: String?

    @Option(help: "The node; by default all, one after another.")
    var node: String?

    @Option(
        help: ArgumentHelp(
            "How long to wait for each node's answer, which comes when its work is done. "
                + "The node goes on with it after that, and after Ctrl-C.",
            valueName: "duration"
        )
    )
    var deadline = DurationText(.seconds(86_400))

    func validate() throws {
        guard deadline.duration > .zero else {
            throw ValidationError("--deadline must be longer than nothing, such as 10m or 1d.")
        }
    }
}

/// A command that has nodes look after their own tables.
protocol UpkeepCommand: ClusterCommand {
    /// The work.
    static var kind: StoreUpkeep { get }
    /// Where it is done.
    var target: UpkeepOptions { get }
}

extension UpkeepCommand {
    func execute(_ client: StarlingClient) async throws {
        var nodes = try await client.describe().nodes.map(\.name)
        if let node = target.node {
            guard nodes.contains(node) else {
                throw StarlingError(
                    .notFound,
                    "there is no node '\(node)'.",
                    advice: NearestName.of(node, among: nodes).map { "Did you mean '\($0)'?" }
                        ?? "These exist: \(nodes.joined(separator: ", "))."
                )
            }
            nodes = [node]
        }
        if let keyspace = target.keyspace { _ = try await client.keyspace(keyspace) }
        var summary = UpkeepSummary(kind: Self.kind, output: output)
        // One at a time, so that of a key's replicas no more than one is busy.
        for (index, node) in nodes.enumerated() {
            if Console.isErrorTerminal, nodes.count > 1 {
                Console.note("\(Self.kind) on \(node) (\(index + 1) of \(nodes.count))")
            }
            do throws(StarlingError) {
                let results = try await client.upkeep(
                    Self.kind,
                    of: target.keyspace,
                    on: node,
                    timeout: target.deadline.duration
                )
                for result in results { summary.add(result, of: node) }
            } catch {
                // Who may not do it on one node may not do it on another.
                if error.code == .forbidden { throw error }
                summary.add(error, of: node)
            }
        }
        try summary.finish()
    }
}

/// The command `starling flush`.
struct FlushCommand: UpkeepCommand {
    static let kind = StoreUpkeep.flush

    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Have nodes write what is in memory to tables; needs an admin's certificate.",
        discussion: """
            EXAMPLES:
              starling flush
              starling flush --keyspace demo --node dc1-n1
              starling flush -o json
            """
    )

    @OptionGroup var target: UpkeepOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
}

/// The command `starling compact`.
struct CompactCommand: UpkeepCommand {
    static let kind = StoreUpkeep.compact

    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Have nodes merge all tables of a keyspace; needs an admin's certificate.",
        discussion: """
            Nodes compact by themselves. All at once reads and writes every table, and needs room \
            on the disk meanwhile.

            EXAMPLES:
              starling compact --keyspace demo
              starling compact --keyspace demo --node dc1-n1 --deadline 2h
            """
    )

    @OptionGroup var target: UpkeepOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
}

/// The command `starling verify`.
struct VerifyCommand: UpkeepCommand {
    static let kind = StoreUpkeep.verify

    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Have nodes check every byte of their tables; needs an admin's certificate.",
        discussion: """
            Changes nothing. Ends with exit code 1 where damage is found: see starling scrub.

            EXAMPLES:
              starling verify
              starling verify --keyspace demo --node dc1-n1 -o json
            """
    )

    @OptionGroup var target: UpkeepOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
}

/// The command `starling scrub`.
struct ScrubCommand: UpkeepCommand {
    static let kind = StoreUpkeep.scrub

    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Have nodes write damaged tables anew; needs an admin's certificate.",
        discussion: """
            Verifies every table and writes each damaged one anew from what is whole of it; the \
            damaged file is kept. Where records may be lost the node answers "unknown", and other \
            replicas answer for it.

            EXAMPLES:
              starling scrub
              starling scrub --keyspace demo --node dc1-n1 -o json
            """
    )

    @OptionGroup var target: UpkeepOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
}
