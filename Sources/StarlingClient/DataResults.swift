public import ClusterPrimitives

/// What a read found.
public struct GetResult: Equatable, Sendable {
    /// What the key holds.
    public let contents: StoredContents
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

    /// The values: none where the key is absent or holds something else, more than one only where
    /// siblings are kept.
    public var values: [StoredValue] { contents.values }
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
    /// How many values the coordinator holds of the key now, where siblings are kept; else 0.
    ///
    /// Other replicas may hold more; a read at a level tells what they hold.
    public let siblings: Int
    /// The sum of a counter as the coordinator knows it now; else 0.
    public let sum: Int64
    /// What happened, where it was asked for.
    public let trace: [TraceEntry]
}

/// One page of a scan.
public struct ScanPage: Equatable, Sendable {
    /// One key and what it holds.
    public struct Entry: Equatable, Sendable {
        /// The key.
        public let key: [UInt8]
        /// What it holds; where only keys were asked for, the bytes of values are empty, and
        /// sums, sets and maps are those of an absent key.
        public let contents: StoredContents
    }

    /// Entries in (token, key) order; may be empty though more follow.
    public let entries: [Entry]
    /// Where to go on; nil at the end of the keyspace.
    public let next: ScanPosition?
    /// How many copies were behind and have been repaired.
    public let repaired: Int
}
