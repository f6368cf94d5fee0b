import ClusterPrimitives

/// What was counted, and what readers may see of it.
///
/// A read's sum is that of all increments that its level must know of, and of some of the others.
struct CounterHistory {
    /// One increment, however often it was sent.
    struct Increment {
        var amount: Int64
        /// At which levels it is known to be there, and since when.
        var established: [(requirement: Requirement, since: Int)] = []
        /// Whether each of its attempts was refused so far.
        var isRefused = false
    }

    private let replicas: [Int]
    /// By key.
    private(set) var increments: [[Increment]]
    private(set) var clock = 0

    init(keys: Int, replicas: [Int]) {
        self.replicas = replicas
        increments = Array(repeating: [], count: keys)
    }

    /// Something happens now.
    mutating func tick() -> Int {
        clock += 1
        return clock
    }

    /// An increment is sent for the first time.
    ///
    /// - Returns: its number among those of the key.
    mutating func begin(_ amount: Int64, key: Int) -> Int {
        increments[key].append(Increment(amount: amount))
        return increments[key].count - 1
    }

    /// A client was told that an increment is done.
    mutating func acknowledge(_ number: Int, key: Int, _ requirement: Requirement?) {
        guard let requirement else { return }
        increments[key][number].established.append((requirement, tick()))
    }

    /// Every attempt of an increment was refused.
    mutating func refuse(_ number: Int, key: Int) {
        increments[key][number].isRefused = true
    }

    /// Increments of which it is not known whether they count are told apart up to so many.
    private static let maximumSubset = 14

    /// Checks the sum that a read brought; `begin` is when it began.
    ///
    /// - Returns: what is wrong.
    func read(_ key: Int, _ sum: Int64, begin: Int, _ requirement: Requirement?) -> String? {
        var certain: Int64 = 0
        var possible: [Int64] = []
        for increment in increments[key] where !increment.isRefused {
            let isCertain =
                requirement.map { requirement in
                    increment.established.contains {
                        $0.since < begin && $0.requirement.intersects(requirement, of: replicas)
                    }
                } ?? false
            if isCertain { certain += increment.amount } else { possible.append(increment.amount) }
        }
        let least = certain + possible.filter { $0 < 0 }.reduce(0, +)
        let most = certain + possible.filter { $0 > 0 }.reduce(0, +)
        guard sum >= least, sum <= most else {
            return "key-\(key) counts \(sum), which is not within \(least)…\(most)"
        }
        guard possible.count <= Self.maximumSubset else { return nil }
        var sums: Set<Int64> = [certain]
        for amount in possible { sums.formUnion(sums.map { $0 + amount }) }
        guard sums.contains(sum) else {
            return "key-\(key) counts \(sum), which is \(certain) and no sum of some of \(possible)"
        }
        return nil
    }
}
