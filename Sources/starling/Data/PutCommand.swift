import ArgumentParser
import Causality
import ClusterPrimitives
import Foundation
import StarlingClient

/// The command `starling put`.
struct PutCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Write a value.",
        discussion: """
            In a keyspace that keeps siblings, a write replaces the values that its --context has
            seen, and without one none: it is kept beside them.

            EXAMPLES:
              starling put demo/greeting hello
              starling put demo/photo @photo.jpg -c QUORUM
              date | starling put demo/now - --ttl 1h
              starling put demo/a 2 --context AQ… --fail-on-conflict
            """
    )

    @Argument(help: "Where to write: KEYSPACE/KEY.")
    var key: KeyArgument

    @Argument(help: "The value, - for standard input, or @FILE for a file's bytes.")
    var value: String

    @Option(help: "The context of the read that this write follows.")
    var context: String?

    @Option(help: "How long the value lives: 500ms, 2s, 1h, 7d.")
    var ttl: DurationText?

    @Option(
        help: ArgumentHelp(
            "Stamp the write with this time instead of the node's, in milliseconds since 1970; at "
                + "most 500 ms from the node's clock, and only in lww keyspaces.",
            valueName: "ms"
        )
    )
    var timestamp: UInt64?

    @Flag(
        help: ArgumentHelp(
            "Exit 5 where a newer value is in the way, instead of stamping the write anew; where "
                + "siblings are kept, if more than one value remains once it is written."
        )
    )
    var failOnConflict = false

    @Flag(help: "Tell what happened to the request.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if timestamp == 0 {
            throw ValidationError(
                "--timestamp must be at least 1; leave it out for the node's time."
            )
        }
    }

    func execute(_ client: StarlingClient) async throws {
        var options = WriteOptions(consistency: consistency.consistency, isTraced: trace)
        options.context = try ContextArgument.bytes(context)
        options.lifetime = ttl?.duration
        options.timestamp = timestamp.map(WallClockTime.init(milliseconds:))
        options.conflict = failOnConflict ? .fail : .restamp
        let bytes = try ValueArgument.bytes(value)
        let result = try await client.put(
            bytes,
            for: key.key,
            in: key.keyspace,
            options: options
        )
        try WriteReport.print(result, key: key, output: output, failsOnLoss: failOnConflict)
    }
}

/// The command `starling delete`.
struct DeleteCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a key.",
        discussion: """
            Of siblings, sets and maps what --context has seen is deleted, and without one what a
            read at the same level sees: what is written at the same time stays.

            EXAMPLES:
              starling delete demo/greeting
              starling delete demo/greeting -c ALL -o json
            """
    )

    @Argument(help: "What to delete: KEYSPACE/KEY.")
    var key: KeyArgument

    @Option(help: "The context of the read that this delete follows.")
    var context: String?

    @Flag(help: "Tell what happened to the request.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        var options = WriteOptions(consistency: consistency.consistency, isTraced: trace)
        options.context = try ContextArgument.bytes(context)
        let result = try await client.delete(key.key, in: key.keyspace, options: options)
        try WriteReport.print(result, key: key, output: output)
    }
}

/// A causal context as commands take and print it.
enum ContextArgument {
    /// The bytes of a context; none where none is given.
    ///
    /// - Throws: `invalid` for a text that is no context.
    static func bytes(_ text: String?) throws -> [UInt8] {
        guard let text else { return [] }
        guard let bytes = Base64URL.bytes(text), !bytes.isEmpty,
            bytes.count <= CausalContext.maximumSize
        else {
            throw CommandError.usage(
                "'\(text.prefix(64))' is no context.",
                advice: "Give the context of a read as it was printed, such as by get -o json."
            )
        }
        return bytes
    }
}

