import ArgumentParser
import StarlingClient

/// The command `starling set`.
struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Read and change sets, in a keyspace of mode set or lww-set.",
        subcommands: [
            SetMembersCommand.self, SetAddCommand.self, SetRemoveCommand.self,
            SetContainsCommand.self,
        ]
    )
}

/// The command `starling set members`.
struct SetMembersCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "members",
        abstract: "List the members of a set; one that was never added to has none.",
        discussion: """
            EXAMPLES:
              starling set members tags/photo-1
              starling set members tags/photo-1 -c QUORUM -o json
              starling set members tags/photo-1 --replica dc1-n2
            """
    )

    @OptionGroup var target: KeyOptions
    @OptionGroup var copies: ReplicaOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.members(
            of: key.key,
            in: key.keyspace,
            options: target.readOptions,
            from: copies.replica
        )
        ReadReport.print(result, key: key, output: output)
    }
}

/// The command `starling set add`.
struct SetAddCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add members to a set.",
        discussion: """
            EXAMPLES:
              starling set add tags/photo-1 red
              starling set add tags/photo-1 red green -c QUORUM
              starling set add tags/photo-1 -- -begins-with-a-dash
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "What to add.")
    var members: [String]

    @Option(help: "The context of the read that this addition follows.")
    var context: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.addMembers(
            members.map { Array($0.utf8) },
            to: key.key,
            in: key.keyspace,
            options: target.writeOptions(context: context)
        )
        try WriteReport.print(result, key: key, output: output)
    }
}

/// The command `starling set remove`.
struct SetRemoveCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove members from a set.",
        discussion: """
            Removed is what --context has seen, and without one what a read at the same level sees:
            a member that is added at the same time stays. In a keyspace of mode lww-set the later
            of an addition and a removal counts.

            EXAMPLES:
              starling set remove tags/photo-1 red
              starling set remove tags/photo-1 red green --context AQ…
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "What to remove.")
    var members: [String]

    @Option(help: "The context of the read that this removal follows.")
    var context: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.removeMembers(
            members.map { Array($0.utf8) },
            from: key.key,
            in: key.keyspace,
            options: target.writeOptions(context: context)
        )
        try WriteReport.print(result, key: key, output: output)
    }
}

/// The command `starling set contains`.
struct SetContainsCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "contains",
        abstract: "Say which of the members named are in a set; exit 2 unless all are.",
        discussion: """
            Printed is a line for each: the member, and whether it is present or absent.

            EXAMPLES:
              starling set contains tags/photo-1 red
              starling set contains tags/photo-1 red green -o json
              if starling set contains tags/photo-1 red; then echo red; fi
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "What to look for.")
    var members: [String]

    @OptionGroup var copies: ReplicaOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.members(
            of: key.key,
            in: key.keyspace,
            options: target.readOptions,
            from: copies.replica
        )
        let wanted = members.map { Array($0.utf8) }
        let found = Set(result.contents.members)
        if output.isJSON {
            let json = ReadReport.json(
                result,
                key: key,
                found: Self.json(wanted, among: found)
            )
            Console.print(json.text)
        } else {
            for member in wanted {
                let state = found.contains(member) ? "present" : "absent"
                Console.write(member + Array("\t\(state)\n".utf8))
            }
            ReadReport.note(result, output: output)
        }
        guard wanted.allSatisfy(found.contains) else { throw CommandExit(.notFound) }
    }

    /// The members of the JSON object that say which of the wanted are there and which are not.
    static func json(_ wanted: [[UInt8]], among found: Set<[UInt8]>) -> [JSONValue.Member] {
        [
            ("present", .members(wanted.filter(found.contains))),
            ("absent", .members(wanted.filter { !found.contains($0) })),
        ]
    }
}
