import ClusterPrimitives
import StarlingClient

/// What upkeep came to, node by node and keyspace by keyspace, as it is printed.
struct UpkeepSummary {
    private let kind: StoreUpkeep
    private let output: OutputOptions
    private var table: TablePrinter
    private var results: [JSONValue] = []
    private var failures: [JSONValue] = []
    private var firstFailure: CommandError?
    private var hasFindings = false

    /// Nothing yet.
    init(kind: StoreUpkeep, output: OutputOptions) {
        self.kind = kind
        self.output = output
        table = TablePrinter(["NODE", "KEYSPACE"] + UpkeepColumns.names(of: kind))
    }

    /// Takes in what became of one keyspace on a node.
    mutating func add(_ upkeep: KeyspaceUpkeep, of node: String) {
        switch upkeep.result {
        case .success(let report):
            let columns = UpkeepColumns(kind: kind, report: report)
            if columns.needsAttention { hasFindings = true }
            let place: [JSONValue.Member] = [
                ("node", .string(node)), ("keyspace", .string(upkeep.keyspace)),
            ]
            let result = JSONValue.object(place + columns.members)
            if output.format == .jsonl { Console.print(result.text) }
            results.append(result)
            table.row([node, upkeep.keyspace] + columns.cells(isExact: output.format == .plain))
            guard !output.isJSON else { return }
            for line in columns.details { Console.note("\(node) \(upkeep.keyspace): \(line)") }
        case .failure(let error):
            add(CommandError(error), of: node, keyspace: upkeep.keyspace)
        }
    }

    /// Takes in that a node did nothing, or did not say what it did.
    mutating func add(_ error: StarlingError, of node: String) {
        var error = CommandError(error)
        // Others were reached: it is this node that is not there.
        if error.exit == .cannotConnect { error.exit = .unavailable }
        add(error, of: node, keyspace: nil)
    }

    private mutating func add(_ error: CommandError, of node: String, keyspace: String?) {
        var error = error
        error.message =
            [node, keyspace].compactMap(\.self).joined(separator: " ") + ": "
            + error.message
        firstFailure = firstFailure ?? error
        guard output.isJSON else {
            Console.noteRaw(error.text)
            return
        }
        let failure = JSONValue.object([
            ("node", .string(node)), ("keyspace", .optional(keyspace)),
            ("error", error.json["error"] ?? .null),
        ])
        if output.format == .jsonl { Console.print(failure.text) }
        failures.append(failure)
    }

    /// Prints what was not printed yet, and ends the command as the contract says.
    ///
    /// - Throws: `CommandExit` with the code of the first failure, or with 1 for findings.
    func finish() throws(CommandExit) {
        switch output.format {
        case .json:
            var members: [JSONValue.Member] = [
                ("upkeep", .string(kind.description)), ("results", .array(results)),
                ("failures", .array(failures)),
            ]
            if let error = firstFailure?.json["error"] { members.append(("error", error)) }
            Console.print(JSONValue.object(members).text)
        case .jsonl:
            break
        case .table, .plain:
            let isPlain = output.format == .plain
            if !results.isEmpty { Console.write(table.text(isPlain: isPlain)) }
        }
        if let firstFailure { throw CommandExit(firstFailure.exit) }
        if hasFindings { throw CommandExit(.failed) }
    }
}
