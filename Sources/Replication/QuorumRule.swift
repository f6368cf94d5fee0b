package import ClusterPrimitives

/// What a consistency level means for the replicas of one key.
///
/// A rule is a list of clauses, each "so many of these replicas"; it is met when all are. A
/// majority over everything, one of the local datacenter, and a majority in each datacenter are
/// then one and the same arithmetic.
package struct QuorumRule: Sendable {
    /// So many of these replicas.
    package struct Clause: Sendable {
        /// The replicas that count.
        package var replicas: ReplicaBits
        // Small, since every open request carries eight of these.
        private var least: UInt8
        /// The datacenter it speaks of; nil for all.
        package var datacenter: DatacenterID?

        init(replicas: ReplicaBits, required: Int, datacenter: DatacenterID? = nil) {
            self.replicas = replicas
            least = UInt8(clamping: required)
            self.datacenter = datacenter
        }

        /// How many of them have to answer, at most as many as there are.
        package var required: Int {
            get { Int(least) }
            set { least = UInt8(clamping: newValue) }
        }

        /// How many of `bits` count.
        package func counted(_ bits: ReplicaBits) -> Int {
            bits.intersection(replicas).count
        }
    }

    private var storage: InlineArray<8, Clause>
    /// How many clauses there are, at least one.
    package private(set) var count: Int

    private init() {
        storage = InlineArray(repeating: Clause(replicas: ReplicaBits(), required: 0))
        count = 0
    }

    private mutating func add(_ clause: Clause) {
        storage[count] = clause
        count += 1
    }

    /// The clause at `index`.
    package subscript(index: Int) -> Clause { storage[index] }

    /// Whether every clause has its answers, if exactly `bits` answered.
    package func isMet(by bits: ReplicaBits) -> Bool {
        for index in 0..<count
        where storage[index].counted(bits) < storage[index].required {
            return false
        }
        return true
    }

    /// The rule with one answer less in each clause that asks for more than one: a planted bug.
    package func weakened() -> QuorumRule {
        var weaker = self
        for index in 0..<count where storage[index].required > 1 {
            weaker.storage[index].required -= 1
        }
        return weaker
    }

    /// How many answers it needs in all.
    package var required: Int {
        var sum = 0
        for index in 0..<count { sum += storage[index].required }
        return sum
    }

    /// How many of `bits` count towards it.
    package func counted(_ bits: ReplicaBits) -> Int {
        var counting = ReplicaBits()
        for index in 0..<count { counting = counting.union(storage[index].replicas) }
        return bits.intersection(counting).count
    }

    /// The least set of `candidates`, taken in the order given, that meets the rule; nil when all
    /// of them together do not.
    ///
    /// `order` has places in the plan, best first; those not usable are left out.
    package func leastSet(inOrder order: some Sequence<Int>) -> ReplicaBits? {
        var chosen = ReplicaBits()
        for index in order {
            var helps = false
            for clause in 0..<count
            where storage[clause].replicas.contains(index)
                && storage[clause].counted(chosen) < storage[clause].required
            {
                helps = true
            }
            if helps { chosen.insert(index) }
        }
        return isMet(by: chosen) ? chosen : nil
    }

    /// The rule of a level, or why there is none.
    package enum Outcome: Sendable {
        /// The level's rule.
        case rule(QuorumRule)
        /// The keyspace's replication cannot meet the level even when every node is up.
        case impossible(required: Int, replicas: Int, datacenter: DatacenterID?)
    }

    /// A majority of `count`.
    package static func quorum(of count: Int) -> Int { count / 2 + 1 }

    /// The rule of `level` for a key whose replicas are those of `plan`.
    ///
    /// `local` is the coordinator's datacenter, which `LOCAL_ONE` and `LOCAL_QUORUM` mean.
    package static func make(
        _ level: ConsistencyLevel,
        plan: ReplicaPlan,
        local: DatacenterID
    ) -> Outcome {
        let all = ReplicaBits(first: plan.count)
        func total(_ required: Int) -> Outcome {
            guard required <= plan.count, required > 0 else {
                return .impossible(required: required, replicas: plan.count, datacenter: nil)
            }
            var rule = QuorumRule()
            rule.add(Clause(replicas: all, required: required))
            return .rule(rule)
        }
        func inLocal(_ required: (Int) -> Int) -> Outcome {
            let replicas = plan.replicas(in: local)
            guard !replicas.isEmpty else {
                return .impossible(required: 1, replicas: 0, datacenter: local)
            }
            var rule = QuorumRule()
            rule.add(
                Clause(
                    replicas: replicas,
                    required: required(replicas.count),
                    datacenter: local
                )
            )
            return .rule(rule)
        }
        switch level {
        case .one: return total(1)
        case .two: return total(2)
        case .three: return total(3)
        case .count(let number): return total(Int(number))
        case .quorum: return total(quorum(of: plan.count))
        case .all: return total(plan.count)
        case .localOne: return inLocal { _ in 1 }
        case .localQuorum: return inLocal(quorum(of:))
        case .eachQuorum:
            var rule = QuorumRule()
            for datacenter in 0..<UInt8(Limits.datacenters) {
                let id = DatacenterID(datacenter)
                let replicas = plan.replicas(in: id)
                if !replicas.isEmpty {
                    rule.add(
                        Clause(
                            replicas: replicas,
                            required: quorum(of: replicas.count),
                            datacenter: id
                        )
                    )
                }
            }
            guard rule.count > 0 else {
                return .impossible(required: 1, replicas: 0, datacenter: nil)
            }
            return .rule(rule)
        }
    }
}
