internal import ClusterPrimitives

/// Deals the equal slots of one datacenter's circle out to its members.
///
/// A token's replicated ownership reaches back from it to where a walk would find enough other
/// racks or nodes first. With equal slots it is the same for all when racks alternate evenly and
/// a member's slots lie no closer than the others'. So slots are dealt greedily: the rack that is
/// furthest behind its share, in it a member not dealt just before, with the fewest slots so
/// far. Ties are drawn, so that a lost member's load spreads over many neighbours.
struct SlotAssignment {
    /// Fixed, because the founding of a cluster is a pure function of its members.
    private static let seed: UInt64 = 0x5354_4152_4C49_4E47
    /// The replicas per datacenter for which slots are balanced; most keyspaces have three.
    private static let replicas = 3

    /// The members of each rack, in order of first appearance.
    private let racks: [[Int]]
    private let memberCount: Int

    /// Members 0, 1, … stand in the racks of these names.
    init(racks names: [String]) {
        var numbers: [String: Int] = [:]
        var racks: [[Int]] = []
        for (member, name) in names.enumerated() {
            if let number = numbers[name] {
                racks[number].append(member)
            } else {
                numbers[name] = racks.count
                racks.append([member])
            }
        }
        self.racks = racks
        memberCount = names.count
    }

    /// The member that each slot goes to, clockwise.
    func assigned(perMember: Int) -> [Int] {
        var random = SeededRandom(seed: Self.seed)
        var slots: [Int] = []
        var dealt = [Int](repeating: 0, count: memberCount)
        var dealtInRack = [Int](repeating: 0, count: racks.count)
        var lastSlot = [Int](repeating: Int.min / 2, count: memberCount)
        for slot in 0..<(memberCount * perMember) {
            let rack = rackBehindMost(dealtInRack)
            var ties: [Int] = []
            var best = (Int.max, Int.max)
            for member in racks[rack] where dealt[member] < perMember {
                let gap = slot - lastSlot[member]
                let score = (dealt[member], max(0, spacing(racks[rack].count) - gap))
                if score < best {
                    best = score
                    ties = [member]
                } else if score == best {
                    ties.append(member)
                }
            }
            let member = random.pick(ties)
            slots.append(member)
            dealt[member] += 1
            dealtInRack[rack] += 1
            lastSlot[member] = slot
        }
        return slots
    }

    /// Slots that should lie between two of one member, if there are enough members in its rack.
    private func spacing(_ members: Int) -> Int {
        memberCount / members * min(members, Self.replicas)
    }

    /// The rack with the smallest share of its slots dealt; the first of equals.
    private func rackBehindMost(_ dealt: [Int]) -> Int {
        var best = 0
        for rack in racks.indices.dropFirst()
        where dealt[rack] * racks[best].count < dealt[best] * racks[rack].count {
            best = rack
        }
        return best
    }
}
