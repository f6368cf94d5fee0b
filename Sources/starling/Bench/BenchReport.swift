import Foundation
import Histogram

/// The outcome of a benchmark.
struct BenchReport {
    /// What all workers measured.
    var tally: BenchTally
    /// Seconds from the first operation's beginning to the last one's end.
    var elapsed: Double
    /// When a write counts as durable at the nodes: `group` or `periodic`.
    var durability: String

    private static let percentiles: [(name: String, percentile: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100),
    ]
    /// Codes that are listed also where they are 0, so that scripts find them.
    private static let listedCodes = ["timeout", "unavailable", "overloaded"]

    private var rate: Double { elapsed > 0 ? Double(tally.operations) / elapsed : 0 }

    private func latency(_ percentile: Double) -> Int {
        guard tally.operations > 0 else { return 0 }
        return Int(
            clamping: percentile >= 100
                ? tally.latencies.max : tally.latencies.valueAtPercentile(percentile)
        )
    }

    private var errors: [(code: String, count: Int)] {
        let codes = Set(tally.errors.keys).union(Self.listedCodes)
        return codes.sorted().map { ($0, tally.errors[$0] ?? 0) }
    }

    /// Prints the outcome.
    func print(_ output: OutputOptions) {
        if output.isJSON {
            Console.print(json.text)
            return
        }
        var table = TablePrinter(["MEASURE", "VALUE#"])
        table.row(["operations", String(tally.operations)])
        table.row(["elapsed", Figures.fixed(elapsed, 2) + " s"])
        table.row(["rate", Figures.fixed(rate, 0) + " /s"])
        for (name, percentile) in Self.percentiles {
            table.row([name, "\(latency(percentile)) µs"])
        }
        if tally.absent > 0 { table.row(["keys not found", String(tally.absent)]) }
        for (code, count) in errors where count > 0 {
            table.row(["errors: \(code)", String(count)])
        }
        if tally.failures == 0 { table.row(["errors", "0"]) }
        Console.write(table.text(isPlain: output.format == .plain))
    }

    private var json: JSONValue {
        .object([
            ("operations", .integer(tally.operations)),
            ("operations_per_second", .number(Figures.rounded(rate, 1))),
            (
                "latency_us",
                .object(Self.percentiles.map { ($0.name, .integer(latency($0.percentile))) })
            ),
            ("errors", .object(errors.map { ($0.code, .integer($0.count)) })),
            ("durability", .string(durability)),
            ("elapsed_s", .number(Figures.rounded(elapsed, 3))),
            ("absent", .integer(tally.absent)),
        ])
    }

    /// Writes the latencies' distribution, in microseconds, as HdrHistogram's plotters read it.
    func writeDistribution(to path: String) throws {
        var text = ""
        tally.latencies.outputPercentileDistribution(to: &text, outputValueUnitScalingRatio: 1)
        do {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw CommandError("internal", "cannot write '\(path)'.", exit: .failed)
        }
    }
}
