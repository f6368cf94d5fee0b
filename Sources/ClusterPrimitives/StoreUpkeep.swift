/// Work on the files of a node's store that an operator asks for.
public enum StoreUpkeep: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    // On the wire: never renumber.

    /// What is in memory becomes tables.
    case flush = 1
    /// All tables are merged, so that no key is in two of them.
    case compact = 2
    /// Every table is read and its checksums are compared; nothing is changed.
    case verify = 3
    /// Every table is verified, and each damaged one is written anew from what is whole of it.
    case scrub = 4

    /// The name that commands and documents use.
    public var description: String {
        switch self {
        case .flush: "flush"
        case .compact: "compact"
        case .verify: "verify"
        case .scrub: "scrub"
        }
    }
}
