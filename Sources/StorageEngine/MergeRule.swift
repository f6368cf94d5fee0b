/// How two values of one key become one, and which of them may be forgotten.
///
/// Values of a key meet on insertion, on reading and in compaction, in any order and grouping, so
/// the rule must be associative, commutative and idempotent.
public struct MergeRule: Sendable {
    /// What comes of two values.
    public enum Join: Equatable, Sendable {
        /// The value that is there says it all.
        case keepExisting
        /// The one that comes in says it all.
        case takeIncoming
        /// Neither does.
        case merged([UInt8])
    }

    /// The name under which the manifest remembers a tree's rule.
    public let name: String
    /// Joins two values; must be quick and not call the engine.
    public let join: @Sendable (_ existing: RawSpan, _ incoming: RawSpan) -> Join
    /// Whether of two values with different stamps the one with the larger stamp says it all.
    ///
    /// Then a read need not look at tables that are older than what it has found.
    public let newestStampWins: Bool
    /// From when on a value stands for nothing.
    ///
    /// 0 for a tombstone, the time of its expiry for a value that has one, nil for one that stays.
    /// The unit is the owner's.
    public let droppableFrom: @Sendable (_ value: RawSpan) -> UInt64?
    /// A digest of the value's version, which equal values share; nil if the tree's tables are to
    /// have no version index.
    public let versionDigest: (@Sendable (_ value: RawSpan) -> UInt64)?

    /// Whether the engine stamps the entries of such trees itself, in the order of the log.
    let isOverwrite: Bool

    /// A rule under a name of at most 255 bytes.
    public init(
        name: String,
        newestStampWins: Bool = false,
        droppableFrom: @escaping @Sendable (_ value: RawSpan) -> UInt64? = { _ in nil },
        versionDigest: (@Sendable (_ value: RawSpan) -> UInt64)? = nil,
        join: @escaping @Sendable (_ existing: RawSpan, _ incoming: RawSpan) -> Join
    ) {
        precondition(name.utf8.count <= 255, "the name of a rule is longer than 255 bytes")
        self.name = name
        self.join = join
        self.newestStampWins = newestStampWins
        self.droppableFrom = droppableFrom
        self.versionDigest = versionDigest
        isOverwrite = false
    }

    private init(overwriteNamed name: String) {
        self.name = name
        join = { _, _ in .takeIncoming }
        newestStampWins = true
        droppableFrom = { _ in nil }
        versionDigest = nil
        isOverwrite = true
    }

    /// The later write replaces the earlier, and may delete the key.
    ///
    /// The engine numbers the records of such trees in the order of the log and stamps each with
    /// twice its number, plus one for a deletion; the stamp that the caller gives is not used.
    public static let overwrite = MergeRule(overwriteNamed: "overwrite")

    /// Whether an entry deletes its key.
    func isDeletion(_ stamp: UInt64) -> Bool { isOverwrite && stamp & 1 == 1 }

    /// From when on an entry stands for nothing, or nil.
    func droppableFrom(_ value: RawSpan, stamp: UInt64) -> UInt64? {
        isOverwrite ? (isDeletion(stamp) ? 0 : nil) : droppableFrom(value)
    }

    /// Whether the incoming of two entries replaces the other as a whole, the other way round, or
    /// neither.
    func join(
        _ existing: RawSpan,
        stamp existingStamp: UInt64,
        _ incoming: RawSpan,
        stamp incomingStamp: UInt64
    ) -> Join {
        if newestStampWins, existingStamp != incomingStamp {
            return existingStamp < incomingStamp ? .takeIncoming : .keepExisting
        }
        return join(existing, incoming)
    }
}
