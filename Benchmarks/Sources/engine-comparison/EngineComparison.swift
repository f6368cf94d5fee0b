import ArgumentParser
import Foundation

/// Runs the same work on this engine, RocksDB and LevelDB, and prints a table of the three.
@main
struct EngineComparison: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine-comparison",
        abstract: "Compares the storage engine with RocksDB and LevelDB on this machine.",
        discussion: """
            Each measurement is a process of its own; the engines take turns. The data lies in a \
            folder of its own below --directory, which should be on the disk to be measured and \
            not in memory, and is deleted at the end.
            """
    )

    @Option(help: "Keys of 256 B values; of larger values so many that the data is the same.")
    var keys = 2_000_000

    @Option(help: "Sizes of values in bytes, with commas between them.")
    var valueSizes = "256,1024"

    @Option(help: "Rounds; the table shows medians over them.")
    var rounds = 3

    @Option(help: "Seconds of each measurement that is not over after a number of operations.")
    var seconds = 5.0

    @Flag(help: "One round of a second each with 200,000 keys of 256 B: tells that all works.")
    var quick = false

    @Flag(help: "Rates per second of processor time, for a machine that has other load.")
    var processorTime = false

    @Option(help: "Engines, with commas between them: starling, rocksdb, leveldb.")
    var engines = EngineName.allCases.map(\.rawValue).joined(separator: ",")

    @Option(help: "Steps to do beside the fill, with commas between them; all by default.")
    var steps: String?

    @Option(help: "Where the data is to lie; by default beside the built programs.")
    var directory: String?

    @Option(help: "A file for all figures of all rounds.")
    var json: String?

    func validate() throws {
        _ = try plan()
    }

    func run() throws {
        let plan = try plan()
        let parent = directory ?? Driver.programs.path
        try checkRoom(for: plan, in: parent)
        let data = URL(filePath: parent).appending(path: "engine-comparison-data")
        defer { try? FileManager.default.removeItem(at: data) }
        let start = Machine.load
        var campaign = Campaign(plan: plan, data: data)
        let results = try campaign.run()
        let report = Report(
            machine: Machine(),
            loadAtStart: start,
            loadAtEnd: Machine.load,
            versions: Dictionary(
                uniqueKeysWithValues: try plan.engines.map {
                    ($0.rawValue, try Driver($0).version())
                }
            ),
            keys: plan.keys,
            rounds: plan.rounds,
            isByProcessorTime: processorTime,
            tables: results
        )
        print(report.text)
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(report).write(to: URL(filePath: json))
        }
    }

    private func plan() throws -> Plan {
        let engines = try engines.split(separator: ",").map { name in
            guard let engine = EngineName(rawValue: String(name)) else {
                throw ValidationError("there is no engine '\(name)'")
            }
            return engine
        }
        let sizes = try valueSizes.split(separator: ",").map { text in
            guard let size = Int(text), (16...65_536).contains(size) else {
                throw ValidationError("'\(text)' is not a size of values from 16 to 65536")
            }
            return size
        }
        guard (10_000...1_000_000_000).contains(keys) else {
            throw ValidationError("--keys must be 10000 to 1000000000")
        }
        guard rounds >= 1, seconds > 0, !engines.isEmpty, !sizes.isEmpty else {
            throw ValidationError("there is nothing to measure")
        }
        let names = Set(Step.all.map(\.name))
        let chosen = steps.map { Set($0.split(separator: ",").map(String.init)) }
        if let unknown = chosen?.subtracting(names).sorted().first {
            let known = names.sorted().joined(separator: ", ")
            throw ValidationError("there is no step '\(unknown)'; there are \(known)")
        }
        return Plan(
            engines: engines,
            keys: quick ? 200_000 : keys,
            valueSizes: quick ? [256] : sizes,
            rounds: quick ? 1 : rounds,
            seconds: quick ? 1 : seconds,
            steps: chosen
        )
    }

    /// Throws if the disk has not the room that the data of all engines may take at once.
    private func checkRoom(for plan: Plan, in directory: String) throws {
        let attributes = try FileManager.default.attributesOfFileSystem(forPath: directory)
        let free = (attributes[.systemFreeSize] as? NSNumber)?.intValue ?? .max
        let needed = plan.keys * 272 * 3 * plan.engines.count
        guard free > needed else {
            throw ValidationError(
                "\(directory) has \(free >> 20) MiB free; the data may take \(needed >> 20) MiB"
            )
        }
    }
}
