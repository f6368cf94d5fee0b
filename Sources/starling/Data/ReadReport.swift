import ClusterPrimitives
import StarlingClient

/// What is printed of a read.
enum ReadReport {
    /// Prints what was found, or only a part of it.
    static func print(
        _ result: GetResult,
        _ part: StoredContents? = nil,
        key: KeyArgument,
        output: OutputOptions
    ) {
        let contents = part ?? result.contents
        switch output.format {
        case .json, .jsonl:
            Console.print(json(result, key: key, found: contents.json).text)
        case .plain, .table:
            Console.write(contents.lines.flatMap { $0 + [UInt8(ascii: "\n")] })
            note(result, output: output)
            if result.values.count > 1 { Console.note(resolution(result, key: key)) }
        }
    }

    /// The object that `-o json` prints, with the members that say what was found.
    static func json(
        _ result: GetResult,
        key: KeyArgument,
        found: [JSONValue.Member]
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            ("keyspace", .string(key.keyspace)), ("key", .bytes(key.key)),
        ]
        members += found
        members.append(("context", .string(Base64URL.text(result.context))))
        if case .values(let values) = result.contents {
            members.append(("siblings", .integer(values.count)))
        }
        members += [
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

    /// Tells people how the read went, on standard error.
    static func note(_ result: GetResult, output: OutputOptions) {
        if output.format == .table, Console.isErrorTerminal {
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
        } else if result.repaired > 0 {
            Console.note(
                "note: \(result.repaired) of the replicas lacked this value and have it now."
            )
        }
        TraceText.note(result.trace)
    }

    /// How many values there are, and the command that puts one in their place.
    static func resolution(_ result: GetResult, key: KeyArgument) -> String {
        "note: \(key.text) has \(result.values.count) values; to put one in their place: "
            + "starling put \(key.text) VALUE --context \(Base64URL.text(result.context))"
    }
}
