import ClusterPrimitives
import Foundation
import StarlingClient

/// How to reach one cluster, as a file says it.
struct Profile: Equatable {
    /// The cluster's name.
    var cluster: String
    /// What *local* means in a consistency level.
    var datacenter: String?
    /// Path of the authority's certificate.
    var authority: String
    /// Path of the client's certificate.
    var certificate: String
    /// Path of the client's key.
    var key: String
    /// Nodes to begin with.
    var endpoints: [ClientConfiguration.Node]

    /// Reads the text of a profile file; relative paths in it start at the file's directory.
    init(text: String, file: String) throws {
        var mapping = try StrictMapping.top(of: text, file: file)
        try self.init(&mapping, file: file)
    }

    init(_ mapping: inout StrictMapping, file: String) throws {
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent()
        func path(_ text: String) -> String {
            URL(fileURLWithPath: text, relativeTo: directory).standardizedFileURL.path
        }
        cluster = try mapping.string("cluster")
        datacenter = try mapping.optionalString("datacenter")
        authority = path(try mapping.string("certificate_authority"))
        certificate = path(try mapping.string("certificate"))
        key = path(try mapping.string("key"))
        endpoints = try mapping.mappings("endpoints").map { entry in
            var entry = entry
            let address = try entry.string("address")
            let datacenter = try entry.optionalString("datacenter")
            let name = try entry.optionalString("name")
            try entry.finish()
            guard let endpoint = Endpoint(address), endpoint.port > 0 else {
                throw CommandError.configuration(
                    "\(file): '\(address)' is no address of a node.",
                    advice: "Write host:port, such as 127.0.0.1:7401."
                )
            }
            return ClientConfiguration.Node(
                endpoint: endpoint,
                datacenter: datacenter,
                name: name
            )
        }
        guard !endpoints.isEmpty else {
            throw CommandError.configuration(
                "\(file): endpoints is empty.",
                advice: "Name at least one node of the cluster."
            )
        }
        try mapping.finish()
    }
}
