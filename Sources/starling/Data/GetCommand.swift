import ArgumentParser
import ClusterPrimitives
import StarlingClient

/// The command `starling get`.
struct GetCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Read a value.",
        discussion: """
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
        guard !result.values.isEmpty else { throw absence(result) }
        if failOnSiblings, result.values.count > 1 { throw siblings(result) }
        try print(result)
    }

    private func print(_ result: GetResult) throws {
        if raw {
            guard result.values.count == 1 else { throw siblings(result) }
            for value in result.values { Console.write(value.bytes) }
            return
        }
        switch output.format {
        case .json, .jsonl:
            Console.print(json(result).text)
        case .plain, .table:
            for value in result.values { Console.write(value.bytes + [UInt8(ascii: "\n")]) }
            if output.format == .table, Console.isErrorTerminal {
                note(result)
            } else if result.repaired > 0 {
                Console.note(
                    "note: \(result.repaired) of the replicas lacked this value and have it now."
                )
            }
            TraceText.note(result.trace)
        }
    }

    private func note(_ result: GetResult) {
        for value in result.values {
            var line = value.version.description
            if let expiry = value.expiry { line += ", expires \(expiry)" }
            Console.note(output.colored(line, .faint))
        }
        let level = result.consistency?.description ?? "own copy"
        Console.note(
            output.colored(
                "\(level), \(result.responded) of \(result.required) replicas, via "
                    + result.coordinator
                    + (result.repaired > 0 ? ", \(result.repaired) repaired" : ""),
                .faint
            )
        )
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
            advice: "Read them with -o json, and write their merger with --context.",
            exit: .conflict,
            trailer: [
                ("siblings", .integer(result.values.count)),
                ("context", .string(Base64URL.text(result.context))),
            ],
            trace: result.trace
        )
    }

    private func json(_ result: GetResult) -> JSONValue {
        var members: [JSONValue.Member] = [
            ("keyspace", .string(key.keyspace)), ("key", .bytes(key.key)),
            (
                "values",
                .array(
                    result.values.map {
                        .object([
                            ("value", .bytes($0.bytes)),
                            ("version", .string($0.version.description)),
                            ("expires_at", .optional($0.expiry?.description)),
                        ])
                    }
                )
            ),
            ("context", .string(Base64URL.text(result.context))),
            ("siblings", .integer(result.values.count)),
            ("consistency", .optional(result.consistency?.description)),
            ("coordinator", .string(result.coordinator)),
            (
                "replicas",
                .object([
                    ("required", .integer(result.required)),
                    ("responded", .integer(result.responded)),
                ])
            ),
            ("repaired", .integer(result.repaired)),
        ]
        if !result.trace.isEmpty { members.append(("trace", .trace(result.trace))) }
        return .object(members)
    }
}
