/// How many replicas must answer before a request counts as done.
///
/// The word only; `QuorumRule` gives it its meaning for a key's replicas.
public enum ConsistencyLevel: Hashable, Sendable {
    /// Any one replica.
    case one
    /// Any two replicas.
    case two
    /// Any three replicas.
    case three
    /// A majority of all replicas, over all datacenters.
    case quorum
    /// Every replica.
    case all
    /// One replica in the coordinator's datacenter.
    case localOne
    /// A majority of the replicas in the coordinator's datacenter.
    case localQuorum
    /// A majority of the replicas in each datacenter.
    case eachQuorum
    /// Exactly this many replicas, anywhere: `r=2`, `w=1`.
    case count(UInt8)

    /// The levels with a name, in the order in which help lists them.
    public static let named: [ConsistencyLevel] = [
        .one, .two, .three, .quorum, .all, .localOne, .localQuorum, .eachQuorum,
    ]

    /// The level of a request that names none: it survives the loss of a datacenter.
    public static let standard = ConsistencyLevel.localQuorum

    /// Whether the level speaks of the coordinator's datacenter, so that no other may serve it.
    public var isLocal: Bool {
        self == .localOne || self == .localQuorum
    }
}

extension ConsistencyLevel: CustomStringConvertible {
    /// `LOCAL_QUORUM`, or the number of a raw level.
    public var description: String {
        switch self {
        case .one: "ONE"
        case .two: "TWO"
        case .three: "THREE"
        case .quorum: "QUORUM"
        case .all: "ALL"
        case .localOne: "LOCAL_ONE"
        case .localQuorum: "LOCAL_QUORUM"
        case .eachQuorum: "EACH_QUORUM"
        case .count(let number): String(number)
        }
    }

    /// Reads a name (any case) or `r=2`, `w=1`; nil when it is neither.
    ///
    /// Raw levels go from 1 to the most replicas a key can have.
    public init?(_ text: String) {
        let upper = text.uppercased()
        if let level = Self.named.first(where: { $0.description == upper }) {
            self = level
        } else if upper.hasPrefix("R=") || upper.hasPrefix("W="),
            let number = UInt8(upper.dropFirst(2)), (1...Limits.replicas).contains(Int(number))
        {
            self = .count(number)
        } else {
            return nil
        }
    }

    /// One byte: 1…8 the named levels, 128 + n the raw level n.
    ///
    /// On the wire: never renumber.
    public var rawValue: UInt8 {
        switch self {
        case .one: 1
        case .two: 2
        case .three: 3
        case .quorum: 4
        case .all: 5
        case .localOne: 6
        case .localQuorum: 7
        case .eachQuorum: 8
        case .count(let number): 128 + number
        }
    }

    /// The level of a byte; nil when there is none.
    public init?(rawValue: UInt8) {
        if rawValue > 128, Int(rawValue) - 128 <= Limits.replicas {
            self = .count(rawValue - 128)
        } else if (1...8).contains(rawValue) {
            self = Self.named[Int(rawValue) - 1]
        } else {
            return nil
        }
    }
}
