import ArgumentParser
import ClusterPrimitives
import StarlingClient

/// The command `starling get`.
struct GetCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Read a value.",
        discussion: """
            Where siblings are kept, each value is printed on a line of its own, and a note tells the
            context with which one write puts a value in the place of them all. With --replica the
            key of any keyspace is read: a counter, a set or a map is printed as its own commands do.

            EXAMPLES:
              starling get demo/greeting
              starling get demo/photo --raw > photo.jpg
              starling get demo/greeting -c QUORUM --trace -o json
              starling get demo/greeting --replica dc1-n2
            """
    )

    @Argument(help: "What to read: KEYSPACE/KEY.")
    var key: KeyArgument

    @Flag(help: "Print the value's bytes and nothing else, not even a newline.")
    var raw = false

    @Option(help: "Read this node's own copy alone, with no repair.")
    var replica: String?

    @Flag(help: "Exit 5 where there is more than one value.")
    var failOnSiblings = false

    @Flag(help: "Tell what happened to the request.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let options = ReadOptions(consistency: consistency.consistency, isTraced: trace)
        let result: GetResult
        if let replica {
            result = try await client.getOwnCopy(
                of: key.key,
                in: key.keyspace,
                from: replica,
                options: options
            )
        } else {
            result = try await client.get(key.key, in: key.keyspace, options: options)
        }
        if case .values(let values) = result.contents {
            if values.isEmpty { throw absence(result) }
            if values.count > 1, failOnSiblings || raw { throw siblings(result) }
        }
        guard raw else {
            ReadReport.print(result, key: key, output: output)
            return
        }
        guard case .values(let values) = result.contents else {
            throw CommandError.usage(
                "\(key.keyspace) holds \(result.contents.plural), of which no bytes can be printed.",
                advice: "Read it without --raw."
            )
        }
        for value in values { Console.write(value.bytes) }
    }

    private func absence(_ result: GetResult) -> CommandError {
        CommandError(
            "not_found",
            "there is no value at \(key.text)"
                + (replica.map { " on \($0)." } ?? "."),
            advice: replica == nil
                ? "See which keys there are with 'starling scan \(key.keyspace) --keys-only'."
                : "The other replicas may have one: read without --replica.",
            exit: .notFound,
            trailer: [("context", .string(Base64URL.text(result.context)))],
            trace: result.trace
        )
    }

    private func siblings(_ result: GetResult) -> CommandError {
        CommandError(
            "conflict",
            "\(key.text) has \(result.values.count) values.",
            advice: "To put one in their place: starling put \(key.text) VALUE --context "
                + Base64URL.text(result.context),
            exit: .conflict,
            trailer: [
                ("siblings", .integer(result.values.count)),
                ("context", .string(Base64URL.text(result.context))),
            ],
            trace: result.trace
        )
    }
}
