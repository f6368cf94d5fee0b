import Foundation
import Glibc
import StarlingClient

/// Looks at a development cluster through the eyes of its nodes.
struct DevObserver {
    /// How long a cluster has to come to what is waited for.
    static let patience = Duration.seconds(30)
    /// How long a node is left alone between two looks at it, at first and later on.
    private static let intervals = (
        first: Duration.milliseconds(25), later: Duration.milliseconds(100)
    )

    /// The cluster.
    let cluster: DevCluster

    /// A client that speaks to one node only; the caller closes it.
    func client(of node: DevPlan.Node) throws(StarlingError) -> StarlingClient {
        let certificates = cluster.directory.certificates
        var configuration = ClientConfiguration(
            cluster: DevPlan.cluster,
            nodes: [
                ClientConfiguration.Node(
                    endpoint: node.clientEndpoint,
                    datacenter: node.datacenter,
                    name: node.name
                )
            ],
            datacenter: node.datacenter,
            authorityFile: "\(certificates)/ca.crt",
            certificateFile: "\(certificates)/admin.crt",
            keyFile: "\(certificates)/admin.key"
        )
        configuration.connectionsPerNode = 1
        configuration.connectTimeout = .seconds(1)
        configuration.requestTimeout = .seconds(1)
        return try StarlingClient(configuration: configuration)
    }

    /// Waits until each of `observers` sees each of `targets` up, each of the targets sees all
    /// observers up, and none is behind the topology that it has heard of.
    ///
    /// Before that a node with an empty disk does not know that it lacks anything, nor which
    /// keyspaces there are.
    ///
    /// - Parameters:
    ///   - targets: the nodes that shall be up.
    ///   - observers: the nodes that are asked.
    ///   - processes: processes just started; when one of them ends, waiting does too.
    /// - Throws: who does not see whom, or whose process ended.
    func waitUntilUp(
        _ targets: [DevPlan.Node],
        seenBy observers: [DevPlan.Node],
        processes: [(node: DevPlan.Node, process: pid_t)] = []
    ) async throws {
        try await wait(for: observers, processes: processes) { client, observer in
            let status = try await client.status(seenFrom: observer.name)
            let wanted = targets.contains(observer) ? targets + observers : targets
            let missing = wanted.map(\.name).filter { name in
                !status.nodes.contains { $0.name == name && $0.state == .up }
            }
            guard missing.isEmpty else {
                return "\(observer.name) does not see "
                    + Set(missing).sorted().joined(separator: ", ")
            }
            let newest = status.nodes.map(\.epoch).max() ?? 0
            return status.epoch >= newest
                ? nil : "\(observer.name) has topology \(status.epoch) of \(newest)"
        }
    }

    /// Waits until each of `observers` knows a keyspace.
    func waitUntilKnown(keyspace: String, by observers: [DevPlan.Node]) async throws {
        try await wait(for: observers, processes: []) { client, observer in
            let description = try await client.describe()
            return description.keyspaces.contains { $0.name == keyspace }
                ? nil : "\(observer.name) does not know keyspace '\(keyspace)'"
        }
    }

    /// Asks nodes again and again, all at the same time, until none has an objection.
    private func wait(
        for observers: [DevPlan.Node],
        processes: [(node: DevPlan.Node, process: pid_t)],
        objection: @escaping @Sendable (StarlingClient, DevPlan.Node) async throws -> String?
    ) async throws {
        let deadline = ContinuousClock.now + Self.patience
        let objections = try await withThrowingTaskGroup(of: String?.self) { group in
            for observer in observers {
                group.addTask {
                    try await lastObjection(
                        of: observer,
                        until: deadline,
                        processes: processes,
                        objection
                    )
                }
            }
            return try await group.reduce(into: [String]()) { objections, objection in
                if let objection { objections.append(objection) }
            }
        }
        guard objections.isEmpty else {
            throw CommandError.dev(
                "after \(Self.patience.components.seconds) s not all nodes are up: "
                    + "\(objections.sorted().joined(separator: "; ")).",
                advice: "`starling dev logs NODE` shows why; `starling dev heal` ends a partition."
            )
        }
    }

    private func lastObjection(
        of observer: DevPlan.Node,
        until deadline: ContinuousClock.Instant,
        processes: [(node: DevPlan.Node, process: pid_t)],
        _ objection: @Sendable (StarlingClient, DevPlan.Node) async throws -> String?
    ) async throws -> String? {
        var last: String? = "\(observer.name) does not answer"
        var rounds = 0
        while ContinuousClock.now < deadline {
            if let ended = processes.first(where: { !DevProcess.exists($0.process) }) {
                throw CommandError.dev(
                    "\(ended.node.name) ended at its start: \(cluster.lastWords(of: ended.node))",
                    advice: "`starling dev logs \(ended.node.name)` shows all of its log."
                )
            }
            // A new client each time: one that failed would wait before it dials again.
            let client = try client(of: observer)
            defer { client.close() }
            do {
                last = try await objection(client, observer)
                if last == nil { return nil }
            } catch let error as StarlingError where error.code == .tls {
                last = "\(observer.name) refuses this profile: \(error.message)"
            } catch let error as StarlingError {
                last = "\(observer.name) does not answer (\(error.message))"
            }
            rounds += 1
            try await Task.sleep(for: rounds < 80 ? Self.intervals.first : Self.intervals.later)
        }
        return last
    }
}
