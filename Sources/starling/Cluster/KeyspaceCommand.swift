import ArgumentParser
import ClusterPrimitives
import Partitioning
import StarlingClient

/// The command `starling keyspace`.
struct KeyspaceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyspace",
        abstract: "Create, show and drop keyspaces.",
        subcommands: [
            KeyspaceCreateCommand.self, KeyspaceListCommand.self, KeyspaceShowCommand.self,
            KeyspaceDropCommand.self,
        ]
    )
}

/// The command `starling keyspace create`.
struct KeyspaceCreateCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a keyspace; needs an admin's certificate.",
        discussion: """
            The mode says what a key holds, and what becomes of writes at the same time:

              lww           a value; the latest write wins
              siblings      all values that no write has seen yet
              counter       a sum, to which is added
              grow-counter  a sum that never falls
              set           members; an addition wins over a removal at the same time
              lww-set       members; of an addition and a removal the later wins
              map           fields, each a register, a counter or a set

            EXAMPLES:
              starling keyspace create users --replication dc1=3,dc2=3
              starling keyspace create carts --replication dc1=3 --mode siblings
              starling keyspace create hits --replication dc1=3 --mode counter
              starling keyspace create sessions --replication dc1=2 --ttl 1h
              starling keyspace create money --replication dc1=3 --write-consistency ALL
              starling keyspace create logs --replication dc1=3 --compression zlib:6
            """
    )

    @Argument(help: "The keyspace's name.")
    var name: String

    @Option(help: "Replicas of each key by datacenter: dc1=3,dc2=3.")
    var replication: ReplicationArgument

    @Option(
        help: ArgumentHelp(
            "What a key holds: lww, siblings, counter, grow-counter, set, lww-set or map. It is "
                + "fixed when the keyspace is created."
        )
    )
    var mode = "lww"

    @Option(
        help: ArgumentHelp(
            "How long a value lives whose write says nothing: 1h, 7d. Only of values: for the modes "
                + "lww and siblings."
        )
    )
    var ttl: DurationText?

    @Option(
        help: "The level of reads that name none.",
        transform: ConsistencyOptions.level
    )
    var readConsistency = ConsistencyLevel.standard

    @Option(
        help: "The level of writes that name none.",
        transform: ConsistencyOptions.level
    )
    var writeConsistency = ConsistencyLevel.standard

    @Option(
        help: ArgumentHelp(
            "How tables are stored: none, zlib (level 1) or zlib:1, fast, to zlib:9, small.",
            valueName: "compression"
        ),
        transform: KeyspaceCreateCommand.compression
    )
    var compression = KeyspaceDescription.Compression.none

    /// The compression of a text.
    static func compression(_ text: String) throws -> KeyspaceDescription.Compression {
        guard let compression = KeyspaceDescription.Compression(text) else {
            throw ValidationError(
                "'\(text)' is no compression. Use \(BlockCompression.choices)."
            )
        }
        return compression
    }

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        guard let mode = KeyspaceDescription.Mode(mode) else {
            let names = KeyspaceDescription.Mode.allCases.map(\.description)
            throw CommandError.usage(
                "there is no mode '\(mode)'.",
                advice: NearestName.of(mode, among: names).map { "Did you mean '\($0)'?" }
                    ?? "The modes are \(names.joined(separator: ", "))."
            )
        }
        let keyspace = KeyspaceDescription(
            name: name,
            mode: mode,
            replication: replication.replication,
            lifetime: ttl?.duration,
            readConsistency: readConsistency,
            writeConsistency: writeConsistency,
            compression: compression
        )
        let cluster = try await client.createKeyspace(keyspace)
        let created = cluster.keyspaces.first { $0.name == name } ?? keyspace
        if output.isJSON {
            Console.print(created.json.text)
        } else {
            let stored = created.compression == .none ? "" : ", \(created.compression)"
            Console.print("created \(name): \(created.replicationText), \(created.mode)\(stored)")
        }
    }
}

