/// One line of the table: a figure of one step.
struct Row: Sendable {
    /// What is good.
    enum Aim: Sendable {
        /// Our figure over the largest of the peers'; the goal is the least ratio.
        case high(goal: Double)
        /// Our figure over the smallest of the peers'; the goal is the largest ratio.
        case low(goal: Double)
        /// Our figure by itself; the goal is its largest value.
        case atMost(Double)
        /// Only told.
        case none
    }

    let name: String
    let step: String
    let unit: String
    let aim: Aim
    /// The names of the driver's figures, the one divided by the other if there are two.
    private var figure: (above: String, below: String?)

    /// The row with rates per second of processor time.
    var byProcessorTime: Row {
        var row = self
        if figure.below == "seconds" { row.figure.below = "processor_seconds" }
        return row
    }

    /// The row's value from what a driver printed; nil if it is not in there.
    func value(_ figures: [String: Double]) -> Double? {
        guard let above = figures[figure.above] else { return nil }
        guard let name = figure.below else { return above }
        guard let below = figures[name], below > 0 else { return nil }
        return above / below
    }

    /// Operations per second, of which we want `goal` times as many as the better peer has.
    private static func rate(
        _ name: String,
        _ step: String,
        _ unit: String,
        goal: Double = 1
    ) -> Row {
        Row(
            name: name,
            step: step,
            unit: "\(unit)/s",
            aim: .high(goal: goal),
            figure: ("operations", "seconds")
        )
    }

    /// What a step that writes costs beside its time.
    private static func costs(of step: String) -> [Row] {
        [
            Row(
                name: "  processor time, upkeep included",
                step: step,
                unit: "ns/put",
                aim: .none,
                figure: ("processor_ns", "operations")
            ),
            Row(
                name: "  background work afterwards",
                step: step,
                unit: "s",
                aim: .none,
                figure: ("settle_seconds", nil)
            ),
            Row(
                name: "  write amplification",
                step: step,
                unit: "B/B",
                aim: .low(goal: 1),
                figure: ("written_bytes", "user_bytes")
            ),
            Row(
                name: "  space amplification",
                step: step,
                unit: "B/B",
                aim: .low(goal: 1),
                figure: ("directory_bytes", "stored_user_bytes")
            ),
        ]
    }

    /// All rows in the table's order.
    static let all =
        [rate("fill random", "fill", "puts", goal: 1.5)] + costs(of: "fill")
        + [rate("overwrite random", "overwrite", "puts")] + costs(of: "overwrite")
        + [
            rate("fill with sync, 1 writer", "sync-1", "puts"),
            rate("fill with sync, 16 writers", "sync-16", "puts", goal: 1.2),
            rate("random read, cached", "read-cached", "gets", goal: 1.2),
            rate("random read, cached, 2 threads", "read-cached-2", "gets"),
            rate("random read, page cache", "read-page-cache", "gets"),
            rate("  LevelDB without checksums", "read-unchecked", "gets"),
            rate("missing key", "read-missing", "gets"),
            rate("seek", "seek", "seeks"),
            rate("seek and 100 next", "seek-100", "seeks"),
            rate("sequential scan", "scan", "entries", goal: 0.8),
            Row(
                name: "memtable index",
                step: "memtable",
                unit: "B/entry",
                aim: .atMost(64),
                figure: ("index_bytes", "operations")
            ),
        ]
}
