package import ClusterPrimitives

/// Why a topology cannot be founded or changed as asked; nothing was changed.
package enum TopologyError: Error, Equatable, Sendable {
    /// A name that is not of the allowed form; `kind` says of what.
    case invalidName(kind: String, name: String)
    /// A founding without members.
    case noMembers
    /// More members than a cluster can have.
    case tooManyMembers(count: Int, limit: Int)
    /// More datacenters than a cluster can have.
    case tooManyDatacenters(count: Int, limit: Int)
    /// A number of tokens per member that is out of bounds.
    case invalidTokenCount(Int, allowed: ClosedRange<Int>)
    /// Two members of one name.
    case memberRepeated(String)
    /// An endpoint named twice, by one member or two.
    case endpointRepeated(Endpoint, first: String, second: String)
    /// An endpoint that nothing can be reached at.
    case invalidEndpoint(Endpoint, member: String)
    /// A keyspace of that name is there.
    case keyspaceExists(String)
    /// No keyspace of that name is there.
    case unknownKeyspace(String, nearest: String?)
    /// More keyspaces than a cluster can have.
    case tooManyKeyspaces(limit: Int)
    /// No datacenter of that name is there.
    case unknownDatacenter(String, nearest: String?)
    /// A datacenter named twice in one replication.
    case datacenterRepeated(String)
    /// A replication that names no datacenter.
    case noReplication(keyspace: String)
    /// Fewer than one replica in a datacenter that is named.
    case tooFewReplicas(datacenter: String, replicas: Int)
    /// More replicas than the datacenter has nodes.
    case tooFewNodes(datacenter: String, replicas: Int, nodes: Int)
    /// More replicas of one key, over all datacenters, than there can be.
    case tooManyReplicas(count: Int, limit: Int)
    /// Epochs or keyspace numbers are used up.
    case numbersExhausted
}

extension TopologyError: CustomStringConvertible {
    /// What is wrong and what to do.
    package var description: String {
        switch self {
        case .invalidName(let kind, let name):
            "'\(name)' cannot be the name of a \(kind): use \(Limits.nameSize.lowerBound) to "
                + "\(Limits.nameSize.upperBound) letters, digits, '-', '_' and '.', beginning "
                + "with a letter or a digit"
        case .noMembers:
            "a cluster needs at least one member; list its nodes"
        case .tooManyMembers(let count, let limit):
            "\(count) members are listed, a cluster can have \(limit)"
        case .tooManyDatacenters(let count, let limit):
            "\(count) datacenters are named, a cluster can have \(limit)"
        case .invalidTokenCount(let count, let allowed):
            "\(count) tokens per member are asked for; choose \(allowed.lowerBound) to "
                + "\(allowed.upperBound), 16 is right for most clusters"
        case .memberRepeated(let name):
            "two members are named '\(name)'; give each a name of its own"
        case .endpointRepeated(let endpoint, let first, let second):
            first == second
                ? "'\(first)' names \(endpoint) twice; peers and clients need a port each"
                : "'\(first)' and '\(second)' both name \(endpoint); give each its own"
        case .invalidEndpoint(let endpoint, let member):
            "'\(member)' cannot be reached at \(endpoint); give a host and a port from 1 to 65535"
        case .keyspaceExists(let name):
            "keyspace '\(name)' exists; choose another name or drop it first"
        case .unknownKeyspace(let name, let nearest):
            "there is no keyspace '\(name)'" + Self.suggestion(nearest, else: "; create it first")
        case .tooManyKeyspaces(let limit):
            "a cluster can have \(limit) keyspaces and has them; drop one first"
        case .unknownDatacenter(let name, let nearest):
            "there is no datacenter '\(name)'" + Self.suggestion(nearest, else: "")
        case .datacenterRepeated(let name):
            "datacenter '\(name)' is named twice; name it once"
        case .noReplication(let keyspace):
            "keyspace '\(keyspace)' names no datacenter; say where its replicas are, as in dc1=3"
        case .tooFewReplicas(let datacenter, let replicas):
            "\(replicas) replicas in '\(datacenter)' are not possible; ask for at least 1 or "
                + "leave it out"
        case .tooFewNodes(let datacenter, let replicas, let nodes):
            "'\(datacenter)' has \(nodes) \(nodes == 1 ? "node" : "nodes"), too few for "
                + "\(replicas) replicas; ask for at most \(nodes) or add nodes"
        case .tooManyReplicas(let count, let limit):
            "\(count) replicas of a key are asked for over all datacenters, the limit is \(limit)"
        case .numbersExhausted:
            "no epoch or keyspace number is left; found a new cluster"
        }
    }

    private static func suggestion(_ nearest: String?, else otherwise: String) -> String {
        nearest.map { "; did you mean '\($0)'?" } ?? otherwise
    }
}
