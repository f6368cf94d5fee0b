import ArgumentParser
import StarlingClient

/// What every command of counters, sets and maps takes: a key and how to ask for it.
struct KeyOptions: ParsableArguments {
    @Argument(help: "Which one: KEYSPACE/KEY.")
    var key: KeyArgument

    @Flag(help: "Tell what happened to the request.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions

    /// The options of a read.
    var readOptions: ReadOptions {
        ReadOptions(consistency: consistency.consistency, isTraced: trace)
    }

    /// The options of a write that follows the read of a context, where one is given.
    func writeOptions(context: String? = nil) throws -> WriteOptions {
        var options = WriteOptions(consistency: consistency.consistency, isTraced: trace)
        options.context = try ContextArgument.bytes(context)
        return options
    }
}

/// Whose copies a command reads.
struct ReplicaOptions: ParsableArguments {
    @Option(help: "Read this node's own copy alone, with no repair.")
    var replica: String?
}

/// A last argument that may begin with a dash, as a negative number does.
///
/// The parser takes such for an option unless an array gathers what it does not know.
enum DashedArgument {
    /// The one argument that was gathered; nil for none.
    static func only(of gathered: [String]) throws -> String? {
        var gathered = gathered
        if gathered.first == "--" { gathered.removeFirst() }
        guard gathered.count <= 1 else {
            throw ValidationError("'\(gathered[1])' is one argument too many.")
        }
        return gathered.first
    }

    /// The amount that was gathered; nil for none.
    static func amount(of gathered: [String]) throws -> Int64? {
        guard let text = try only(of: gathered) else { return nil }
        guard let amount = Int64(text) else {
            throw ValidationError(
                "'\(text)' is no whole number from \(Int64.min) to \(Int64.max)."
            )
        }
        return amount
    }
}