/// The value that an argument stands for.
enum ValueArgument {
    /// The bytes of `VALUE`, `-` or `@FILE`; one byte more than allowed is as far as it reads.
    static func bytes(_ argument: String) throws -> [UInt8] {
        let limit = Limits.maximumValueSize + 1
        if argument == "-" {
            return try read(FileHandle.standardInput, limit, name: "standard input")
        }
        guard argument.hasPrefix("@") else { return Array(argument.utf8) }
        let path = String(argument.dropFirst())
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CommandError.usage(
                "cannot read '\(path)'.",
                advice: "Check the name and that the file can be read."
            )
        }
        defer { try? file.close() }
        return try read(file, limit, name: path)
    }

    private static func read(_ file: FileHandle, _ limit: Int, name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            while bytes.count < limit,
                let chunk = try file.read(upToCount: limit - bytes.count), !chunk.isEmpty
            {
                bytes += chunk
            }
        } catch {
            throw CommandError.usage("cannot read \(name): \(error.localizedDescription)")
        }
        return bytes
    }
}

/// What is printed of a write that reached its level.
enum WriteReport {
    /// Prints a result, with the sum of a counter that was added to.
    ///
    /// - Throws: `conflict` where the write lost, or left more than one value, and the caller asked
    ///   to be told.
    static func print(
        _ result: PutResult,
        key: KeyArgument,
        output: OutputOptions,
        failsOnLoss: Bool = false,
        sum: Int64? = nil
    ) throws {
        if failsOnLoss {
            if result.shadowed == .lost { throw loss(result, key: key) }
            if result.siblings > 1 { throw siblings(result, key: key) }
        }
        let level = result.consistency?.description ?? ""
        switch output.format {
        case .json, .jsonl:
            Console.print(json(result, key: key, sum: sum).text)
        case .plain where sum != nil:
            Console.print(String(sum ?? 0))
            TraceText.note(result.trace)
        case .plain:
            let columns = [
                result.version.description, level, "\(result.acknowledged)/\(result.required)",
                result.coordinator,
            ]
            Console.print(columns.joined(separator: "\t"))
            TraceText.note(result.trace)
        case .table:
            Console.print(
                output.colored("done", .good)
                    + "  \(result.version)  \(level), \(result.acknowledged) replicas "
                    + "(\(result.required) required), via \(result.coordinator)"
                    + (sum.map { ", now \($0)" } ?? "")
            )
            if result.siblings > 1 {
                Console.note("note: \(key.text) has \(result.siblings) values now.")
            }
            if result.shadowed == .lost {
                Console.note("note: a newer value is in the way and wins.")
            }
            TraceText.note(result.trace)
        }
    }

    private static func loss(_ result: PutResult, key: KeyArgument) -> CommandError {
        CommandError(
            "conflict",
            "a newer value of \(key.text) is in the way: \(result.winner?.description ?? "").",
            advice: "Read the key and write again with --context.",
            exit: .conflict,
            trailer: [
                ("version", .string(result.version.description)),
                ("winner", .optional(result.winner?.description)),
            ],
            trace: result.trace
        )
    }

    private static func siblings(_ result: PutResult, key: KeyArgument) -> CommandError {
        CommandError(
            "conflict",
            "the value is written, and \(key.text) has \(result.siblings) values now.",
            advice: "Read the key, and write one value in place of all with the --context that "
                + "the read tells.",
            exit: .conflict,
            written: "yes",
            trailer: [
                ("siblings", .integer(result.siblings)),
                ("version", .string(result.version.description)),
                ("context", .string(Base64URL.text(result.context))),
            ],
            trace: result.trace
        )
    }

    /// The object that `-o json` prints.
    static func json(_ result: PutResult, key: KeyArgument, sum: Int64? = nil) -> JSONValue {
        var members: [JSONValue.Member] = [
            ("keyspace", .string(key.keyspace)), ("key", .bytes(key.key)),
        ]
        if let sum { members.append(("value", .integer(Int(sum)))) }
        members += [
            ("version", .string(result.version.description)),
            ("context", .string(Base64URL.text(result.context))),
            ("consistency", .optional(result.consistency?.description)),
            ("coordinator", .string(result.coordinator)),
            ("acknowledged", .integer(result.acknowledged)),
            ("required", .integer(result.required)),
            ("shadowed", .string(result.shadowed.rawValue)),
        ]
        if let winner = result.winner { members.append(("winner", .string(winner.description))) }
        if result.siblings > 0 { members.append(("siblings", .integer(result.siblings))) }
        if !result.trace.isEmpty { members.append(("trace", .trace(result.trace))) }
        return .object(members)
    }
}
