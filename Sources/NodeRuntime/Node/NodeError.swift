package import ClusterPrimitives

/// Why a node does not run.
package enum NodeError: Error, Equatable, Sendable {
    /// A listener's address is taken by another process.
    case portInUse(port: String, Endpoint)
    /// A listener's address cannot be had.
    case cannotListen(port: String, Endpoint, reason: String)
    /// The node is no member of the topology.
    case notAMember(name: String, cluster: String, topology: String, members: [String])
    /// The certificate is another node's.
    case certificateOfAnother(certificate: String, name: String)
    /// A certificate, a key or a secret cannot be used.
    case security(String)
    /// The data directory cannot be used; whose it is, or what is wrong with it.
    case dataDirectory(path: String, reason: String, isForeign: Bool)
    /// The store cannot be opened or closed.
    case storage(String)

    /// Whether another configuration, rather than another attempt, would help.
    package var isConfiguration: Bool {
        switch self {
        case .notAMember, .certificateOfAnother, .security: true
        case .dataDirectory(_, _, let isForeign): isForeign
        case .portInUse, .cannotListen, .storage: false
        }
    }
}

extension NodeError: CustomStringConvertible {
    /// What is wrong and what to do.
    package var description: String {
        switch self {
        case .portInUse(let port, let endpoint):
            "port \(endpoint.port) is in use: cannot listen for \(port)s at \(endpoint); stop the "
                + "process that has it or set \(port)_listen"
        case .cannotListen(let port, let endpoint, let reason):
            "cannot listen for \(port)s at \(endpoint): \(reason); set \(port)_listen to an "
                + "address of this machine"
        case .notAMember(let name, let cluster, let topology, let members):
            "\(name) is no member of cluster \(cluster) in \(topology), which has "
                + "\(members.prefix(8).joined(separator: ", "))\(members.count > 8 ? ", …" : "")"
        case .certificateOfAnother(let certificate, let name):
            "the certificate is of node \(certificate), the configuration of \(name); use the "
                + "certificate of \(name)"
        case .security(let reason): reason
        case .dataDirectory(_, let reason, _): reason
        case .storage(let reason): "storage: \(reason)"
        }
    }
}
