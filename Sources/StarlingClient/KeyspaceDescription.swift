public import ClusterPrimitives
internal import Partitioning

/// A keyspace: as it is, or as it shall be created.
public struct KeyspaceDescription: Equatable, Sendable {
    /// What becomes of concurrent writes of one key.
    public enum Mode: UInt8, Sendable, CaseIterable, CustomStringConvertible {
        /// The highest timestamp wins; the writer that lost is told.
        case lww = 1
        /// All are kept until a write that saw them replaces them.
        case siblings = 2
        /// They are added up.
        case counter = 3
        /// They are joined: an addition wins over a concurrent removal.
        case set = 4
        /// They are joined field by field.
        case map = 5
        /// They are joined: of a member's addition and removal the later wins.
        case lastWriterSet = 6
        /// They are added up, and none may be negative.
        case growOnlyCounter = 7

        /// `lww`.
        public var description: String {
            switch self {
            case .lww: "lww"
            case .siblings: "siblings"
            case .counter: "counter"
            case .set: "set"
            case .map: "map"
            case .lastWriterSet: "lww-set"
            case .growOnlyCounter: "grow-counter"
            }
        }

        /// The mode of a name; nil when there is none.
        public init?(_ name: String) {
            guard let mode = Self.allCases.first(where: { $0.description == name }) else {
                return nil
            }
            self = mode
        }
    }

    /// How the tables of a keyspace are stored on every replica.
    public enum Compression: Hashable, Sendable, CustomStringConvertible {
        /// As they are.
        case none
        /// Through zlib at a level from 1, fast, to 9, small.
        case zlib(level: Int)

        /// `none`, `zlib` (level 1) or `zlib:6`.
        public var description: String { blocks.description }

        /// The compression of a text; nil when there is none.
        public init?(_ text: String) {
            guard let blocks = BlockCompression(text) else { return nil }
            self.init(blocks)
        }

        init(_ blocks: BlockCompression) {
            switch blocks {
            case .none: self = .none
            case .zlib(let level): self = .zlib(level: level)
            }
        }

        var blocks: BlockCompression {
            switch self {
            case .none: .none
            case .zlib(let level): .zlib(level: level)
            }
        }
    }

    /// Replicas of each key in one datacenter.
    public struct Replication: Equatable, Sendable {
        /// The datacenter's name.
        public var datacenter: String
        /// Replicas there, at least 1.
        public var replicas: Int

        /// So many replicas in a datacenter.
        public init(datacenter: String, replicas: Int) {
            self.datacenter = datacenter
            self.replicas = replicas
        }
    }

    /// The name.
    public var name: String
    /// What becomes of concurrent writes.
    public var mode: Mode
    /// Replicas for each datacenter.
    public var replication: [Replication]
    /// How long a value lives whose write says nothing; nil for ever.
    public var lifetime: Duration?
    /// The level of a read that names none.
    public var readConsistency: ConsistencyLevel
    /// The level of a write that names none.
    public var writeConsistency: ConsistencyLevel
    /// How its tables are stored.
    public var compression: Compression

    /// A keyspace of these parts.
    public init(
        name: String,
        mode: Mode = .lww,
        replication: [Replication],
        lifetime: Duration? = nil,
        readConsistency: ConsistencyLevel = .standard,
        writeConsistency: ConsistencyLevel = .standard,
        compression: Compression = .none
    ) {
        self.name = name
        self.mode = mode
        self.replication = replication
        self.lifetime = lifetime
        self.readConsistency = readConsistency
        self.writeConsistency = writeConsistency
        self.compression = compression
    }

    init(_ keyspace: Keyspace, of topology: Topology) {
        let lifetime = keyspace.defaultTimeToLiveMilliseconds
        self.init(
            name: keyspace.name,
            mode: Mode(rawValue: keyspace.mode.rawValue) ?? .lww,
            replication: keyspace.replication.map {
                Replication(datacenter: topology.name(of: $0.datacenter), replicas: $0.replicas)
            },
            lifetime: lifetime == 0 ? nil : .milliseconds(Int64(clamping: lifetime)),
            readConsistency: keyspace.readConsistency,
            writeConsistency: keyspace.writeConsistency,
            compression: Compression(keyspace.compression)
        )
    }
}

/// The members and keyspaces of a cluster at one epoch.
public struct ClusterDescription: Equatable, Sendable {
    /// A member.
    public struct Node: Equatable, Sendable {
        /// Its name.
        public let name: String
        /// Its datacenter.
        public let datacenter: String
        /// Its rack.
        public let rack: String
        /// Where it listens for clients.
        public let endpoint: Endpoint
    }

    /// The cluster's name.
    public let cluster: String
    /// One more with each change.
    public let epoch: UInt64
    /// Names of the datacenters.
    public let datacenters: [String]
    /// The members.
    public let nodes: [Node]
    /// The keyspaces, in the order of their creation.
    public let keyspaces: [KeyspaceDescription]

    init(_ topology: Topology) {
        cluster = topology.clusterName
        epoch = topology.epoch
        datacenters = topology.datacenters
        nodes = topology.members.map {
            Node(
                name: $0.name,
                datacenter: topology.name(of: $0.datacenter),
                rack: $0.rack,
                endpoint: $0.clientEndpoint
            )
        }
        keyspaces = topology.keyspaces.map { KeyspaceDescription($0, of: topology) }
    }
}
