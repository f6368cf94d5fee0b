import Foundation
import Glibc
import StarlingClient

/// Brings a development cluster up: its files, its processes, its first keyspace.
struct DevStart {
    /// What was asked for; nil where nothing was said.
    struct Wishes {
        /// Number of datacenters.
        var datacenters: Int?
        /// Number of nodes in each.
        var nodes: Int?
        /// The first port.
        var basePort: Int?
        /// `group` or `periodic`.
        var durability: String?
        /// Whether to begin anew.
        var isReset = false
    }

    /// Where.
    let directory: DevDirectory
    /// What was asked for.
    let wishes: Wishes

    /// Refuses a directory that holds something else, before anything in it is touched.
    func refuseForeign() throws(CommandError) {
        if wishes.isReset { try directory.refuseForeign() }
        _ = try directory.plan()
    }

    /// The cluster, with its files made, before anything is started.
    func prepare() async throws -> DevCluster {
        if wishes.isReset {
            if let plan = try directory.plan() {
                let cluster = DevCluster(directory: directory, plan: plan)
                for node in plan.nodes { try await cluster.kill(node) }
                directory.remove(plan)
            }
        }
        let plan = try agreedPlan()
        let cluster = DevCluster(directory: directory, plan: plan)
        if wishes.durability != nil, let node = cluster.running.first {
            throw CommandError.usage(
                "\(node.name) runs, so --durability cannot be changed.",
                advice: "Stop the cluster with `starling dev stop` first."
            )
        }
        try DevSetup(directory: directory, plan: plan).complete(durability: wishes.durability)
        return cluster
    }

    /// Starts the nodes that do not run, and waits until all see each other and the keyspace.
    func start(_ cluster: DevCluster) async throws {
        var processes: [(node: DevPlan.Node, process: pid_t)] = []
        for node in cluster.plan.nodes where cluster.process(of: node) == nil {
            processes.append((node, try cluster.spawn(node)))
        }
        let paused = cluster.running.filter { node in
            cluster.process(of: node).map(DevProcess.isPaused) ?? false
        }
        let nodes = cluster.plan.nodes.filter { node in !paused.contains(node) }
        let observer = DevObserver(cluster: cluster)
        try await observer.waitUntilUp(nodes, seenBy: nodes, processes: processes)
        guard let first = nodes.first else { return }
        let client = try observer.client(of: first)
        defer { client.close() }
        try await createKeyspace(of: cluster.plan, through: client)
        try await observer.waitUntilKnown(keyspace: DevPlan.keyspace, by: nodes)
    }

    /// The plan of the directory, if it agrees with what was asked for; else a new one.
    private func agreedPlan() throws(CommandError) -> DevPlan {
        guard let plan = try directory.plan() else {
            return try DevPlan(
                datacenters: wishes.datacenters ?? 2,
                nodesPerDatacenter: wishes.nodes ?? 3,
                basePort: wishes.basePort ?? 7400
            )
        }
        let differences = [
            ("--datacenters", wishes.datacenters, plan.datacenters),
            ("--nodes", wishes.nodes, plan.nodesPerDatacenter),
            ("--base-port", wishes.basePort, plan.basePort),
        ]
        for (flag, wish, present) in differences {
            guard let wish, wish != present else { continue }
            throw CommandError.usage(
                "'\(directory.path)' holds a cluster with \(flag) \(present), not \(wish).",
                advice: "Leave the flag out, choose another --dir, or begin anew with --reset, "
                    + "which deletes its data."
            )
        }
        return plan
    }

    private func createKeyspace(of plan: DevPlan, through client: StarlingClient) async throws {
        let description = try await client.describe()
        if description.keyspaces.contains(where: { $0.name == DevPlan.keyspace }) { return }
        _ = try await client.createKeyspace(
            KeyspaceDescription(
                name: DevPlan.keyspace,
                replication: plan.datacenterNames.map {
                    KeyspaceDescription.Replication(datacenter: $0, replicas: plan.replicas)
                }
            )
        )
    }
}
