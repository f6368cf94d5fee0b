import Foundation
import Glibc

/// The processes of a development cluster.
struct DevCluster {
    /// How long a node has to end by itself before it is killed.
    private static let patience = Duration.seconds(15)
    /// How often the outside world is looked at.
    private static let interval = Duration.milliseconds(20)

    /// Where it lies.
    let directory: DevDirectory
    /// Which nodes it has.
    let plan: DevPlan

    /// The cluster that lies in a directory.
    ///
    /// - Throws: when there is none.
    init(in directory: DevDirectory) throws(CommandError) {
        self.init(directory: directory, plan: try directory.existingPlan())
    }

    /// A cluster of these parts.
    init(directory: DevDirectory, plan: DevPlan) {
        self.directory = directory
        self.plan = plan
    }

    /// The process of a node, nil when it does not run.
    func process(of node: DevPlan.Node) -> pid_t? {
        DevProcess.holder(ofLock: "\(directory.data(node))/LOCK")
    }

    /// The process of a node.
    ///
    /// - Throws: when it does not run.
    func runningProcess(of node: DevPlan.Node) throws(CommandError) -> pid_t {
        if let process = process(of: node) { return process }
        throw CommandError.absent(
            "\(node.name) does not run.",
            advice: "Start it with `starling dev start \(node.name)`."
        )
    }

    /// The nodes that run, paused or not.
    var running: [DevPlan.Node] { plan.nodes.filter { process(of: $0) != nil } }

    /// The nodes that run and can answer.
    var answering: [DevPlan.Node] {
        plan.nodes.filter { node in
            process(of: node).map { !DevProcess.isPaused($0) } ?? false
        }
    }

    /// Starts a node's process and does not wait for anything.
    func spawn(_ node: DevPlan.Node) throws -> pid_t {
        let process = try DevProcess.start(
            ["node", "--config", directory.configuration(node)],
            log: directory.log(node)
        )
        try "\(process)\n".write(
            toFile: directory.processFile(node),
            atomically: true,
            encoding: .utf8
        )
        return process
    }

    /// The process that was started for a node here and has not ended, whether or not it holds the
    /// lock yet.
    private func startedProcess(of node: DevPlan.Node) -> pid_t? {
        guard
            let text = try? String(contentsOfFile: directory.processFile(node), encoding: .utf8),
            let process = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            DevProcess.exists(process),
            DevProcess.arguments(of: process).contains(directory.configuration(node))
        else { return nil }
        return process
    }

    /// Asks nodes to end, lets them finish what they have begun, and waits until they are gone.
    ///
    /// - Returns: the nodes that had to be killed because they did not end.
    func stop(_ nodes: [DevPlan.Node]) async throws -> [DevPlan.Node] {
        let starting = nodes.compactMap(startedProcess)
        for process in Set(nodes.compactMap(process) + starting) {
            _ = Glibc.kill(process, SIGTERM)
            // A paused process hears nothing else.
            _ = Glibc.kill(process, SIGCONT)
        }
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let areGone = !starting.contains(where: DevProcess.exists)
            if areGone, nodes.allSatisfy({ process(of: $0) == nil }) { break }
            try await Task.sleep(for: Self.interval)
        }
        let stubborn = nodes.filter { process(of: $0) != nil }
        for node in stubborn { try await kill(node) }
        for process in starting where DevProcess.exists(process) {
            _ = Glibc.kill(process, SIGKILL)
        }
        for node in nodes {
            try? FileManager.default.removeItem(atPath: directory.processFile(node))
        }
        return stubborn
    }

    /// Kills a node and waits until it is gone; does nothing when it does not run.
    func kill(_ node: DevPlan.Node) async throws {
        guard let process = process(of: node) else { return }
        _ = Glibc.kill(process, SIGKILL)
        while self.process(of: node) == process || DevProcess.exists(process) {
            try await Task.sleep(for: Self.interval)
        }
    }

    /// Stops a node's process from running, as a machine that hangs.
    func pause(_ node: DevPlan.Node) async throws {
        let process = try runningProcess(of: node)
        _ = Glibc.kill(process, SIGSTOP)
        while DevProcess.exists(process), !DevProcess.isPaused(process) {
            try await Task.sleep(for: Self.interval)
        }
    }

    /// Lets a paused node's process go on.
    func resume(_ node: DevPlan.Node) throws(CommandError) {
        _ = Glibc.kill(try runningProcess(of: node), SIGCONT)
    }

    /// Why a node ended, as the end of its log says it, in one line.
    func lastWords(of node: DevPlan.Node) -> String {
        let text = (try? String(contentsOfFile: directory.log(node), encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        let error = lines.lastIndex { $0.hasPrefix("error: ") } ?? max(0, lines.count - 1)
        return lines[error...].map { $0.trimmingCharacters(in: .whitespaces) }
            .joined(separator: " ")
    }
}
