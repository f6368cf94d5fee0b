import ArgumentParser
import Foundation
import StarlingClient

/// Tells what a sibling put costs the process that coordinates it, beside an lww put.
@main
struct NodeCost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node-cost",
        abstract: "Compares a coordinating node's processor time for a sibling and an lww put.",
        discussion: """
            Needs a cluster of `starling dev --datacenters 3 --nodes 1` with the keyspaces plain \
            and siblings, both with one replica in each datacenter: then dc1-n1 coordinates all \
            puts of a client in dc1, and the other two are replicas. Each sibling put carries the \
            context of the last put of its key, so one value stays. The two keyspaces take turns, \
            each time for a few thousand puts, so that both meet the machine in the same state.
            """
    )

    @Option(help: "The cluster's directory.")
    var cluster = "starling-dev"

    @Option(help: "The port on which dc1-n1 listens for clients.")
    var port: UInt16 = 7401

    @Option(help: "Keys of each keyspace, all of which a round overwrites once.")
    var keys = 50_000

    @Option(help: "Bytes of a value.")
    var valueSize = 100

    @Option(help: "Puts under way at a time.")
    var inFlight = 64

    @Option(
        help: """
            Puts begun in a second, however many are under way; without it a put begins when \
            another has ended.
            """
    )
    var rate: Int?

    @Option(help: "Rounds that count; one more goes before them.")
    var rounds = 7

    func validate() throws {
        guard (100...1_000_000).contains(keys), (0...1_000_000).contains(valueSize),
            (1...1024).contains(inFlight), rounds >= 1, (1...100_000).contains(rate ?? 1)
        else {
            throw ValidationError("a number is out of range")
        }
    }

    func run() async throws {
        let client = try StarlingClient(
            configuration: ClientConfiguration(
                cluster: "dev",
                nodes: [
                    .init(endpoint: Endpoint(host: "127.0.0.1", port: port), datacenter: "dc1")
                ],
                datacenter: "dc1",
                authorityFile: cluster + "/certs/ca.crt",
                certificateFile: cluster + "/certs/admin.crt",
                keyFile: cluster + "/certs/admin.key"
            )
        )
        // Keys of its own, so that no earlier run left values whose contexts are not known here.
        let prefix = "\(UInt32.random(in: 0...UInt32.max))-"
        var contexts = [[UInt8]](repeating: [], count: keys)
        var costs: [(lww: Double, siblings: Double)] = []
        print("round  lww µs/put  siblings µs/put  ratio")
        var isSiblingsFirst = false
        for round in 0...rounds {
            var (lww, siblings) = (0.0, 0.0)
            for first in stride(from: 0, to: keys, by: Self.turn) {
                let range = first..<min(first + Self.turn, keys)
                for isSiblings in [isSiblingsFirst, !isSiblingsFirst] {
                    if isSiblings {
                        siblings += try await overwrite(
                            range,
                            "siblings",
                            prefix,
                            client,
                            &contexts
                        )
                    } else {
                        var none: [[UInt8]] = []
                        lww += try await overwrite(range, "plain", prefix, client, &none)
                    }
                }
                isSiblingsFirst.toggle()
            }
            lww /= Double(keys)
            siblings /= Double(keys)
            guard round > 0 else { continue }
            costs.append((lww, siblings))
            print("\(round)  \(text(lww))  \(text(siblings))  \(text(siblings / lww))")
        }
        let ratio = middle(costs.map { $0.siblings / $0.lww })
        print(
            "medians: lww \(text(middle(costs.map(\.lww)))) µs, "
                + "siblings \(text(middle(costs.map(\.siblings)))) µs, ratio \(text(ratio)); "
                + "goal: at most 1.3: \(ratio <= 1.3 ? "reached" : "not reached")"
        )
        client.close()
    }

    /// Puts of one keyspace before it is the other's turn.
    private static let turn = 5000

    /// Overwrites some keys of a keyspace once, each with its context where there is one.
    ///
    /// - Returns: microseconds of the coordinating process's processor time.
    private func overwrite(
        _ range: Range<Int>,
        _ keyspace: String,
        _ prefix: String,
        _ client: StarlingClient,
        _ contexts: inout [[UInt8]]
    ) async throws -> Double {
        let begin = try processorTime()
        let seen = contexts
        let value = [UInt8](repeating: 7, count: valueSize)
        @Sendable func put(_ indices: StrideTo<Int>) async throws -> [(Int, [UInt8])] {
            var results: [(Int, [UInt8])] = []
            for index in indices {
                var options = WriteOptions(consistency: .quorum)
                if !seen.isEmpty { options.context = seen[index] }
                let result = try await client.put(
                    value,
                    for: Array("\(prefix)\(index)".utf8),
                    in: keyspace,
                    options: options
                )
                guard result.coordinator == "dc1-n1", result.siblings <= 1 else {
                    throw ValidationError(
                        "\(result.coordinator) coordinated, \(result.siblings) values"
                    )
                }
                results.append((index, result.context))
            }
            return results
        }
        let results = try await withThrowingTaskGroup(of: [(Int, [UInt8])].self) { group in
            if let rate {
                let start = ContinuousClock.now
                // Two hundred times a second some begin together, as those of many clients do.
                let together = max(1, rate / 200)
                for index in range {
                    let begun = (index - range.lowerBound) / together * together
                    let due = start + .seconds(Double(begun) / Double(rate))
                    if due > .now { try await Task.sleep(until: due) }
                    group.addTask { try await put(stride(from: index, to: index + 1, by: 1)) }
                }
            } else {
                for first in range.prefix(inFlight) {
                    let indices = stride(from: first, to: range.upperBound, by: inFlight)
                    group.addTask { try await put(indices) }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let spent = try processorTime() - begin
        if !contexts.isEmpty {
            for (index, context) in results { contexts[index] = context }
        }
        return spent
    }

    /// Microseconds of processor time that the node's process has taken so far.
    private func processorTime() throws -> Double {
        let node = cluster + "/nodes/dc1-n1"
        let pid = try String(contentsOfFile: node + "/pid", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        var clock = clockid_t()
        var time = timespec()
        guard let process = pid_t(pid), clock_getcpuclockid(process, &clock) == 0,
            clock_gettime(clock, &time) == 0
        else { throw ValidationError("process \(pid) of dc1-n1 cannot be asked for its time") }
        return Double(time.tv_sec) * 1_000_000 + Double(time.tv_nsec) / 1000
    }

    private func middle(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
