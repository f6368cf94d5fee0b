import ArgumentParser
import ClusterPrimitives
import StarlingClient

/// The command `starling scan`.
struct ScanCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "List the keys and values of a keyspace, in token order.",
        discussion: """
            --prefix is applied on the replicas; every key of the keyspace is visited nonetheless.
            Where --limit ends the list, a cursor is printed with which a later scan goes on; it
            outlives changes of the topology.

            Each line has a key and its value: of siblings a line for each value, of a set one for
            each member, of a map one for each member or value of a field. --limit counts keys.

            EXAMPLES:
              starling scan demo --limit 20
              starling scan demo --prefix user: --keys-only
              starling scan demo -o jsonl > demo.jsonl
              starling scan demo --limit 20 --cursor AAAA…
            """
    )

    @Argument(help: "The keyspace.")
    var keyspace: String

    @Option(help: "Only keys that begin with this text.")
    var prefix: String?

    @Option(help: "Stop after so many keys.")
    var limit: Int?

    @Flag(help: "Leave the values out.")
    var keysOnly = false

    @Option(help: "Go on where an earlier scan stopped.")
    var cursor: String?

    @Flag(help: "Tell how long each page took.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
        if let prefix, prefix.utf8.count > Limits.keySize.upperBound {
            throw ValidationError("--prefix is longer than any key can be.")
        }
    }

    func execute(_ client: StarlingClient) async throws {
        var options = ScanOptions(consistency: consistency.consistency)
        options.prefix = Array((prefix ?? "").utf8)
        options.keysOnly = keysOnly
        var position = try cursor.map(CursorText.position)
        var left = limit ?? .max
        var isFirst = true
        var repaired = 0
        var isBegun = false
        repeat {
            options.maximumEntries = min(left, 1000)
            let start = ContinuousClock.now
            let page = try await client.scan(keyspace, from: position, options: options)
            if trace {
                let elapsed = (ContinuousClock.now - start).wholeMilliseconds
                Console.note("page of \(page.entries.count) entries in \(elapsed) ms")
            }
            if !isBegun, output.format == .json {
                // Only now, so that an error before the first page is the only output.
                let name = JSONValue.string(keyspace).text
                Console.write("{\"keyspace\":\(name),\"entries\":[")
            }
            isBegun = true
            print(page.entries, isFirst: isFirst)
            if !page.entries.isEmpty { isFirst = false }
            left -= page.entries.count
            repaired += page.repaired
            position = page.next
        } while position != nil && left > 0
        finish(position, repaired: repaired)
    }

    private func print(_ entries: [ScanPage.Entry], isFirst: Bool) {
        var bytes: [UInt8] = []
        switch output.format {
        case .json, .jsonl:
            let records = entries.flatMap { Self.json($0, keysOnly: keysOnly) }
            for (index, record) in records.enumerated() {
                if output.format == .json, index > 0 || !isFirst {
                    bytes.append(UInt8(ascii: ","))
                }
                bytes += record.text.utf8
                if output.format == .jsonl { bytes.append(UInt8(ascii: "\n")) }
            }
        case .plain, .table:
            for entry in entries {
                let lines =
                    keysOnly
                    ? [entry.key]
                    : entry.contents.lines.map { entry.key + [UInt8(ascii: "\t")] + $0 }
                for line in lines { bytes += line + [UInt8(ascii: "\n")] }
            }
        }
        Console.write(bytes)
    }

    private func finish(_ next: ScanPosition?, repaired: Int) {
        let cursor = next.map { Base64URL.text($0.bytes) }
        if output.format == .json {
            Console.print(
                "],\"cursor\":\(JSONValue.optional(cursor).text),\"repaired\":\(repaired)}"
            )
        } else if let cursor {
            Console.note("more follow: --cursor \(cursor)")
        }
    }

    /// The records of a key: one for each value, and one for anything else.
    static func json(_ entry: ScanPage.Entry, keysOnly: Bool) -> [JSONValue] {
        let key: JSONValue.Member = ("key", .bytes(entry.key))
        guard case .values(let values) = entry.contents else {
            return [.object([key] + (keysOnly ? [] : entry.contents.json))]
        }
        return values.prefix(keysOnly ? 1 : values.count).map { value in
            var members = [key]
            if !keysOnly { members.append(("value", .bytes(value.bytes))) }
            members.append(("version", .string(value.version.description)))
            members.append(("expires_at", .optional(value.expiry?.description)))
            return .object(members)
        }
    }
}

/// A scan's position as commands take and print it.
enum CursorText {
    /// The position of a text.
    ///
    /// - Throws: `invalid` for a text that is no cursor.
    static func position(_ text: String) throws -> ScanPosition {
        guard let bytes = Base64URL.bytes(text), let position = ScanPosition(bytes: bytes) else {
            throw CommandError.usage(
                "'\(text.prefix(64))' is no cursor.",
                advice: "Give the cursor that an earlier scan printed."
            )
        }
        return position
    }
}
