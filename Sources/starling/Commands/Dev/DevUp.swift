import ArgumentParser
import Foundation

/// `starling dev` without a verb.
struct DevUp: AsyncParsableCommand {
    /// When a write counts as durable, as configurations say it.
    enum Durability: String, ExpressibleByArgument, CaseIterable {
        case group
        case periodic
    }

    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the cluster (the same as `starling dev` alone).",
        discussion: """
            EXAMPLES:
              starling dev                           2 x 3 nodes; Ctrl-C stops them
              starling dev --nodes 1 --datacenters 1
              starling dev --detach --dir /tmp/mine  return when all are up
              starling dev --reset                   delete its data, begin anew
            """
    )

    @Option(help: "Number of datacenters (default: 2).")
    var datacenters: Int?

    @Option(help: "Number of nodes in each datacenter (default: 3).")
    var nodes: Int?

    @OptionGroup var place: DevDirectoryOption

    @Option(
        help: "The first port; node i takes this + 10·i for peers, + 1 for clients (default: 7400)."
    )
    var basePort: Int?

    @Flag(help: "Delete what an earlier `starling dev` made in the directory, data included.")
    var reset = false

    @Flag(help: "Return when all nodes see each other up, and leave them running.")
    var detach = false

    @Option(
        help: "When a write counts as durable: after the log's sync, or before (default: group)."
    )
    var durability: Durability?

    func run() async throws {
        let started = ContinuousClock.now
        let interrupts = Interrupts()
        let directory = place.directory
        let start = DevStart(
            directory: directory,
            wishes: DevStart.Wishes(
                datacenters: datacenters,
                nodes: nodes,
                basePort: basePort,
                durability: durability?.rawValue,
                isReset: reset
            )
        )
        let cluster = try await bringUp(start, interrupts)
        let elapsed = ContinuousClock.now - started
        Console.write(
            DevGreeting(cluster: cluster, elapsed: elapsed, isDetached: detach).text
        )
        if detach { return }
        try await stay(with: cluster, until: interrupts)
    }

    /// Makes and starts what is missing, while no other `starling dev` does.
    private func bringUp(_ start: DevStart, _ interrupts: Interrupts) async throws -> DevCluster {
        try start.refuseForeign()
        let lock = try await DevLock(in: start.directory)
        defer { lock.release() }
        let cluster = try await start.prepare()
        let alreadyRunning = cluster.running
        let mine = cluster.plan.nodes.filter { !alreadyRunning.contains($0) }
        do {
            try await interrupts.race { try await start.start(cluster) }
        } catch {
            // Half a cluster is of no use to anyone; logs and data stay.
            _ = try await cluster.stop(mine)
            throw error
        }
        return cluster
    }

    /// Waits for Ctrl-C or SIGTERM, then stops all nodes; ends early when none runs any more.
    private func stay(with cluster: DevCluster, until interrupts: Interrupts) async throws {
        while !interrupts.isInterrupted {
            if cluster.running.isEmpty {
                Console.note("All nodes have stopped.")
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        Console.note("Stopping \(cluster.running.count) nodes …")
        try await DevStop.stop(cluster.running, of: cluster)
    }
}
