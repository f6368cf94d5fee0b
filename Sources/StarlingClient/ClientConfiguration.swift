public import ClusterPrimitives

/// Where a client begins to look for its cluster, who it is, and how much it may hold open.
public struct ClientConfiguration: Sendable {
    /// One node that a client may ask for the cluster's topology.
    public struct Node: Hashable, Sendable {
        /// Where it listens for clients.
        public var endpoint: Endpoint
        /// Its datacenter, where that is known.
        public var datacenter: String?
        /// The name its certificate must carry; nil accepts any node of the cluster.
        public var name: String?

        /// A node at an endpoint.
        public init(endpoint: Endpoint, datacenter: String? = nil, name: String? = nil) {
            self.endpoint = endpoint
            self.datacenter = datacenter
            self.name = name
        }
    }

    /// The cluster's name, which every certificate must carry.
    public var cluster: String
    /// Nodes to begin with; one that answers is enough, the others are learnt from it.
    public var nodes: [Node]
    /// What *local* means in a consistency level; nil takes the first node's datacenter.
    public var datacenter: String?
    /// PEM file of the authority that signs every certificate of the cluster.
    public var authorityFile: String
    /// PEM file of this client's certificate.
    public var certificateFile: String
    /// PEM file of this client's key.
    public var keyFile: String

    /// Connections to each node: 2.
    ///
    /// More helps only where one core cannot encrypt fast enough.
    public var connectionsPerNode = 2
    /// Requests at one time on a connection: 512; beyond, another node is asked.
    public var maximumRequestsPerConnection = 512
    /// How long a connection may take from dialling to the node's greeting: 5 s.
    public var connectTimeout: Duration = .seconds(5)
    /// How long a request waits for a connection that is being opened: 500 ms.
    ///
    /// Then another node is asked; the connection is opened nonetheless.
    public var connectPatience: Duration = .milliseconds(500)
    /// How long a request may take that says nothing else: 2 s.
    public var requestTimeout: Duration = .seconds(2)
    /// How much longer than the request's time its answer is waited for: 250 ms, for the way
    /// there and back.
    public var answerGrace: Duration = .milliseconds(250)
    /// The software's name and version in the nodes' logs.
    public var software = "starling-client/0.1.0"

    /// A configuration with the defaults for all bounds.
    public init(
        cluster: String,
        nodes: [Node],
        datacenter: String? = nil,
        authorityFile: String,
        certificateFile: String,
        keyFile: String
    ) {
        self.cluster = cluster
        self.nodes = nodes
        self.datacenter = datacenter
        self.authorityFile = authorityFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}