/// The command `starling keyspace list`.
struct KeyspaceListCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List all keyspaces.",
        discussion: """
            EXAMPLES:
              starling keyspace list
              starling keyspace list -o json
            """
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let keyspaces = try await client.describe().keyspaces
        switch output.format {
        case .json:
            Console.print(
                JSONValue.object([("keyspaces", .array(keyspaces.map(\.json)))]).text
            )
        case .jsonl:
            for keyspace in keyspaces { Console.print(keyspace.json.text) }
        case .table, .plain:
            var table = TablePrinter([
                "NAME", "REPLICATION", "MODE", "TTL", "READ", "WRITE", "COMPRESSION",
            ])
            for keyspace in keyspaces {
                table.row([
                    keyspace.name, keyspace.replicationText, keyspace.mode.description,
                    keyspace.lifetime.map(DurationText.text) ?? "-",
                    keyspace.readConsistency.description, keyspace.writeConsistency.description,
                    keyspace.compression.description,
                ])
            }
            Console.write(table.text(isPlain: output.format == .plain))
        }
    }
}

/// The command `starling keyspace show`.
struct KeyspaceShowCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one keyspace.",
        discussion: """
            EXAMPLES:
              starling keyspace show demo
              starling keyspace show demo -o json
            """
    )

    @Argument(help: "The keyspace's name.")
    var name: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        _ = try await client.keyspace(name)
        let keyspaces = try await client.describe().keyspaces
        guard let keyspace = keyspaces.first(where: { $0.name == name }) else {
            throw CommandError("not_found", "there is no keyspace '\(name)'.", exit: .notFound)
        }
        if output.isJSON {
            Console.print(keyspace.json.text)
            return
        }
        var table = TablePrinter(["KEY", "VALUE"])
        table.row(["name", keyspace.name])
        table.row(["replication", keyspace.replicationText])
        table.row(["mode", keyspace.mode.description])
        table.row(["ttl", keyspace.lifetime.map(DurationText.text) ?? "-"])
        table.row(["read consistency", keyspace.readConsistency.description])
        table.row(["write consistency", keyspace.writeConsistency.description])
        table.row(["compression", keyspace.compression.description])
        Console.write(table.text(isPlain: output.format == .plain))
    }
}

/// The command `starling keyspace drop`.
struct KeyspaceDropCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Drop a keyspace with all its data; needs an admin's certificate.",
        discussion: """
            EXAMPLES:
              starling keyspace drop users --dry-run
              starling keyspace drop users --yes
            """
    )

    @Argument(help: "The keyspace's name.")
    var name: String

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Say what would be dropped, and drop nothing.")
    var dryRun = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        _ = try await client.keyspace(name)
        let summary = JSONValue.object([
            ("keyspace", .string(name)), ("dropped", .bool(!dryRun)),
        ])
        if dryRun {
            Console.print(
                output.isJSON
                    ? summary.text : "would drop keyspace \(name) with all its data"
            )
            return
        }
        try Confirmation.require(
            "Drop keyspace \(name) with all its data on all nodes?",
            isGiven: yes
        )
        _ = try await client.dropKeyspace(name)
        Console.print(output.isJSON ? summary.text : "dropped \(name)")
    }
}

/// Replicas by datacenter, written `dc1=3,dc2=3`.
struct ReplicationArgument: ExpressibleByArgument, Equatable {
    /// In the order in which they were written.
    var replication: [KeyspaceDescription.Replication] = []

    init?(argument: String) {
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty, let replicas = Int(sides[1]), replicas >= 0
            else { return nil }
            replication.append(
                KeyspaceDescription.Replication(
                    datacenter: String(sides[0]),
                    replicas: replicas
                )
            )
        }
    }
}

extension KeyspaceDescription {
    /// `dc1=3,dc2=3`.
    var replicationText: String {
        replication.map { "\($0.datacenter)=\($0.replicas)" }.joined(separator: ",")
    }

    /// The object that `-o json` prints.
    var json: JSONValue {
        .object([
            ("name", .string(name)),
            (
                "replication",
                .object(replication.map { ($0.datacenter, .integer($0.replicas)) })
            ),
            ("mode", .string(mode.description)),
            ("ttl_s", lifetime.map { .number($0 / .seconds(1)) } ?? .null),
            ("read_consistency", .string(readConsistency.description)),
            ("write_consistency", .string(writeConsistency.description)),
            ("compression", .string(compression.description)),
        ])
    }
}
