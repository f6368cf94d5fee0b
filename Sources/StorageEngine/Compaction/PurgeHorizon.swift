/// What a tree may forget: entries that stand for nothing, by the owner's clock and up to a stamp.
///
/// An entry that stands for nothing still hides older ones, in tables of this node and of others.
/// The owner therefore says for each range of prefixes up to which stamp everything has reached
/// every replica; the engine adds that no older entry of the key is left in the tree.
public struct PurgeHorizon: Equatable, Sendable {
    /// A range of prefixes: from behind the range before it, or from 0, through `through`.
    public struct Range: Equatable, Sendable {
        /// The last prefix of the range.
        public var through: UInt64
        /// The largest stamp that may be forgotten.
        public var stamp: UInt64

        /// A range that ends with a prefix.
        public init(through: UInt64, stamp: UInt64) {
            self.through = through
            self.stamp = stamp
        }
    }

    /// The owner's time, in the unit of its merge rule's `droppableFrom`.
    public let now: UInt64
    /// The ranges, ascending; behind the last nothing may be forgotten.
    public let ranges: [Range]

    /// A horizon of ranges, each of which must end behind the one before it.
    public init(now: UInt64, ranges: [Range]) {
        for (range, next) in zip(ranges, ranges.dropFirst()) {
            precondition(
                range.through < next.through,
                "a range through \(next.through) follows one through \(range.through)"
            )
        }
        self.now = now
        self.ranges = ranges
    }

    /// Nothing may be forgotten.
    public static let never = PurgeHorizon(now: 0, ranges: [])

    /// Whatever stands for nothing at a time may be forgotten; for trees without replicas.
    public static func everything(now: UInt64) -> PurgeHorizon {
        PurgeHorizon(now: now, ranges: [Range(through: .max, stamp: .max)])
    }

    /// What both horizons let go.
    package func limited(by other: PurgeHorizon) -> PurgeHorizon {
        var limited: [Range] = []
        var (index, otherIndex) = (0, 0)
        while index < ranges.count, otherIndex < other.ranges.count {
            let (range, otherRange) = (ranges[index], other.ranges[otherIndex])
            limited.append(
                Range(
                    through: min(range.through, otherRange.through),
                    stamp: min(range.stamp, otherRange.stamp)
                )
            )
            if range.through <= otherRange.through { index += 1 }
            if otherRange.through <= range.through { otherIndex += 1 }
        }
        return PurgeHorizon(now: min(now, other.now), ranges: limited)
    }

    /// The largest stamp that may be forgotten at a prefix, or nil if none may.
    ///
    /// Takes O(log n) of the ranges.
    package func stamp(at prefix: UInt64) -> UInt64? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].through < prefix { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count ? ranges[low].stamp : nil
    }

    /// Whether an entry that is all that was merged of its key may be left out.
    ///
    /// - Parameters:
    ///   - droppableFrom: from when on the entry stands for nothing; nil if it never does.
    ///   - stamp: its stamp.
    ///   - prefix: its prefix.
    ///   - mayHaveOlder: whether another table or memtable may hold an entry of the key; asked
    ///     last, and only if all else allows it.
    /// - Returns: true if nothing is lost by leaving it out.
    package func mayPurge(
        droppableFrom: UInt64?,
        stamp: UInt64,
        prefix: UInt64,
        mayHaveOlder: () -> Bool
    ) -> Bool {
        guard let droppableFrom, droppableFrom <= now,
            let horizon = self.stamp(at: prefix), stamp <= horizon
        else { return false }
        return !mayHaveOlder()
    }

    /// Whether anything between two prefixes may be forgotten that is no newer than a stamp.
    ///
    /// Without it a part need not be rewritten for what it could leave out.
    package func mayPurgeAnything(
        fromPrefix lower: UInt64,
        throughPrefix upper: UInt64,
        oldestStamp: UInt64
    ) -> Bool {
        var start: UInt64 = 0
        for range in ranges {
            if start <= upper, range.through >= lower, range.stamp >= oldestStamp { return true }
            guard range.through < upper else { return false }
            start = range.through + 1
        }
        return false
    }
}
