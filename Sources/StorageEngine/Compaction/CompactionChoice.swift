/// A compaction to do: parts to merge over a range of keys, and parts that only change their run.
///
/// The one who carries it out
/// 1. gives each part of `moves` the order `order`, at once and together;
/// 2. merges what the inputs have in `lower..<upper` into tables of the order `order`, and takes
///    that range away from the inputs, at once or bit by bit from the left;
/// 3. keeps the choice in `TreePicture.running` for as long as that goes on, and `orders` in
///    `TreePicture.begun` until one run is left of them.
///
/// No part of the runs `orders` but the inputs has anything in the range, so that what is written
/// there overlaps nothing of its order. An input that reaches beyond the range goes on outside.
package struct CompactionChoice: Equatable, Sendable {
    /// Why something is to be done.
    package enum Reason: String, Equatable, Sendable {
        /// Enough runs of like size.
        case sizeTier
        /// A part with much to leave out.
        case droppable
        /// The owner asked for one run.
        case manual
    }

    /// The name of a part at the moment of the choice: its file, and the key at which it begins.
    package struct Input: Hashable, Sendable {
        /// The number of the table's file.
        package var number: UInt64
        /// The key at which the part begins.
        package var lower: [UInt8]

        /// A part's name.
        package init(number: UInt64, lower: [UInt8]) {
            self.number = number
            self.lower = lower
        }

        init(_ part: TreePicture.Part) {
            self.init(number: part.number, lower: part.lower)
        }
    }

    /// The parts to merge, in order of where they begin; empty if there are only moves.
    package var inputs: [Input]
    /// The key at which the merging begins.
    package var lower: [UInt8]
    /// The key before which it ends.
    package var upper: [UInt8]
    /// The run to which outputs and moves belong: the largest of `orders`.
    package var order: UInt64
    /// The runs that become one, of which this may be one range of several; ascending.
    package var orders: [UInt64]
    /// Whole parts that overlap nothing of `orders`, and so need not be rewritten.
    package var moves: [Input]
    /// About the bytes to read.
    package var bytes: Int
    /// Why.
    package var reason: Reason

    /// A choice of inputs, merged over a range, and of moves.
    package init(
        inputs: [Input],
        lower: [UInt8],
        upper: [UInt8],
        order: UInt64,
        orders: [UInt64],
        moves: [Input],
        bytes: Int,
        reason: Reason
    ) {
        self.inputs = inputs
        self.lower = lower
        self.upper = upper
        self.order = order
        self.orders = orders
        self.moves = moves
        self.bytes = bytes
        self.reason = reason
    }
}
