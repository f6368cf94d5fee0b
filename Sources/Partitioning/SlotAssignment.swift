internal import ClusterPrimitives

/// Deals the equal slots of one datacenter's circle out to its members.
///
/// A token's replicated ownership reaches back from it to where a walk would find enough other
/// racks or nodes first; with equal slots it is a number of slots. They are dealt greedily,
/// clockwise: to the rack that is furthest behind its share; in it, among the members with the
/// fewest slots, to the one that keeps what they own alike. Ties are drawn, so that a lost
/// member's load spreads over many neighbours.
struct SlotAssignment {
    /// Fixed, because the founding of a cluster is a pure function of its members.
    private static let seed: UInt64 = 0x5354_4152_4C49_4E47
    /// The replicas per datacenter for which slots are balanced; most keyspaces have three.
    private static let replicas = 3

    /// The members of each rack, in order of first appearance.
    private let racks: [[Int]]
    private let rackOfMember: [Int]

    /// Members 0, 1, … stand in the racks of these names.
    init(racks names: [String]) {
        var numbers: [String: Int] = [:]
        var racks: [[Int]] = []
        var rackOfMember: [Int] = []
        for (member, name) in names.enumerated() {
            let number = numbers[name] ?? racks.count
            if number == racks.count {
                numbers[name] = number
                racks.append([])
            }
            racks[number].append(member)
            rackOfMember.append(number)
        }
        self.racks = racks
        self.rackOfMember = rackOfMember
    }

    /// The member that each slot goes to, clockwise.
    func assigned(perMember: Int) -> [Int] {
        var random = SeededRandom(seed: Self.seed)
        var slots: [Int] = []
        var dealt = [Int](repeating: 0, count: rackOfMember.count)
        var owned = dealt
        var dealtInRack = [Int](repeating: 0, count: racks.count)
        var ownedInRack = dealtInRack
        for _ in 0..<(rackOfMember.count * perMember) {
            let rack = rackBehindMost(dealtInRack)
            let fewest = racks[rack].map { dealt[$0] }.min() ?? 0
            let spans = racks[rack].filter { dealt[$0] == fewest }
                .map { (member: $0, span: span(of: $0, behind: slots)) }
            // A slot that lies close behind one of the same member is worth less to it.
            let longest = spans.map(\.span).max() ?? 0
            let open = spans.filter { $0.span == longest }.map(\.member)
            // A long slot goes to who owns least, a short one to who owns most.
            let isLong = longest * dealtInRack[rack] >= ownedInRack[rack]
            let amounts = open.map { owned[$0] }
            let wanted = isLong ? amounts.min() : amounts.max()
            let member = random.pick(open.filter { owned[$0] == wanted })
            slots.append(member)
            dealt[member] += 1
            owned[member] += longest
            dealtInRack[rack] += 1
            ownedInRack[rack] += longest
        }
        return slots
    }

    /// How many slots, itself included, the next one holds replicas of if it is `member`'s.
    private func span(of member: Int, behind slots: [Int]) -> Int {
        let isByRack = racks.count >= Self.replicas
        func group(_ member: Int) -> Int { isByRack ? rackOfMember[member] : member }
        let own = group(member)
        var others: [Int] = []
        var count = 1
        for other in slots.reversed() {
            let met = group(other)
            if met == own { break }
            if !others.contains(met) { others.append(met) }
            if others.count == Self.replicas { break }
            count += 1
        }
        return count
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
