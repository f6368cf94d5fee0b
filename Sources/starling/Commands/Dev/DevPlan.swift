import ClusterPrimitives
import Partitioning

/// Which nodes a development cluster has and where each of them listens.
///
/// A pure function of four numbers and a word, so that a directory needs to remember only those.
struct DevPlan: Equatable {
    /// One node of the cluster.
    struct Node: Equatable {
        /// `dc1-n1`.
        let name: String
        /// `dc1`.
        let datacenter: String
        /// `r1`, `r2`, `r3` in turn within the datacenter.
        let rack: String
        /// Where other nodes reach it.
        let peerPort: UInt16
        /// Where clients reach it.
        let clientPort: UInt16
    }

    /// Every node listens here and nowhere else.
    static let host = "127.0.0.1"
    /// The name in every certificate and in the topology.
    static let cluster = "dev"
    /// The keyspace that exists from the beginning.
    static let keyspace = "demo"
    /// The most nodes of one cluster: enough to see anything, few enough for one machine.
    static let maximumNodes = 30

    /// Number of datacenters.
    let datacenters: Int
    /// Number of nodes in each datacenter.
    let nodesPerDatacenter: Int
    /// The first node's peer port; each later node's are ten higher.
    let basePort: Int

    /// A plan, if it can be carried out.
    ///
    /// - Throws: what is wrong with the numbers.
    init(datacenters: Int, nodesPerDatacenter: Int, basePort: Int) throws(CommandError) {
        guard (1...Limits.datacenters).contains(datacenters), nodesPerDatacenter >= 1,
            nodesPerDatacenter <= Self.maximumNodes,
            datacenters * nodesPerDatacenter <= Self.maximumNodes
        else {
            throw CommandError.usage(
                "\(datacenters) datacenters of \(nodesPerDatacenter) nodes cannot be started.",
                advice: "Ask for at least one of each and for \(Self.maximumNodes) nodes in all."
            )
        }
        let last = 10 * (datacenters * nodesPerDatacenter - 1) + 2
        guard (1024...(65535 - last)).contains(basePort) else {
            throw CommandError.usage(
                "ports from \(basePort) on cannot be used for this cluster.",
                advice: "Choose a --base-port from 1024 to \(65535 - last)."
            )
        }
        self.datacenters = datacenters
        self.nodesPerDatacenter = nodesPerDatacenter
        self.basePort = basePort
    }

    /// The nodes, datacenter by datacenter.
    var nodes: [Node] {
        (0..<(datacenters * nodesPerDatacenter)).map { index in
            let datacenter = "dc\(index / nodesPerDatacenter + 1)"
            let place = index % nodesPerDatacenter
            return Node(
                name: "\(datacenter)-n\(place + 1)",
                datacenter: datacenter,
                rack: "r\(place % 3 + 1)",
                peerPort: UInt16(basePort + 10 * index),
                clientPort: UInt16(basePort + 10 * index + 1)
            )
        }
    }

    /// `dc1`, `dc2`, ….
    var datacenterNames: [String] { (1...datacenters).map { "dc\($0)" } }

    /// Replicas of each key of the first keyspace in each datacenter.
    var replicas: Int { min(3, nodesPerDatacenter) }

    /// The node of this name.
    ///
    /// - Throws: which nodes there are, when it is none of them.
    func node(_ name: String) throws(CommandError) -> Node {
        if let node = nodes.first(where: { $0.name == name }) { return node }
        let names = nodes.map(\.name)
        throw CommandError.absent(
            "there is no node '\(name)'.",
            advice: "The nodes are \(names.joined(separator: ", "))."
        )
    }

    /// The nodes of a datacenter.
    ///
    /// - Throws: which datacenters there are, when it is none of them.
    func nodes(in datacenter: String) throws(CommandError) -> [Node] {
        let members = nodes.filter { $0.datacenter == datacenter }
        guard members.isEmpty else { return members }
        throw CommandError.absent(
            "there is no datacenter '\(datacenter)'.",
            advice: "The datacenters are \(datacenterNames.joined(separator: ", "))."
        )
    }

    /// The topology that every node takes at its first start.
    func founding() throws(TopologyError) -> Topology {
        try Topology.founding(
            cluster: Self.cluster,
            members: nodes.map {
                FoundingMember(
                    name: $0.name,
                    datacenter: $0.datacenter,
                    rack: $0.rack,
                    peer: Endpoint(host: Self.host, port: $0.peerPort),
                    client: Endpoint(host: Self.host, port: $0.clientPort)
                )
            }
        )
    }
}

extension DevPlan.Node {
    /// Where clients reach it.
    var clientEndpoint: Endpoint { Endpoint(host: DevPlan.host, port: clientPort) }
}
