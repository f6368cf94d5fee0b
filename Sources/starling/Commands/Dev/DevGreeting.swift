import Foundation

/// What `starling dev` prints when all nodes are up: where they are, and what to type next.
struct DevGreeting {
    /// The cluster.
    let cluster: DevCluster
    /// How long it took.
    let elapsed: Duration
    /// Whether the command returns now.
    let isDetached: Bool

    /// The lines.
    var text: String {
        let plan = cluster.plan
        let count = plan.nodes.count
        var lines = [
            "\(count) \(count == 1 ? "node" : "nodes") up in \(seconds) s; every connection is "
                + "mutual TLS, durable writes: \(durability).",
            "",
        ]
        for datacenter in plan.datacenterNames {
            let nodes = plan.nodes.filter { $0.datacenter == datacenter }
                .map { "\($0.name) :\($0.clientPort)" }
            lines.append("  \(datacenter)   \(nodes.joined(separator: "   "))")
        }
        let replication = plan.datacenterNames.map { "\($0)=\(plan.replicas)" }
        lines += [
            "  keyspace \(DevPlan.keyspace) (lww), replicas \(replication.joined(separator: ", "))",
            "",
            isDetached ? "Try:" : "Try, in a second terminal:",
        ]
        lines += suggestions
        lines += ["", "Logs: starling dev logs \(first)\(option)"]
        lines.append(
            isDetached ? "Stop: starling dev stop\(option)" : "Stop: Ctrl-C; the data stays."
        )
        return lines.joined(separator: "\n") + "\n"
    }

    private var suggestions: [String] {
        var commands: [(String, String)] = [
            ("export PATH=\"\(programFolder):$PATH\"", "")
        ]
        if isElsewhere {
            commands.append(("export STARLING_PROFILE=\(cluster.directory.profile)", ""))
        }
        commands += [
            ("starling put \(DevPlan.keyspace)/cart '[\"milk\"]'", "write a value"),
            ("starling get \(DevPlan.keyspace)/cart", "read it"),
            ("starling status", "nodes, and which levels work"),
        ]
        if cluster.plan.nodes.count > 1 {
            let victim = cluster.plan.nodes[1].name
            commands += [
                ("starling dev kill \(victim)\(option)", "kill -9 a node"),
                ("starling get \(DevPlan.keyspace)/cart -c QUORUM", "a majority still answers"),
                ("starling dev start \(victim)\(option)", "bring it back"),
            ]
        }
        let width = commands.filter { !$0.1.isEmpty }.map(\.0.count).max() ?? 0
        return commands.map { command, meaning in
            let gap = String(repeating: " ", count: max(0, width - command.count) + 3)
            return "  \(command)" + (meaning.isEmpty ? "" : "\(gap)# \(meaning)")
        }
    }

    /// The program's folder: from the working directory, and by the shorter name that builds give
    /// it, where that is the same folder.
    private var programFolder: String {
        var folder = URL(filePath: DevProcess.executable()).deletingLastPathComponent()
        let short = folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: folder.lastPathComponent)
        if short.resolvingSymlinksInPath().path == folder.path { folder = short }
        let here = FileManager.default.currentDirectoryPath
        return folder.path.hasPrefix(here + "/")
            ? "$PWD" + folder.path.dropFirst(here.count) : folder.path
    }

    private var isElsewhere: Bool {
        let own = URL(filePath: cluster.directory.path).standardizedFileURL.path
        return own != URL(filePath: "starling-dev").standardizedFileURL.path
    }

    private var option: String { isElsewhere ? " --dir \(cluster.directory.path)" : "" }

    private var first: String { cluster.plan.nodes[0].name }

    private var durability: String {
        let text =
            (try? String(
                contentsOfFile: cluster.directory.configuration(cluster.plan.nodes[0]),
                encoding: .utf8
            )) ?? ""
        return text.contains("durability: periodic") ? "periodic" : "group"
    }

    private var seconds: String {
        let milliseconds =
            elapsed.components.seconds * 1000
            + elapsed.components.attoseconds / 1_000_000_000_000_000
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100)"
    }
}
