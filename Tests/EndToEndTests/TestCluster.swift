import Foundation
import Glibc
import Testing

/// A temporary folder, removed with everything in it when the work is done.
func withTemporaryFolder<Result>(_ work: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "starling-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await work(folder)
}

/// A cluster of real processes that `starling dev` has started in a temporary folder.
struct TestCluster {
    /// The temporary folder, in which the cluster's is `cluster`.
    let folder: URL
    /// The first port.
    let basePort: Int
    /// Number of datacenters.
    let datacenters: Int
    /// Number of nodes in each.
    let nodes: Int

    /// Starts a cluster, does some work with it, and leaves no process behind.
    static func run(
        datacenters: Int = 1,
        nodes: Int = 3,
        _ work: (TestCluster) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let cluster = TestCluster(
                folder: folder,
                basePort: try FreePorts.range(of: 10 * datacenters * nodes),
                datacenters: datacenters,
                nodes: nodes
            )
            defer { cluster.killAll() }
            let outcome = try await cluster.up()
            try #require(outcome.exit == 0, "\(outcome)")
            try await work(cluster)
        }
    }

    /// Starts the nodes that do not run.
    func up(_ options: String...) async throws -> BuiltProgram.Outcome {
        try await BuiltProgram.run(
            [
                "dev", "--detach", "--dir", "cluster", "--datacenters", "\(datacenters)",
                "--nodes", "\(nodes)", "--base-port", "\(basePort)",
            ] + options,
            in: folder
        )
    }

    /// A verb of `starling dev`.
    func dev(_ arguments: String...) async throws -> BuiltProgram.Outcome {
        try await dev(all: arguments)
    }

    /// A verb of `starling dev`.
    func dev(all arguments: [String]) async throws -> BuiltProgram.Outcome {
        try await BuiltProgram.run(["dev"] + arguments + ["--dir", "cluster"], in: folder)
    }

    /// A command with the admin's profile.
    func starling(_ arguments: String..., input: String = "") async throws -> BuiltProgram.Outcome {
        try await starling(all: arguments, input: input)
    }

    /// A command with the admin's profile.
    func starling(
        all arguments: [String],
        input: String = ""
    ) async throws -> BuiltProgram.Outcome {
        try await BuiltProgram.run(
            arguments,
            input: input,
            environment: ["STARLING_PROFILE": "cluster/client.yaml"],
            in: folder
        )
    }

    /// The port on which a node listens for peers; for clients it is one higher.
    func peerPort(ofNode index: Int) -> Int { basePort + 10 * index }

    /// Kills every process that a pid file names and whose command line names this folder.
    private func killAll() {
        let nodes = folder.appending(path: "cluster/nodes")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: nodes.path)) ?? []
        for name in names {
            let file = nodes.appending(path: "\(name)/pid")
            guard let text = try? String(contentsOf: file, encoding: .utf8),
                let process = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
                let command = FileManager.default.contents(atPath: "/proc/\(process)/cmdline"),
                String(decoding: command, as: UTF8.self).contains("nodes/\(name)/node.yaml")
            else { continue }
            kill(process, SIGKILL)
        }
    }
}
