import ClusterPrimitives
import Partitioning

/// Which levels work now, and for what share of a keyspace's keys.
struct Availability: Equatable {
    /// One level of one keyspace.
    struct Line: Equatable {
        /// The keyspace's name.
        var keyspace: String
        /// The level.
        var level: ConsistencyLevel
        /// The share of the token space whose reads can reach the level, 0…1.
        var reads: Double
        /// The share of the token space whose writes can reach the level, 0…1.
        var writes: Double
    }

    /// Keyspace by keyspace; levels that the keyspace can never reach are left out.
    var lines: [Line] = []

    /// Computes what can be reached.
    ///
    /// - Parameters:
    ///   - topology: members and keyspaces.
    ///   - ring: a keyspace's placement.
    ///   - readable: members that can serve reads.
    ///   - writable: members that can take writes.
    ///   - local: what the local levels mean; without it they are left out.
    init(
        of topology: Topology,
        ring: (Keyspace) -> Ring,
        readable: Set<NodeID>,
        writable: Set<NodeID>,
        local: DatacenterID?
    ) {
        var homes: [NodeID: DatacenterID] = [:]
        for member in topology.members { homes[member.id] = member.datacenter }
        for keyspace in topology.keyspaces {
            let ranges = ring(keyspace).ranges
            for level in ConsistencyLevel.named {
                let rule = LevelRule(level: level, keyspace: keyspace, local: local)
                guard rule.isPossible else { continue }
                func share(_ usable: Set<NodeID>) -> Double {
                    ranges.reduce(0) { sum, entry in
                        let alive = entry.replicas.filter(usable.contains)
                            .compactMap { homes[$0] }
                        return rule.isMet(by: alive) ? sum + entry.range.share : sum
                    }
                }
                lines.append(
                    Line(
                        keyspace: keyspace.name,
                        level: level,
                        reads: share(readable),
                        writes: share(writable)
                    )
                )
            }
        }
    }

    /// One sentence for an operator: what works, and what fails for how many keys.
    func sentence(unusable: [(state: String, count: Int)], nodes: Int) -> String {
        let opening =
            unusable.isEmpty
            ? (nodes == 1 ? "The node is up" : "All \(nodes) nodes are up")
            : unusable.map { "\($0.count) \($0.count == 1 ? "node is" : "nodes are") \($0.state)" }
                .joined(separator: ", ")
        guard !lines.isEmpty else { return opening + "; there is no keyspace yet." }
        var working: [String] = []
        var failing: [(share: String, levels: [String])] = []
        for level in ConsistencyLevel.named {
            // Told of the keyspace and direction that is worst off.
            let worst = lines.filter { $0.level == level }.map { min($0.reads, $0.writes) }.min()
            guard let worst else { continue }
            if worst >= 1 - 1e-9 {
                working.append(level.description)
                continue
            }
            let share = Figures.roughShare(1 - worst)
            if let index = failing.firstIndex(where: { $0.share == share }) {
                failing[index].levels.append(level.description)
            } else {
                failing.append((share, [level.description]))
            }
        }
        guard !failing.isEmpty else { return opening + ": every level works." }
        var parts: [String] = []
        if !working.isEmpty {
            parts.append(Self.list(working) + (working.count == 1 ? " works" : " work"))
        }
        for group in failing {
            parts.append(
                Self.list(group.levels) + (group.levels.count == 1 ? " fails" : " fail")
                    + " for \(group.share) of keys"
            )
        }
        return opening + ": " + parts.joined(separator: "; ") + "."
    }

    private static func list(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }
}

/// What a level asks of a keyspace's replicas.
private struct LevelRule {
    /// Replicas that must be there: in one datacenter, or anywhere.
    private struct Need {
        var datacenter: DatacenterID?
        var replicas: Int
    }

    private var needs: [Need] = []
    /// Whether the keyspace has so many replicas.
    private(set) var isPossible = true

    init(level: ConsistencyLevel, keyspace: Keyspace, local: DatacenterID?) {
        let total = keyspace.totalReplicas
        switch level {
        case .one: need(1, of: total)
        case .two: need(2, of: total)
        case .three: need(3, of: total)
        case .count(let number): need(Int(number), of: total)
        case .quorum: need(total / 2 + 1, of: total)
        case .all: need(total, of: total)
        case .localOne, .localQuorum:
            guard let local else {
                isPossible = false
                return
            }
            let here = keyspace.replicas(in: local)
            need(level == .localOne ? 1 : here / 2 + 1, of: here, in: local)
        case .eachQuorum:
            for entry in keyspace.replication {
                need(entry.replicas / 2 + 1, of: entry.replicas, in: entry.datacenter)
            }
        }
    }

    private mutating func need(
        _ replicas: Int,
        of available: Int,
        in datacenter: DatacenterID? = nil
    ) {
        if replicas > available || available == 0 { isPossible = false }
        needs.append(Need(datacenter: datacenter, replicas: replicas))
    }

    func isMet(by alive: [DatacenterID]) -> Bool {
        needs.allSatisfy { need in
            guard let datacenter = need.datacenter else { return alive.count >= need.replicas }
            return alive.count { $0 == datacenter } >= need.replicas
        }
    }
}
