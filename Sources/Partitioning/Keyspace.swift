package import ClusterPrimitives

/// What becomes of concurrent writes of one key; fixed when a keyspace is created.
package enum ConflictMode: UInt8, CaseIterable, Sendable, CustomStringConvertible {
    // On disk and on the wire: never renumber.

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
    /// They are joined: of an element's addition and removal the later wins.
    case lastWriterSet = 6
    /// They are added up, and never fall.
    case growOnlyCounter = 7

    /// The mode of this name, as `description` writes it; nil when there is none.
    package init?(_ name: String) {
        guard let mode = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = mode
    }

    /// The name that commands and documents use.
    package var description: String {
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
}

/// How many replicas a key has in one datacenter.
package struct DatacenterReplication: Hashable, Sendable {
    /// The datacenter.
    package var datacenter: DatacenterID
    /// At least 1.
    package var replicas: Int

    /// `replicas` replicas in `datacenter`.
    package init(datacenter: DatacenterID, replicas: Int) {
        self.datacenter = datacenter
        self.replicas = replicas
    }
}

/// The unit of replication, conflict mode, storage and repair.
package struct Keyspace: Equatable, Sendable {
    /// Carried by data, messages and contexts; never used again after a drop.
    package var number: KeyspaceNumber
    /// The name that people use; unique among the keyspaces that exist.
    package var name: String
    /// Ascending by datacenter, each at most once, at least one.
    package var replication: [DatacenterReplication]
    /// What becomes of concurrent writes.
    package var mode: ConflictMode
    /// How long a value lives whose write says nothing, in milliseconds; 0 is for ever.
    package var defaultTimeToLiveMilliseconds: UInt64
    /// The level of a read that names none.
    package var readConsistency: ConsistencyLevel
    /// The level of a write that names none.
    package var writeConsistency: ConsistencyLevel
    /// How its tables are stored.
    package var compression: BlockCompression

    /// A keyspace of these parts.
    package init(
        number: KeyspaceNumber,
        name: String,
        replication: [DatacenterReplication],
        mode: ConflictMode,
        defaultTimeToLiveMilliseconds: UInt64 = 0,
        readConsistency: ConsistencyLevel = .standard,
        writeConsistency: ConsistencyLevel = .standard,
        compression: BlockCompression = .none
    ) {
        self.number = number
        self.name = name
        self.replication = replication
        self.mode = mode
        self.defaultTimeToLiveMilliseconds = defaultTimeToLiveMilliseconds
        self.readConsistency = readConsistency
        self.writeConsistency = writeConsistency
        self.compression = compression
    }

    /// Replicas of one key in `datacenter`, 0 when it has none there.
    package func replicas(in datacenter: DatacenterID) -> Int {
        replication.first { $0.datacenter == datacenter }?.replicas ?? 0
    }

    /// Replicas of one key over all datacenters.
    package var totalReplicas: Int { replication.reduce(0) { $0 + $1.replicas } }
}

/// A keyspace that someone wishes to create, with datacenters by name.
package struct KeyspaceDefinition: Equatable, Sendable {
    /// Replicas in a datacenter of this name.
    package struct Replication: Equatable, Sendable {
        /// The datacenter's name.
        package var datacenter: String
        /// Replicas there.
        package var replicas: Int

        /// `replicas` replicas in `datacenter`.
        package init(datacenter: String, replicas: Int) {
            self.datacenter = datacenter
            self.replicas = replicas
        }
    }

    /// The name it shall have.
    package var name: String
    /// In any order.
    package var replication: [Replication]
    /// What becomes of concurrent writes.
    package var mode: ConflictMode
    /// Milliseconds; 0 is for ever.
    package var defaultTimeToLiveMilliseconds: UInt64
    /// The level of a read that names none.
    package var readConsistency: ConsistencyLevel
    /// The level of a write that names none.
    package var writeConsistency: ConsistencyLevel
    /// How its tables are stored.
    package var compression: BlockCompression

    /// A definition of these parts.
    package init(
        name: String,
        replication: [Replication],
        mode: ConflictMode = .lww,
        defaultTimeToLiveMilliseconds: UInt64 = 0,
        readConsistency: ConsistencyLevel = .standard,
        writeConsistency: ConsistencyLevel = .standard,
        compression: BlockCompression = .none
    ) {
        self.name = name
        self.replication = replication
        self.mode = mode
        self.defaultTimeToLiveMilliseconds = defaultTimeToLiveMilliseconds
        self.readConsistency = readConsistency
        self.writeConsistency = writeConsistency
        self.compression = compression
    }
}
