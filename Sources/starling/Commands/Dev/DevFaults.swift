import ArgumentParser
import StarlingClient

/// The command `starling dev partition`.
struct DevPartition: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partition",
        abstract: "Cut the link between two datacenters, until `starling dev heal`.",
        discussion: """
            The nodes drop every frame to and from the other side. Cuts add up. A node that is \
            started later drops nothing, but those on the other side still do.

            EXAMPLES:
              starling dev partition dc1 dc2
            """
    )

    @Argument(help: "A datacenter.")
    var first: String

    @Argument(help: "Another datacenter.")
    var second: String

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        let left = try cluster.plan.nodes(in: first)
        let right = try cluster.plan.nodes(in: second)
        guard first != second else {
            throw CommandError.usage(
                "'\(first)' cannot be cut off from itself.",
                advice: "Name two datacenters."
            )
        }
        try await DevFaults.block(right, on: left, of: cluster)
        try await DevFaults.block(left, on: right, of: cluster)
        Console.print("\(first) and \(second) are cut off from each other.")
    }
}

/// The command `starling dev heal`.
struct DevHeal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heal",
        abstract: "End all partitions.",
        discussion: """
            EXAMPLES:
              starling dev heal
            """
    )

    @OptionGroup var place: DevDirectoryOption

    func run() async throws {
        let cluster = try place.cluster()
        try await DevFaults.block([], on: cluster.plan.nodes, of: cluster)
        Console.print("All links work again.")
    }
}

/// Requests that make nodes drop frames.
enum DevFaults {
    /// Makes each of `nodes` that runs drop what goes to and comes from `peers`.
    static func block(
        _ peers: [DevPlan.Node],
        on nodes: [DevPlan.Node],
        of cluster: DevCluster
    ) async throws {
        let observer = DevObserver(cluster: cluster)
        let answering = cluster.answering
        for node in nodes {
            guard answering.contains(node) else {
                Console.note("\(node.name) does not answer and was left as it is.")
                continue
            }
            let client = try observer.client(of: node)
            defer { client.close() }
            try await client.fault(on: node.name, blockedPeers: peers.map(\.name))
        }
    }
}
