import ArgumentParser
import Foundation
import Partitioning

/// Tells what a put of a sibling costs its coordinator, beside one of an lww value.
@main
struct CoordinatorCost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator-cost",
        abstract: "Compares a coordinator's processor time for a sibling put and an lww put.",
        discussion: """
            A lane and a store of three replicas' one take puts at QUORUM. Each sibling put carries \
            the context of the last put of its key, so one value stays. The two keyspaces take \
            turns, and each round the other one begins.
            """
    )

    @Option(help: "Keys of each keyspace, all of which a round overwrites once.")
    var keys = 20_000

    @Option(help: "Bytes of a value.")
    var valueSize = 100

    @Option(help: "Requests in one turn of the loop, which share a sync.")
    var turn = 16

    @Option(help: "Rounds that count; one more goes before them.")
    var rounds = 11

    @Option(help: "Where the data is to lie, best in memory: syncs of a disk take processor time.")
    var directory = "/dev/shm"

    func validate() throws {
        guard (100...1_000_000).contains(keys), (0...1_000_000).contains(valueSize),
            (1...keys).contains(turn), rounds >= 1
        else {
            throw ValidationError("a number is out of range")
        }
    }

    func run() throws {
        let data = URL(filePath: directory).appending(path: "coordinator-cost-data")
        try? FileManager.default.removeItem(at: data)
        defer { try? FileManager.default.removeItem(at: data) }
        let coordinator = try Coordinator(directory: data.path, keys: keys, valueSize: valueSize)
        var costs: [(lww: Double, siblings: Double)] = []
        print("round  lww ns/put  siblings ns/put  ratio")
        for round in 0...rounds {
            var cost = (lww: 0.0, siblings: 0.0)
            let order: [ConflictMode] =
                round.isMultiple(of: 2) ? [.lww, .siblings] : [.siblings, .lww]
            for mode in order {
                let spent = try overwrite(coordinator, mode)
                if mode == .lww { cost.lww = spent } else { cost.siblings = spent }
            }
            guard round > 0 else { continue }
            costs.append(cost)
            print(
                "\(round)  \(text(cost.lww, 0))  \(text(cost.siblings, 0))  "
                    + text(cost.siblings / cost.lww, 2)
            )
        }
        let ratio = middle(costs.map { $0.siblings / $0.lww })
        print(
            "medians: lww \(text(middle(costs.map(\.lww)), 0)) ns, "
                + "siblings \(text(middle(costs.map(\.siblings)), 0)) ns, "
                + "ratio \(text(ratio, 2)) without sockets, TLS and syncs; node-cost has them"
        )
        let size = coordinator.contextSize
        let verdict = size <= 96 ? "reached" : "not reached"
        print("context of three writers: \(size) B; goal: at most 96: \(verdict)")
        try coordinator.close()
    }

    /// Overwrites all keys once.
    ///
    /// - Returns: nanoseconds of processor time a put.
    private func overwrite(_ coordinator: Coordinator, _ mode: ConflictMode) throws -> Double {
        var spent: UInt64 = 0
        var first = 0
        while first < keys {
            let end = min(first + turn, keys)
            spent += try coordinator.put(first..<end, mode)
            first = end
        }
        try coordinator.maintain()
        return Double(spent) / Double(keys)
    }

    private func middle(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private func text(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }
}
