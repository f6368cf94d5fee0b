/// What upkeep of one keyspace on one node did and found.
///
/// Which figures say something depends on the kind of upkeep; the others are 0 and empty.
public struct StoreUpkeepReport: Equatable, Sendable {
    /// Bytes of a table that are no longer what was written.
    public struct Damage: Equatable, Sendable {
        /// The file's path on the node.
        public var file: String
        /// Where the damaged bytes begin.
        public var offset: UInt64
        /// The checksum, or what else was expected there.
        public var expected: UInt64
        /// What was found instead.
        public var found: UInt64
        /// What the bytes are.
        public var part: String
        /// The tokens of which records are unknown for it; nil where none are.
        public var tokens: ClosedRange<Int64>?

        /// Damage of a file.
        public init(
            file: String,
            offset: UInt64,
            expected: UInt64,
            found: UInt64,
            part: String,
            tokens: ClosedRange<Int64>?
        ) {
            self.file = file
            self.offset = offset
            self.expected = expected
            self.found = found
            self.part = part
            self.tokens = tokens
        }
    }

    /// Tokens of which this node may have lost records; it answers reads there with *unknown*.
    public struct Loss: Equatable, Sendable {
        /// The tokens.
        public var tokens: ClosedRange<Int64>
        /// No record that was lost was written later than this.
        public var newest: WallClockTime

        /// A loss of tokens.
        public init(tokens: ClosedRange<Int64>, newest: WallClockTime) {
            self.tokens = tokens
            self.newest = newest
        }
    }

    /// The most elements that the lists of all reports in one answer hold; what is beyond is
    /// counted in `omitted`.
    package static let maximumListed = 1000

    /// Tables before.
    public var tablesBefore: UInt64 = 0
    /// Tables after.
    public var tablesAfter: UInt64 = 0
    /// Bytes of the tables before.
    public var bytesBefore: UInt64 = 0
    /// Bytes of the tables after.
    public var bytesAfter: UInt64 = 0
    /// Bytes of new tables.
    public var bytesWritten: UInt64 = 0
    /// Bytes of tables whose checksums were compared.
    public var bytesRead: UInt64 = 0
    /// Tombstones and expired values that are no longer kept.
    public var tombstonesPurged: UInt64 = 0
    /// Damage that was found.
    public var damage: [Damage] = []
    /// Numbers of the tables that were written anew from what was whole of them.
    public var salvagedTables: [UInt64] = []
    /// Where the damaged files are kept.
    public var quarantinedFiles: [String] = []
    /// Tokens of which records may have been lost.
    public var lost: [Loss] = []
    /// Numbers of damaged tables that other work was busy with; they are still to be scrubbed.
    public var skippedTables: [UInt64] = []
    /// Elements that were left out of the lists.
    public var omitted: UInt64 = 0

    /// A report of nothing.
    public init() {}

    /// Cuts the lists to the room that is left, takes what they need from it, and counts what
    /// goes.
    package mutating func limitLists(to room: inout Int) {
        Self.limit(&lost, &room, &omitted)
        Self.limit(&damage, &room, &omitted)
        Self.limit(&skippedTables, &room, &omitted)
        Self.limit(&salvagedTables, &room, &omitted)
        Self.limit(&quarantinedFiles, &room, &omitted)
    }

    private static func limit<Element>(
        _ list: inout [Element],
        _ room: inout Int,
        _ omitted: inout UInt64
    ) {
        let excess = max(0, list.count - max(0, room))
        list.removeLast(excess)
        room -= list.count
        omitted += UInt64(excess)
    }
}
