import ClusterPrimitives

/// What a consistency level asks of a key's replicas, counted by datacenter.
///
/// The checkers' own arithmetic, on purpose not the one that is checked.
struct Requirement: Equatable {
    /// So many of all replicas; 0 when it speaks of datacenters.
    var total = 0
    /// So many in each datacenter; 0 where it asks nothing.
    var local: [Int]

    /// What `level` asks of replicas, so many in each datacenter, of a coordinator in
    /// `datacenter`; nil where they cannot meet it.
    init?(_ level: ConsistencyLevel, in datacenter: Int, of replicas: [Int]) {
        let count = replicas.reduce(0, +)
        local = Array(repeating: 0, count: replicas.count)
        switch level {
        case .one: total = 1
        case .two: total = 2
        case .three: total = 3
        case .count(let number): total = Int(number)
        case .quorum: total = count / 2 + 1
        case .all: total = count
        case .localOne: local[datacenter] = 1
        case .localQuorum: local[datacenter] = replicas[datacenter] / 2 + 1
        case .eachQuorum: local = replicas.map { $0 / 2 + 1 }
        }
        if total > count { return nil }
    }

    /// Whether any replicas that meet this share one with any that meet the other; with `spare`
    /// one, a second one too.
    func intersects(_ other: Requirement, of replicas: [Int], spare: Int = 0) -> Bool {
        let count = replicas.reduce(0, +)
        if total > 0 || other.total > 0 {
            let mine = total > 0 ? total : local.reduce(0, +)
            let theirs = other.total > 0 ? other.total : other.local.reduce(0, +)
            return mine + theirs > count + spare
        }
        return replicas.indices.contains { local[$0] + other.local[$0] > replicas[$0] + spare }
    }

    /// Whether so many replicas in each datacenter meet it.
    func isMet(by counts: [Int]) -> Bool {
        if counts.reduce(0, +) < total { return false }
        return counts.indices.allSatisfy { counts[$0] >= local[$0] }
    }
}
