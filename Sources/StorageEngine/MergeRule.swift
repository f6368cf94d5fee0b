/// How two values of one key become one.
///
/// Values of a key meet on insertion and on reading, in runs that were written one after another.
/// The rule must be associative and idempotent; unless its owner applies the batches of a key in
/// the order of their positions, it must be commutative too.
public struct MergeRule: Sendable {
    /// What comes of two values.
    public enum Join: Equatable, Sendable {
        /// The earlier value says it all.
        case keepExisting
        /// The later value says it all.
        case takeIncoming
        /// Neither does.
        case merged([UInt8])
    }

    /// The name under which the manifest remembers a tree's rule.
    public let name: String
    /// Joins the earlier value with the later; must be quick and not call the engine.
    public let join: @Sendable (_ existing: RawSpan, _ incoming: RawSpan) -> Join

    /// A rule under a name of at most 255 bytes.
    public init(
        name: String,
        join: @escaping @Sendable (_ existing: RawSpan, _ incoming: RawSpan) -> Join
    ) {
        precondition(name.utf8.count <= 255, "the name of a rule is longer than 255 bytes")
        self.name = name
        self.join = join
        isOverwrite = false
    }

    /// Whether the earlier value never matters, so that nobody need look for it.
    let isOverwrite: Bool

    private init(overwriteNamed name: String) {
        self.name = name
        join = { _, _ in .takeIncoming }
        isOverwrite = true
    }

    /// The later value replaces the earlier.
    public static let overwrite = MergeRule(overwriteNamed: "overwrite")
}
