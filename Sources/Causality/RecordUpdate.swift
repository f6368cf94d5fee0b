import ByteCoding
public import ClusterPrimitives

/// A change of one key, which one of its replicas makes to its own copy and then passes on.
public enum RecordUpdate: Equatable, Sendable {
    /// Writes a value, in place of those that the context has seen: siblings.
    case put(value: [UInt8], expiry: WallClockTime?)
    /// Deletes what the context has seen; without one, of siblings nothing, of the others all
    /// that the copy holds.
    case delete
    /// Counts an amount; under an id, which is not empty then, only once.
    case increment(Int64, id: [UInt8], CounterDirection)
    /// Adds elements to a set.
    case add([[UInt8]])
    /// Removes elements from a set, as far as the context has seen them.
    case remove([[UInt8]])
    /// Changes a field of a map.
    case change(field: [UInt8], MapUpdate)
    /// Removes a field of a map, as far as the context has seen it.
    case removeField(MapFieldName)
    /// Folds entries of a counter that are older than a timestamp into its totals, as far as the
    /// states of all replicas allow it, which were read since.
    case fold(replicas: [[UInt8]], olderThan: HybridTimestamp)

    /// Whether making it twice, wherever, comes to the same as making it once.
    public var isRepeatable: Bool {
        switch self {
        case .put, .change(_, .increment): false
        case .increment(_, let id, _): !id.isEmpty
        case .delete, .add, .remove, .change, .removeField, .fold: true
        }
    }

    /// Whether it only takes away, so that a disk's reserve is there for it.
    public var isRemoval: Bool {
        switch self {
        case .delete, .remove, .removeField: true
        case .put, .increment, .add, .change, .fold: false
        }
    }
}

/// What has to be known before an update can be made.
public enum UpdateFooting: Sendable {
    /// Nothing: it joins whatever is there.
    case nothing
    /// What its context names.
    case context
    /// What is there, on as many replicas as the level asks for.
    case copies
}

/// What the one who asked for an update is told.
public struct UpdateAnswer: Equatable, Sendable {
    /// What the writer has seen now: what it had seen before and its own write, and nothing that
    /// it has not seen, so that a write that follows replaces no more than that.
    public var context: CausalContext
    /// Values that a reader sees now, in siblings; 0 in other modes.
    public var siblings: Int
    /// The sum, of a counter; 0 in other modes.
    public var sum: Int64
    /// Whether entries of a counter could be folded, as far as this copy tells.
    public var isFoldable: Bool
    /// Whether the copy grows beyond the size from which on the operator is warned.
    public var isLarge = false

    /// An answer of these parts.
    public init(
        context: CausalContext,
        siblings: Int = 0,
        sum: Int64 = 0,
        isFoldable: Bool = false
    ) {
        self.context = context
        self.siblings = siblings
        self.sum = sum
        self.isFoldable = isFoldable
    }
}

/// What became of an update of a copy.
public enum UpdateOutcome: Equatable, Sendable {
    /// A record to be joined with the copy, and with the other replicas'.
    case changed(record: [UInt8], UpdateAnswer)
    /// The copy says all of it already; it must be on as many replicas as the level asks for
    /// before that is answered.
    case unchanged(UpdateAnswer)
    /// Nothing was done.
    case refused(UpdateRefusal)
}

/// Why an update was not made.
public enum UpdateRefusal: Equatable, Sendable {
    /// The copy holds this version, which the write's stamp does not exceed: stamp it anew.
    case stale(Version)
    /// The context has events that the copy has not heard of: join the other replicas' first.
    case behind
    /// So many values would be kept, more than are allowed.
    case tooManySiblings(Int)
    /// The record would have so many bytes, more than are allowed.
    case tooLarge(Int)
    /// Too many operations' ids of the counter are remembered.
    case tooManyIDs
    /// A part of it is not allowed: what, as the end of a sentence.
    case invalid(String)
    /// The actor's numbers, or a counter's range, are used up.
    case exhausted
    /// The copy is no record of the mode, or the update none for it.
    case unreadable
}

/// Who changes a copy, and when.
public struct UpdateTerms: Sendable {
    /// The stamp of the write.
    public var version: Version
    /// Who mints its dots.
    public var actor: ActorID
    /// The coordinator's time, for what has expired.
    public var wall: WallClockTime
    /// The most bytes of a record that an update may make, where it keeps more than one value.
    public var maximumSize: Int
    /// The actors in whose name this node minted before: they mint no more.
    public var earlier: Set<ActorID>
    /// Operations' ids of counters from before this are not needed any more.
    public var idsFrom: HybridTimestamp

    /// Terms with these parts.
    public init(
        version: Version,
        actor: ActorID,
        wall: WallClockTime,
        maximumSize: Int,
        earlier: Set<ActorID> = [],
        idsFrom: HybridTimestamp = .zero
    ) {
        self.version = version
        self.actor = actor
        self.wall = wall
        self.maximumSize = maximumSize
        self.earlier = earlier
        self.idsFrom = idsFrom
    }
}
