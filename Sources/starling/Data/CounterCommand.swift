import ArgumentParser
import StarlingClient

/// The command `starling counter`.
struct CounterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "counter",
        abstract: "Read and add to counters, in a keyspace of mode counter or grow-counter.",
        subcommands: [CounterGetCommand.self, CounterAddCommand.self]
    )
}

/// The command `starling counter get`.
struct CounterGetCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Read a counter; one that was never added to is 0.",
        discussion: """
            EXAMPLES:
              starling counter get hits/home
              starling counter get hits/home -c QUORUM -o json
              starling counter get hits/home --replica dc1-n2
            """
    )

    @OptionGroup var target: KeyOptions
    @OptionGroup var copies: ReplicaOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.counter(
            key.key,
            in: key.keyspace,
            options: target.readOptions,
            from: copies.replica
        )
        ReadReport.print(result, key: key, output: output)
    }
}

/// The command `starling counter add`.
struct CounterAddCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a number to a counter, and print its sum.",
        discussion: """
            An addition whose outcome is unknown (exit code 4) is repeated only if it has an
            --operation-id, since it might count twice: repeated with the same id it counts once.

            EXAMPLES:
              starling counter add hits/home
              starling counter add stock/apples -3 -c QUORUM
              starling counter add stock/apples 10 --operation-id delivery-4711
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("The number, which may be negative; 1 by default.", valueName: "n")
    )
    var amount: [String] = []

    @Option(help: "What no other addition to the key is called: up to 64 bytes.")
    var operationID: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        _ = try DashedArgument.amount(of: amount)
        if operationID == "" { throw ValidationError("--operation-id must not be empty.") }
    }

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.increment(
            key.key,
            by: DashedArgument.amount(of: amount) ?? 1,
            in: key.keyspace,
            operationID: Array((operationID ?? "").utf8),
            options: target.writeOptions()
        )
        try WriteReport.print(result, key: key, output: output, sum: result.sum)
    }
}
