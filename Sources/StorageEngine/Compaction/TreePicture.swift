/// What a compaction policy sees of a tree: its parts, and what is being done to them.
///
/// Parts of one order form a run and never overlap. Keys are ordered keys, compared as unsigned
/// bytes.
package struct TreePicture: Sendable {
    /// A table, or the part of one, that belongs to the tree.
    package struct Part: Equatable, Sendable {
        /// The number of the table's file.
        package var number: UInt64
        /// The run it belongs to.
        package var order: UInt64
        /// The key at which it begins.
        package var lower: [UInt8]
        /// The key before which it ends; nil if it goes on to the last entry of its table.
        package var upper: [UInt8]?
        /// The last key that may be in it.
        package var last: [UInt8]
        /// Its share of the file in bytes.
        package var bytes: Int
        /// The share of its entries that could be left out at the owner's now, from 0 to 1.
        package var tombstoneRatio: Double
        /// Whether rewriting it alone might leave any of them out.
        ///
        /// False until the horizon or the tree has changed since it was last tried; otherwise the
        /// part would be rewritten for nothing, again and again.
        package var mayPurge: Bool
        /// Whether nothing may be done with it, and nothing in its range of keys with its run.
        package var isBusy: Bool

        /// A part with nothing to purge, not busy unless said.
        package init(
            number: UInt64,
            order: UInt64,
            lower: [UInt8],
            upper: [UInt8]? = nil,
            last: [UInt8],
            bytes: Int,
            tombstoneRatio: Double = 0,
            mayPurge: Bool = false,
            isBusy: Bool = false
        ) {
            self.number = number
            self.order = order
            self.lower = lower
            self.upper = upper
            self.last = last
            self.bytes = bytes
            self.tombstoneRatio = tombstoneRatio
            self.mayPurge = mayPurge
            self.isBusy = isBusy
        }

        /// The first key behind everything that may be in it.
        package var end: [UInt8] {
            let successor = last + [0]
            guard let upper, precedes(upper, successor) else { return successor }
            return upper
        }
    }

    /// The parts, in any sequence.
    package var parts: [Part]
    /// The compactions under way.
    package var running: [CompactionChoice]
    /// The sets of runs that have begun to become one, by order; see `CompactionChoice.orders`.
    ///
    /// Finished ones do no harm. Forgetting one, as a crash does, costs some writing later on.
    package var begun: [[UInt64]]

    /// A picture of a tree; nothing is going on unless said.
    package init(
        parts: [Part],
        running: [CompactionChoice] = [],
        begun: [[UInt64]] = []
    ) {
        self.parts = parts
        self.running = running
        self.begun = begun
    }

    /// Those of `begun` of which more than one run is left, and which are in no larger one.
    package var unfinished: [[UInt64]] {
        let orders = Set(parts.map(\.order))
        return begun.filter { group in
            group.count { orders.contains($0) } > 1
                && !begun.contains { $0.count > group.count && Set($0).isSuperset(of: group) }
        }
    }

    /// The bytes of each run, by order.
    var runSizes: [UInt64: Int] {
        parts.reduce(into: [:]) { sizes, part in sizes[part.order, default: 0] += part.bytes }
    }
}

/// Whether a key comes before another.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    compareBytes(left.span.bytes, right.span.bytes) < 0
}
