/// A set of the replicas of one plan, by their place in it.
package struct ReplicaBits: Equatable, Sendable {
    /// Bit i stands for the plan's replica i.
    package var rawValue: UInt32

    /// The set of these bits.
    package init(rawValue: UInt32 = 0) {
        self.rawValue = rawValue
    }

    /// The set of the first `count` replicas.
    package init(first count: Int) {
        rawValue = count >= 32 ? .max : (1 << UInt32(count)) - 1
    }

    /// How many replicas are in it.
    package var count: Int { rawValue.nonzeroBitCount }

    /// Whether none is in it.
    package var isEmpty: Bool { rawValue == 0 }

    /// Whether replica `index` is in it.
    package func contains(_ index: Int) -> Bool {
        rawValue & (1 << UInt32(index)) != 0
    }

    /// Adds replica `index`.
    package mutating func insert(_ index: Int) {
        rawValue |= 1 << UInt32(index)
    }

    /// Takes replica `index` out.
    package mutating func remove(_ index: Int) {
        rawValue &= ~(1 << UInt32(index))
    }

    /// Those in both.
    package func intersection(_ other: ReplicaBits) -> ReplicaBits {
        ReplicaBits(rawValue: rawValue & other.rawValue)
    }

    /// Those in either.
    package func union(_ other: ReplicaBits) -> ReplicaBits {
        ReplicaBits(rawValue: rawValue | other.rawValue)
    }

    /// Those not in `other`.
    package func subtracting(_ other: ReplicaBits) -> ReplicaBits {
        ReplicaBits(rawValue: rawValue & ~other.rawValue)
    }
}
