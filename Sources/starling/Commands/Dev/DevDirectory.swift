import Foundation

/// The directory of a development cluster: what lies where, and whether it is one.
///
///     DIR/dev.yaml              the plan; its presence makes the directory a development cluster
///     DIR/topology.yaml         the founding topology
///     DIR/client.yaml           an admin's profile
///     DIR/certs/                the authority, a certificate for each node, an admin's certificate
///     DIR/nodes/NAME/           node.yaml, data/, log, pid
struct DevDirectory {
    /// As it was given.
    let path: String

    /// The file that makes a directory a development cluster.
    var marker: String { "\(path)/dev.yaml" }
    /// The founding topology.
    var topology: String { "\(path)/topology.yaml" }
    /// The admin's profile.
    var profile: String { "\(path)/client.yaml" }
    /// The folder of certificates and keys.
    var certificates: String { "\(path)/certs" }
    /// The folder of a node.
    func folder(_ node: DevPlan.Node) -> String { "\(path)/nodes/\(node.name)" }
    /// A node's configuration.
    func configuration(_ node: DevPlan.Node) -> String { "\(folder(node))/node.yaml" }
    /// A node's data.
    func data(_ node: DevPlan.Node) -> String { "\(folder(node))/data" }
    /// What a data directory that is being wiped is called meanwhile, behind its name.
    static let wipedSuffix = ".wiped"
    /// What a node printed, start after start.
    func log(_ node: DevPlan.Node) -> String { "\(folder(node))/log" }
    /// The process that a node was last started as.
    func processFile(_ node: DevPlan.Node) -> String { "\(folder(node))/pid" }

    /// The cluster that lies here; nil when there is none and nothing is in the way of one.
    ///
    /// - Throws: when the directory holds something of the same names that `dev` did not make, or
    ///   a plan that cannot be read.
    func plan() throws(CommandError) -> DevPlan? {
        guard let text = try? String(contentsOfFile: marker, encoding: .utf8) else {
            for path in [topology, profile, certificates, "\(path)/nodes"]
            where FileManager.default.fileExists(atPath: path) {
                throw notMine(because: path)
            }
            return nil
        }
        var numbers: [String: Int] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: ":")
            guard parts.count == 2,
                let number = Int(parts[1].trimmingCharacters(in: .whitespaces))
            else { continue }
            numbers[String(parts[0])] = number
        }
        guard let datacenters = numbers["datacenters"], let nodes = numbers["nodes"],
            let port = numbers["base_port"]
        else {
            throw CommandError.dev(
                "'\(marker)' is damaged.",
                advice: "Delete '\(path)' if it is a development cluster, or choose another --dir."
            )
        }
        return try DevPlan(datacenters: datacenters, nodesPerDatacenter: nodes, basePort: port)
    }

    /// The cluster that lies here.
    ///
    /// - Throws: also when there is none.
    func existingPlan() throws(CommandError) -> DevPlan {
        if let plan = try plan() { return plan }
        throw CommandError.absent(
            "there is no development cluster in '\(path)'.",
            advice: "Start one with `starling dev`, or say with --dir where it is."
        )
    }

    /// Writes the plan, which makes the directory a development cluster.
    func write(_ plan: DevPlan) throws {
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        let text = """
            # Written by `starling dev`, which takes this directory for its own.
            datacenters: \(plan.datacenters)
            nodes: \(plan.nodesPerDatacenter)
            base_port: \(plan.basePort)

            """
        try text.write(toFile: marker, atomically: true, encoding: .utf8)
    }

    /// Removes what `dev` made for this plan, and the directory if nothing else is in it.
    func remove(_ plan: DevPlan) {
        let files = FileManager.default
        for node in plan.nodes {
            let wiped = data(node) + Self.wipedSuffix
            for path in [configuration(node), data(node), wiped, log(node), processFile(node)] {
                try? files.removeItem(atPath: path)
            }
            Self.removeIfEmpty(folder(node))
        }
        Self.removeIfEmpty("\(path)/nodes")
        for path in [certificates, topology, profile, marker] {
            try? files.removeItem(atPath: path)
        }
        Self.removeIfEmpty(path)
    }

    /// Refuses to take a directory for a development cluster that has none in it.
    func refuseForeign() throws(CommandError) {
        guard try plan() == nil,
            let names = try? FileManager.default.contentsOfDirectory(atPath: path),
            let name = names.sorted().first(where: { $0 != DevLock.name })
        else { return }
        throw notMine(because: "\(path)/\(name)")
    }

    private func notMine(because found: String) -> CommandError {
        CommandError.usage(
            "'\(path)' is not a development cluster: it has '\(found)' but no dev.yaml.",
            advice: "Choose another --dir; nothing was touched."
        )
    }

    private static func removeIfEmpty(_ path: String) {
        let names = try? FileManager.default.contentsOfDirectory(atPath: path)
        if names?.isEmpty == true { try? FileManager.default.removeItem(atPath: path) }
    }
}
