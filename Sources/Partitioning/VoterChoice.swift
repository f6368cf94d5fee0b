internal import ClusterPrimitives

/// Chooses the members whose majority decides on the next epoch.
enum VoterChoice {
    /// All members while there are at most `limit`, else `limit` of them; ascending.
    ///
    /// Each is taken in the datacenter with the fewest voters so far, there in the rack with the
    /// fewest, there by the lowest number.
    static func voters(among members: [Member], limit: Int) -> [NodeID] {
        guard members.count > limit else { return members.map(\.id).sorted() }
        var chosen: [Member] = []
        var rest = members.sorted { $0.id < $1.id }
        for _ in 0..<limit {
            let scores = rest.map { candidate in
                let neighbours = chosen.filter { $0.datacenter == candidate.datacenter }
                return (neighbours.count, neighbours.count { $0.rack == candidate.rack })
            }
            guard let best = rest.indices.min(by: { scores[$0] < scores[$1] }) else { break }
            chosen.append(rest.remove(at: best))
        }
        return chosen.map(\.id).sorted()
    }
}
