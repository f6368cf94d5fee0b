import ClusterPrimitives
import Foundation
import MutualTLS
import NodeRuntime

/// Makes the files of a development cluster that are not there yet.
///
/// Each file is made whole or not at all, and what exists is kept: a start that was interrupted is
/// completed by the next.
struct DevSetup {
    /// Where.
    let directory: DevDirectory
    /// For which nodes.
    let plan: DevPlan

    /// The name of the admin in the profile's certificate.
    private static let admin = "admin"
    /// How long its certificates are valid.
    private static let days = 365

    /// Makes all that is missing.
    ///
    /// A durability, `group` or `periodic`, is written for all nodes; nil keeps what their files
    /// say.
    func complete(durability: String?) throws {
        try directory.write(plan)
        try makeCertificates()
        if !exists(directory.topology) {
            try write(TopologyFile.text(of: try plan.founding()), to: directory.topology)
        }
        for node in plan.nodes {
            try FileManager.default.createDirectory(
                atPath: directory.data(node),
                withIntermediateDirectories: true
            )
            let file = directory.configuration(node)
            if durability != nil || !exists(file) {
                try write(configuration(of: node, durability: durability ?? "group"), to: file)
            }
        }
        if !exists(directory.profile) { try write(profile, to: directory.profile) }
    }

    private func makeCertificates() throws {
        let folder = directory.certificates
        if !exists("\(folder)/ca.crt") {
            try CertificateAuthority.createAuthority(
                in: folder,
                cluster: DevPlan.cluster,
                days: Self.days
            )
        }
        for node in plan.nodes where !exists("\(folder)/\(node.name).crt") {
            try CertificateAuthority.createNode(
                in: folder,
                name: node.name,
                hosts: [DevPlan.host, "localhost"],
                days: Self.days
            )
        }
        if !exists("\(folder)/\(Self.admin).crt") {
            try CertificateAuthority.createClient(
                in: folder,
                name: Self.admin,
                admin: true,
                days: Self.days
            )
        }
    }

    private func configuration(of node: DevPlan.Node, durability: String) -> String {
        """
        # Written by `starling dev`.
        name: \(node.name)
        data_directory: data
        topology: ../../topology.yaml
        certificate_authority: ../../certs/ca.crt
        certificate: ../../certs/\(node.name).crt
        key: ../../certs/\(node.name).key
        cluster_secrets: [../../certs/\(node.name).secret]
        lanes: 1
        durability: \(durability)
        storage:
          disk_reserve: 64MiB
        # Lets `starling dev partition` cut nodes off from each other.
        fault_injection: true

        """
    }

    private var profile: String {
        var text = """
            # Written by `starling dev`: the profile of an admin of this cluster.
            cluster: \(DevPlan.cluster)
            datacenter: dc1
            certificate_authority: certs/ca.crt
            certificate: certs/\(Self.admin).crt
            key: certs/\(Self.admin).key
            endpoints:

            """
        for node in plan.nodes {
            text += "  - {name: \(node.name), datacenter: \(node.datacenter), "
            text += "address: \"\(node.clientEndpoint)\"}\n"
        }
        return text
    }

    private func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }
}
