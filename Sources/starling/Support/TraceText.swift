import StarlingClient

/// A request's trace for people, on standard error.
enum TraceText {
    /// Prints a trace, if there is one.
    static func note(_ entries: [TraceEntry]) {
        guard !entries.isEmpty else { return }
        var table = TablePrinter(["AT_US#", "NODE", "EVENT", "DETAIL"])
        for entry in entries {
            table.row([String(entry.microseconds), entry.node, entry.event, entry.detail])
        }
        Console.noteRaw(table.text(isPlain: false))
    }
}
