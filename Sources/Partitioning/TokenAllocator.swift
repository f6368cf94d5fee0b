internal import ClusterPrimitives

/// Gives the members of a new cluster their tokens.
enum TokenAllocator {
    /// Where a member stands.
    struct Place {
        /// Index of its datacenter.
        var datacenter: Int
        /// Its rack.
        var rack: String
    }

    /// The tokens of each member, ascending; all distinct, none is `Token.min`.
    static func tokens(
        for places: [Place],
        perMember: Int,
        allocation: TokenAllocation
    ) -> [[Token]] {
        switch allocation {
        case .random(let seed): random(count: places.count, perMember: perMember, seed: seed)
        case .allocated: allocated(for: places, perMember: perMember)
        }
    }

    private static func random(count: Int, perMember: Int, seed: UInt64) -> [[Token]] {
        var random = SeededRandom(seed: seed)
        var used: Set<Token> = [.min]
        return (0..<count).map { _ in
            var tokens: [Token] = []
            while tokens.count < perMember {
                let token = Token(Int64(bitPattern: random.next()))
                if used.insert(token).inserted { tokens.append(token) }
            }
            return tokens.sorted()
        }
    }

    private static func allocated(for places: [Place], perMember: Int) -> [[Token]] {
        var tokens = [[Token]](repeating: [], count: places.count)
        var used: Set<Token> = [.min]
        let datacenters = (places.map(\.datacenter).max() ?? 0) + 1
        for datacenter in 0..<datacenters {
            let members = places.indices.filter { places[$0].datacenter == datacenter }
            let order = SlotAssignment(racks: members.map { places[$0].rack })
                .assigned(perMember: perMember)
            for (slot, member) in order.enumerated() {
                // The datacenters' slots are shifted against each other by a fraction of a slot.
                let numerator = UInt128(2 * (slot * datacenters + datacenter) + 1) << 64
                let point = numerator / UInt128(2 * order.count * datacenters)
                var token = Token(ordered: UInt64(truncatingIfNeeded: point))
                // Datacenters of different sizes may still meet.
                while !used.insert(token).inserted { token = Token(token.rawValue &+ 1) }
                tokens[members[member]].append(token)
            }
        }
        return tokens.map { $0.sorted() }
    }
}
