package import ClusterPrimitives
package import Logging

/// Everything that the configuration file of one node says, with defaults filled in.
///
/// Paths are absolute or relative to the working directory, whatever the file had.
package struct ServerConfiguration: Equatable, Sendable {
    /// When a write counts as durable.
    package enum Durability: Equatable, Sendable {
        /// After the log's sync, one for all that wait.
        case group
        /// Once the system has the bytes; the log is synced each interval, and a crash of the
        /// machine loses the last.
        case periodic(Duration)
    }

    /// How the store uses memory, disk and threads.
    package struct Storage: Equatable, Sendable {
        /// Bytes of tables' blocks that are kept in memory, decompressed; 64 MiB.
        ///
        /// More saves reads from the disk.
        package var cacheSize = 64 << 20
        /// Bytes of the disk that are kept free; 256 MiB, and 0 keeps none.
        ///
        /// With less room than that, writes of values are refused, while reads, deletions and
        /// compaction go on, so that room can be made.
        package var diskReserve = 256 << 20
        /// Compactions at the same time, each on a thread of its own; 2.
        ///
        /// More use more of the disk and of the cores.
        package var parallelCompactions = 2
        /// Files of tables held open; 512.
        ///
        /// Fewer open files anew more often; more must be allowed to the process.
        package var openFiles = 512

        /// The defaults.
        package init() {}
    }

    /// How log lines look.
    package enum LogFormat: String, Equatable, Sendable, CaseIterable {
        /// For people.
        case text
        /// One JSON object a line.
        case json
    }

    /// The node's name, a member of the topology.
    package var name: String
    /// Where its data lies.
    package var dataDirectory: String
    /// The founding topology.
    package var topology: String
    /// The certificates that others' certificates must descend from.
    package var certificateAuthority: String
    /// This node's certificate.
    package var certificate: String
    /// Its private key.
    package var key: String
    /// Certificates that are no longer accepted; nil where none are.
    package var certificateRevocationList: String?
    /// The cluster's secrets; the first makes tokens, all are accepted.
    package var clusterSecrets: [String]

    /// Where peers connect; nil takes the member's endpoint of the topology.
    package var peerListen: Endpoint?
    /// Where clients connect; nil takes the member's endpoint of the topology.
    package var clientListen: Endpoint?
    /// Event loops for requests; the machine's cores, at most 4.
    ///
    /// More use more cores and open more connections between nodes.
    package var lanes: Int
    /// When a write counts as durable; by default after the sync.
    package var durability = Durability.group
    /// Bytes for memtables; 64 MiB.
    ///
    /// Less flushes more often.
    package var memoryBudget = 64 << 20
    /// How the store uses memory, disk and threads.
    package var storage = Storage()
    /// The longest value a client may write, in bytes; 1 MiB, never more than 8 MiB.
    package var maximumValueSize = Limits.defaultValueSize

    /// Clients connected at once; 10,000.
    ///
    /// Further ones are refused.
    package var maximumClientConnections = 10_000
    /// Peers' connections at once; 4,096.
    package var maximumPeerConnections = 4096
    /// Connections that have not said who they are; 1,024.
    ///
    /// Beyond it the oldest is closed.
    package var maximumUnauthenticatedConnections = 1024
    /// How long a connection may take to say who it is; 5 s.
    package var handshakeTimeout: Duration = .seconds(5)

    /// How log lines look; text.
    package var logFormat = LogFormat.text
    /// The least level that is logged; info.
    package var logLevel = Logger.Level.info
    /// Whether `fault` requests are obeyed; only for tests and `starling dev`.
    package var faultInjection = false

    /// A configuration with what has no default.
    package init(
        name: String,
        dataDirectory: String,
        topology: String,
        certificateAuthority: String,
        certificate: String,
        key: String,
        clusterSecrets: [String],
        lanes: Int = ServerConfiguration.defaultLanes
    ) {
        self.name = name
        self.dataDirectory = dataDirectory
        self.topology = topology
        self.certificateAuthority = certificateAuthority
        self.certificate = certificate
        self.key = key
        self.clusterSecrets = clusterSecrets
        self.lanes = lanes
    }
}
