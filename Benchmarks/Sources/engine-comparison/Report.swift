/// The tables with all that is needed to read them.
struct Report: Encodable {
    let machine: Machine
    let loadAtStart: Double
    let loadAtEnd: Double
    let versions: [String: String]
    let keys: Int
    let rounds: Int
    /// Whether rates are per second of processor time.
    let isByProcessorTime: Bool
    let tables: [Campaign.Table]

    var text: String {
        var lines = [
            "\(machine.processorCount) × \(machine.processor), \(machine.memoryInMiB) MiB, "
                + "Linux \(machine.kernel)",
            "load of one minute: \(loadAtStart) at the start, \(loadAtEnd) at the end",
            "medians of \(rounds) round\(rounds == 1 ? "" : "s"); "
                + versions.values.sorted().joined(separator: ", "),
            "Debian builds RocksDB with assertions on; upstream's own build is faster.",
        ]
        if isByProcessorTime {
            lines.append("rates are per second of processor time, all threads together")
        }
        for table in tables {
            lines += ["", table.name, ""] + self.lines(of: table)
            lines += table.failures.map { "failed: \($0)" }
        }
        return lines.joined(separator: "\n")
    }

    private func lines(of table: Campaign.Table) -> [String] {
        let names = table.engines.map { versions[$0.rawValue] ?? $0.rawValue }
        var cells = [["work", "unit"] + names + ["ratio", "goal", "reached"]]
        for row in Row.all.map({ isByProcessorTime ? $0.byProcessorTime : $0 }) {
            let medians = table.engines.map { table.median(row, of: $0) }
            guard medians.contains(where: { $0 != nil }) else { continue }
            let verdict = Verdict(row, in: table)
            cells.append(
                [row.name, row.unit] + medians.map { $0.map(Figure.text) ?? "–" }
                    + [verdict.ratio, verdict.goal, verdict.reached]
            )
        }
        return Figure.columns(cells, leftAligned: 2)
    }
}

/// How our figure of a row compares with the better of the peers'.
private struct Verdict {
    var ratio = ""
    var goal = ""
    var reached = ""

    init(_ row: Row, in table: Campaign.Table) {
        let ours = table.median(row, of: .starling)
        let peers = table.engines.filter { $0 != .starling }.compactMap {
            table.median(row, of: $0)
        }
        switch row.aim {
        case .none: return
        case .atMost(let limit):
            goal = "≤ \(Figure.text(limit))"
            if let ours { reached = ours <= limit ? "yes" : "no" }
        case .high(let least):
            goal = "≥ \(Figure.text(least))"
            guard let ours, let best = peers.max(), best > 0 else { return }
            ratio = Figure.text(ours / best)
            reached = ours / best >= least ? "yes" : "no"
        case .low(let most):
            goal = "≤ \(Figure.text(most))"
            guard let ours, let best = peers.min(), best > 0 else { return }
            ratio = Figure.text(ours / best)
            reached = ours / best <= most ? "yes" : "no"
        }
    }
}
