import ArgumentParser
import Foundation
import StarlingClient

/// The command `starling dev stop`.
struct DevStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop all nodes, letting each finish what it has begun.",
        discussion: """
            EXAMPLES:
              starling dev stop
            """
    )

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let running = cluster.running
        try await Self.stop(running, of: cluster)
        Console.print(running.isEmpty ? "No node runs." : "Stopped \(running.count) nodes.")
    }

    /// Stops nodes and says which had to be killed.
    static func stop(_ nodes: [DevPlan.Node], of cluster: DevCluster) async throws {
        for node in try await cluster.stop(nodes) {
            Console.note("\(node.name) did not stop by itself and was killed.")
        }
    }
}

/// The command `starling dev kill`.
struct DevKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        abstract: "Kill a node's process (SIGKILL) and wait until it is gone.",
        discussion: """
            EXAMPLES:
              starling dev kill dc1-n2
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        let process = try cluster.runningProcess(of: node)
        try await cluster.kill(node)
        Console.print("Killed \(node.name) (process \(process)).")
    }
}

/// The command `starling dev pause`.
struct DevPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Freeze a node's process (SIGSTOP), as a machine that hangs.",
        discussion: """
            EXAMPLES:
              starling dev pause dc1-n2
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        try await cluster.pause(node)
        Console.print("Paused \(node.name).")
    }
}

/// The command `starling dev resume`.
struct DevResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused node go on, and wait until every running node sees it up.",
        discussion: """
            EXAMPLES:
              starling dev resume dc1-n2
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        try cluster.resume(node)
        try await DevObserver(cluster: cluster)
            .waitUntilUp([node], seenBy: cluster.answering)
        Console.print("\(node.name) is up.")
    }
}

/// The command `starling dev start`.
struct DevStartNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start a node that does not run, and wait until every running node sees it up.",
        discussion: """
            EXAMPLES:
              starling dev start dc1-n2
            """
    )

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let node = try cluster.plan.node(node)
        var processes: [(node: DevPlan.Node, process: pid_t)] = []
        if cluster.process(of: node) == nil {
            processes.append((node, try cluster.spawn(node)))
        }
        let others = cluster.answering.filter { $0 != node }
        try await DevObserver(cluster: cluster)
            .waitUntilUp([node], seenBy: others + [node], processes: processes)
        Console.print("\(node.name) is up.")
    }
}
