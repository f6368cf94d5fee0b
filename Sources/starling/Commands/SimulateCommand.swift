import ArgumentParser
import ClusterPrimitives
import Partitioning
import Simulation

/// The command `starling simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run whole clusters in virtual time, with faults, and check what must hold.",
        discussion: """
            A seed decides everything: run it again, and it does the same. The trace hash covers \
            every event. Ends with 1 when a check failed.

            EXAMPLES:
              starling simulate --seed 42 --verbose
              starling simulate --seeds 1..50 --duration 60s -o json
              starling simulate --seed 7 --faults crash,partition --nodes 5
            """
    )

    @Option(help: ArgumentHelp("The seed to run; 1 if neither is given.", valueName: "N"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Run each seed from A to B.", valueName: "A..B"))
    var seeds: SeedRange?

    @Option(help: "How long clients work and faults happen, in simulated time.")
    var duration = DurationText(.seconds(60))

    @Option(
        help: ArgumentHelp(
            "Faults to draw from: all, none, or some of "
                + FaultKinds.named.map(\.name).joined(separator: ",") + ".",
            valueName: "list"
        )
    )
    var faults = FaultList(kinds: .all)

    @Option(
        help: ArgumentHelp(
            "What the keys hold: lww, siblings, counter, set or map; drawn from the seed if not given.",
            valueName: "mode"
        )
    )
    var mode: String?

    @Option(
        name: .customLong("think-time"),
        help: ArgumentHelp(
            "Mean pause of a client between two operations; drawn from the seed if not given.",
            valueName: "duration"
        )
    )
    var thinkTime: DurationText?

    @Option(help: "Number of nodes, 1 to 16; drawn from the seed if not given.")
    var nodes: Int?

    @Flag(help: "Tell what happens, on standard error.")
    var verbose = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if seed != nil, seeds != nil {
            throw ValidationError("--seed and --seeds exclude each other.")
        }
        if let nodes, !(1...16).contains(nodes) {
            throw ValidationError("--nodes goes from 1 to 16.")
        }
        if let thinkTime, !(.milliseconds(1)...(.seconds(600))).contains(thinkTime.duration) {
            throw ValidationError("--think-time goes from 1 ms to 10 minutes.")
        }
        if let mode, !Self.modes.contains(where: { $0.description == mode }) {
            throw ValidationError("--mode is lww, siblings, counter, set or map.")
        }
    }

    /// What simulated clients can work with.
    private static let modes: [ConflictMode] = [.lww, .siblings, .counter, .set, .map]

    func run() throws {
        var hasFailed = false
        let range = seeds?.range ?? (seed ?? 1)...(seed ?? 1)
        for seed in range {
            var options = SimulationOptions(seed: seed)
            options.duration = duration.duration
            options.faults = faults.kinds
            options.nodeCount = nodes
            options.thinkTime = thinkTime?.duration
            options.mode = mode.flatMap(ConflictMode.init)
            if verbose { options.log = { Console.note($0) } }
            let report = ClusterSimulation.run(options)
            hasFailed = hasFailed || !report.violations.isEmpty
            Console.print(output.isJSON ? json(report).text : text(report))
        }
        if hasFailed { throw CommandExit(.failed) }
    }

    private func json(_ report: SimulationReport) -> JSONValue {
        .object([
            // A seed may exceed what a JSON reader's integers hold; then it is a string.
            ("seed", Int(exactly: report.seed).map(JSONValue.integer) ?? .string("\(report.seed)")),
            ("trace_hash", .string(report.traceHash)),
            ("violations", .array(report.violations.map(JSONValue.string))),
            ("simulated_ms", .integer(Int(report.simulatedTime.wholeMilliseconds))),
            ("operations", .integer(report.operations.total)),
            ("faults", .integer(report.faults)),
        ])
    }

    private func text(_ report: SimulationReport) -> String {
        let operations = report.operations
        var lines = [
            "seed \(report.seed)  \(DurationText.approximate(report.simulatedTime))  "
                + "\(operations.total) operations (\(operations.refused) refused, "
                + "\(operations.unknown) unknown)  \(report.faults) faults  "
                + "\(report.repairs) repairs  hash \(report.traceHash)  "
                + output.colored(
                    report.violations.isEmpty ? "ok" : "FAILED",
                    report.violations.isEmpty ? .good : .bad
                )
        ]
        if !report.violations.isEmpty { lines.append("  \(report.scenario)") }
        lines += report.violations.map { "  \($0)" }
        return lines.joined(separator: "\n")
    }
}

/// Seeds from one to another, both included: `1..50`.
struct SeedRange: ExpressibleByArgument {
    /// The seeds.
    var range: ClosedRange<UInt64>

    /// For the argument parser.
    init?(argument: String) {
        let parts = argument.split(separator: "..", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]),
            first <= last
        else { return nil }
        range = first...last
    }
}

/// Kinds of faults between commas.
struct FaultList: ExpressibleByArgument {
    /// The kinds.
    var kinds: FaultKinds

    init(kinds: FaultKinds) {
        self.kinds = kinds
    }

    /// For the argument parser.
    init?(argument: String) {
        guard let kinds = FaultKinds(argument) else { return nil }
        self.kinds = kinds
    }

    /// As it is shown as a default.
    var defaultValueDescription: String { kinds.description }
}
