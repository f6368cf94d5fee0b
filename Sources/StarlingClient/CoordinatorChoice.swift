internal import ClusterPrimitives

/// In which order nodes are asked to coordinate a request.
///
/// A level that speaks of the local datacenter never leaves it. Other levels prefer the local
/// datacenter's replicas of the key, then its other nodes, then remote replicas, then the rest;
/// a node that is no replica forwards. Nodes that lately could not be reached, or did not answer,
/// come last.
struct CoordinatorChoice {
    /// A node that may coordinate.
    struct Candidate: Hashable {
        /// Where it listens for clients.
        var endpoint: Endpoint
        /// The name its certificate must carry, where that is known.
        var name: String?
        /// Its datacenter, where that is known.
        var datacenter: String?
        /// Whether it holds the key.
        var isReplica = false
        /// Whether it lately could not be reached, or did not answer.
        var isAvoided = false
    }

    /// What *local* means; nil prefers no one.
    var localDatacenter: String?
    /// Whether nodes elsewhere must not be asked.
    var isLocalOnly: Bool

    /// The candidates that may be asked, best first.
    ///
    /// The rotation moves on the place to begin at within each group of equals, so that load
    /// spreads over them.
    func order(_ candidates: [Candidate], rotation: Int) -> [Candidate] {
        var groups: [[Candidate]] = Array(repeating: [], count: 8)
        for candidate in candidates where !isLocalOnly || isLocal(candidate) {
            groups[rank(of: candidate)].append(candidate)
        }
        return groups.flatMap { group in
            guard group.count > 1 else { return group }
            let first = rotation.magnitude % UInt(group.count)
            return Array(group[Int(first)...] + group[..<Int(first)])
        }
    }

    private func isLocal(_ candidate: Candidate) -> Bool {
        localDatacenter == nil || candidate.datacenter == localDatacenter
    }

    private func rank(of candidate: Candidate) -> Int {
        (candidate.isAvoided ? 4 : 0) + (isLocal(candidate) ? 0 : 2)
            + (candidate.isReplica ? 0 : 1)
    }
}
