public import ClusterPrimitives

/// What a read found.
public struct GetResult: Equatable, Sendable {
    /// The values: none where the key is absent, more than one only where siblings are kept.
    public let values: [StoredValue]
    /// What the reader has now seen: opaque, for a write that follows; empty where there is none.
    public let context: [UInt8]
    /// The level at which it was read; nil for a node's own copy.
    public let consistency: ConsistencyLevel?
    /// Name of the node that coordinated.
    public let coordinator: String
    /// How many replicas had to answer.
    public let required: Int
    /// How many had answered.
    public let responded: Int
    /// How many replicas were behind and have been repaired.
    public let repaired: Int
    /// What happened, where it was asked for.
    public let trace: [TraceEntry]
}

/// What became of a write that reached its level.
public struct PutResult: Equatable, Sendable {
    /// Whether a newer write was in the way.
    public enum Shadowed: String, Sendable {
        /// None was met.
        case no
        /// One was; the write was stamped anew and won.
        case restamped
        /// One was, and it wins.
        case lost
    }

    /// The write's version.
    public let version: ValueVersion
    /// The version that shadows it, where `shadowed` is `lost`.
    public let winner: ValueVersion?
    /// What the writer has now seen: opaque, for a write that follows.
    public let context: [UInt8]
    /// The level at which it was written.
    public let consistency: ConsistencyLevel?
    /// Name of the node that coordinated.
    public let coordinator: String
    /// How many replicas had acknowledged when the answer was made.
    public let acknowledged: Int
    /// How many had to.
    public let required: Int
    /// Whether a newer write was in the way.
    public let shadowed: Shadowed
    /// What happened, where it was asked for.
    public let trace: [TraceEntry]
}

/// One page of a scan.
public struct ScanPage: Equatable, Sendable {
    /// One key and its value.
    public struct Entry: Equatable, Sendable {
        /// The key.
        public let key: [UInt8]
        /// Its value; the bytes are empty where only keys were asked for.
        public let value: StoredValue
    }

    /// Entries in (token, key) order; may be empty though more follow.
    public let entries: [Entry]
    /// Where to go on; nil at the end of the keyspace.
    public let next: ScanPosition?
    /// How many copies were behind and have been repaired.
    public let repaired: Int
}
