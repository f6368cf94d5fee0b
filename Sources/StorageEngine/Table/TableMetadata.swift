/// What the manifest knows of one table file.
package struct TableMetadata: Equatable, Sendable {
    /// The tree it belongs to.
    package var tree: UInt32
    /// Its number, which names the file; never used twice in a directory.
    package var number: UInt64
    /// Bytes of the file.
    package var length: UInt64
    /// CRC32C of the whole file.
    package var checksum: UInt32
    /// Number of entries.
    package var entryCount: UInt64
    /// Entries that stand for nothing: tombstones and deletions.
    package var tombstoneCount: UInt64
    /// Entries that will stand for nothing once their time has come.
    package var expiringCount: UInt64
    /// When the last of those has expired; 0 without any.
    package var lastExpiry: UInt64
    /// The largest stamp of an entry.
    package var newestStamp: UInt64
    /// The smallest stamp of an entry.
    package var oldestStamp: UInt64
    /// No run of a lower order has anything of a key that a whole entry of this table lacks.
    ///
    /// Of a flush its own number, since whole entries of memtables have all that is in tables then;
    /// of a compaction the least of its inputs'. Data only ever goes to runs of higher orders, so it
    /// stays true.
    package var wholeBelow: UInt64
    /// Ordered key of the first entry.
    package var firstKey: [UInt8]
    /// Ordered key of the last entry.
    package var lastKey: [UInt8]
}

/// A table, or the part of one, that belongs to a tree.
///
/// A compaction moves the bounds of its inputs as it goes, so that each entry belongs to the tree
/// once, whatever moment a crash picks.
package struct TableReference: Equatable, Sendable {
    /// The file.
    package var metadata: TableMetadata
    /// The number of the newest flush in it.
    ///
    /// References of one order never overlap: they are a run.
    package var order: UInt64
    /// The ordered key at which the part begins.
    package var lower: [UInt8]
    /// The ordered key before which the part ends; nil if it goes on to the last entry.
    package var upper: [UInt8]?

    /// A reference to all of a file.
    package init(_ metadata: TableMetadata, order: UInt64) {
        self.metadata = metadata
        self.order = order
        lower = metadata.firstKey
        upper = nil
    }
}
