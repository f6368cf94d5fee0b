import ArgumentParser
import ClusterPrimitives
import Partitioning
import Foundation
import StarlingClient

/// The options of every benchmark, and the closed loop that carries them out.
struct BenchOptions: ParsableArguments {
    /// One operation; says whether it found what it looked for.
    typealias Operation = @Sendable () async throws(StarlingError) -> Bool

    @Option(help: "The keyspace.")
    var keyspace = "demo"

    @Option(help: "Number of keys.")
    var keys = 10_000

    @Option(help: "How long to go on, where --operations is not given.")
    var duration = DurationText(.seconds(10))

    @Option(help: "How many operations to do.")
    var operations: Int?

    @Option(help: "Connections, spread over the nodes.")
    var connections = 16

    @Option(help: "Operations at one time for each connection.")
    var inFlight = 4

    @Option(help: "How often which key is asked for: uniform, or zipf:S with S ≠ 1.")
    var distribution = KeyDistribution.uniform

    @Option(help: "Write the latencies' distribution to this file.")
    var hdr: String?

    func validate() throws {
        guard keys >= 1 else { throw ValidationError("--keys must be at least 1.") }
        guard (1...1024).contains(connections) else {
            throw ValidationError("--connections goes from 1 to 1024.")
        }
        guard (1...1024).contains(inFlight) else {
            throw ValidationError("--in-flight goes from 1 to 1024.")
        }
        if let operations, operations < 1 {
            throw ValidationError("--operations must be at least 1.")
        }
        guard duration.duration > .zero else {
            throw ValidationError("--duration must be longer than nothing.")
        }
    }

    /// Makes room for the operations at one time.
    func adjust(_ configuration: inout ClientConfiguration) {
        let nodes = max(1, configuration.nodes.count)
        configuration.connectionsPerNode = (connections + nodes - 1) / nodes
        // Routing by token loads connections unevenly.
        configuration.maximumRequestsPerConnection = max(512, 4 * inFlight)
    }

    /// The key of a number.
    static func key(_ number: Int) -> [UInt8] {
        let digits = String(number)
        return Array(("bench-" + String(repeating: "0", count: max(0, 10 - digits.count))).utf8)
            + Array(digits.utf8)
    }

    /// Runs the closed loop: each worker begins its next operation when the last has ended.
    func run(
        _ client: StarlingClient,
        output: OutputOptions,
        operation: @escaping @Sendable ([UInt8], inout KeyPicker) -> Operation
    ) async throws {
        let mode = try await client.keyspace(keyspace).0.mode
        guard mode == .lww || mode == .siblings else {
            throw CommandError.usage(
                "the mode of keyspace '\(keyspace)' is \(mode); bench writes and reads values.",
                advice: "Use a keyspace of mode lww or siblings."
            )
        }
        let progress = ProgressReporter("operations", total: operations.map(Int64.init))
        let start = ContinuousClock.now
        let end = start + duration.duration
        var total = BenchTally()
        await withTaskGroup(of: BenchTally.self) { group in
            let workers = min(connections * inFlight, operations ?? .max)
            for worker in 0..<workers {
                let share = operations.map { $0 / workers + (worker < $0 % workers ? 1 : 0) }
                group.addTask {
                    await work(worker, share: share, until: end, progress, operation)
                }
            }
            for await tally in group { total.add(tally) }
        }
        progress.finish()
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let report = BenchReport(
            tally: total,
            elapsed: elapsed,
            durability: try await client.status().durability
        )
        if let hdr { try report.writeDistribution(to: hdr) }
        report.print(output)
        if total.operations == 0, total.failures > 0 { throw CommandExit(.failed) }
    }

    private func work(
        _ worker: Int,
        share: Int?,
        until end: ContinuousClock.Instant,
        _ progress: ProgressReporter,
        _ operation: @Sendable ([UInt8], inout KeyPicker) -> Operation
    ) async -> BenchTally {
        var tally = BenchTally()
        var picker = KeyPicker(distribution, count: keys, seed: UInt64(worker))
        var done = 0
        while let share = share ?? (ContinuousClock.now < end ? .max : nil), done < share {
            let perform = operation(Self.key(picker.next()), &picker)
            let begun = ContinuousClock.now
            do throws(StarlingError) {
                if try await !perform() { tally.absent += 1 }
                tally.succeeded(in: ContinuousClock.now - begun)
            } catch {
                tally.failed(error)
            }
            done += 1
            progress.add()
        }
        return tally
    }
}
