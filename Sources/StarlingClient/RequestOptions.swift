public import ClusterPrimitives

/// How one read is to be done.
public struct ReadOptions: Sendable {
    /// Nil stands for the keyspace's read level.
    public var consistency: ConsistencyLevel?
    /// Nil stands for the configuration's.
    public var timeout: Duration?
    /// Whether the answer shall tell what happened.
    public var isTraced = false

    /// The keyspace's level and the configuration's time.
    public init(
        consistency: ConsistencyLevel? = nil,
        timeout: Duration? = nil,
        isTraced: Bool = false
    ) {
        self.consistency = consistency
        self.timeout = timeout
        self.isTraced = isTraced
    }
}

/// How one write is to be done.
public struct WriteOptions: Sendable {
    /// What becomes of a write that meets a newer one.
    public enum Conflict: Sendable {
        /// It is stamped anew, once.
        case restamp
        /// It is left as it is, and the writer is told.
        case fail
    }

    /// Nil stands for the keyspace's write level.
    public var consistency: ConsistencyLevel?
    /// Nil stands for the configuration's.
    public var timeout: Duration?
    /// Whether the answer shall tell what happened.
    public var isTraced = false
    /// The context of the read that the write follows; empty for none.
    ///
    /// What removes without one removes what a read at the level of the write sees.
    public var context: [UInt8] = []
    /// How long the value lives; nil stands for the keyspace's lifetime.
    ///
    /// Only of values: counters, sets and maps do not expire.
    public var lifetime: Duration?
    /// The stamp of the write, in place of the coordinator's; at most 500 ms from the coordinator's
    /// clock, never 0, and only in lww keyspaces.
    ///
    /// A write that lies below what the key holds is told as lost, not stamped anew.
    public var timestamp: WallClockTime?
    /// What becomes of a write that meets a newer one; siblings, counters, sets and maps never do.
    public var conflict = Conflict.restamp
    /// Whether a write whose outcome is unknown is sent again while there is time.
    ///
    /// Safe where the same key gets the same value and no one else writes it. Without effect where
    /// siblings are kept, and on increments, which are repeated if they have an operation's id.
    public var retriesUnknownOutcome = false

    /// The keyspace's level and the configuration's time.
    public init(
        consistency: ConsistencyLevel? = nil,
        timeout: Duration? = nil,
        isTraced: Bool = false
    ) {
        self.consistency = consistency
        self.timeout = timeout
        self.isTraced = isTraced
    }
}

/// How a page of a scan is to be read.
public struct ScanOptions: Sendable {
    /// Nil stands for the keyspace's read level.
    public var consistency: ConsistencyLevel?
    /// Nil stands for the configuration's.
    public var timeout: Duration?
    /// The most entries of a page: 1,000; at most 10,000.
    public var maximumEntries = 1000
    /// The most bytes of a page: 1 MiB; at most 4 MiB, which one entry may exceed.
    public var maximumSize = 1024 * 1024
    /// Only keys that begin with these bytes; every key is visited nonetheless.
    public var prefix: [UInt8] = []
    /// Whether values are left out.
    public var keysOnly = false

    /// The keyspace's level, the configuration's time, all entries.
    public init(consistency: ConsistencyLevel? = nil, timeout: Duration? = nil) {
        self.consistency = consistency
        self.timeout = timeout
    }
}
