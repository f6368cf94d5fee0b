/// What became of one record of a batch.
public struct ApplyOutcome: Equatable, Sendable {
    /// Whose value the memtable has now.
    public enum Result: Equatable, Sendable {
        /// The record's.
        case inserted
        /// The value that was in memory before and says more; a copy of it.
        case keptExisting([UInt8])
        /// One that the rule made of both.
        case merged
        /// Nobody's: the tree was dropped meanwhile.
        case treeDropped
        /// Nobody's: the disk was full, and the batch was taken out of the log again. It may be
        /// there after a restart.
        case takenBack
    }

    /// Whose value the memtable has now.
    public let result: Result
    /// Whether a table may hold the key under a stamp not below the record's; `get` tells.
    public let needsCheck: Bool

    /// An outcome.
    public init(result: Result, needsCheck: Bool) {
        self.result = result
        self.needsCheck = needsCheck
    }
}

/// What `get` knows of a key.
public enum Lookup: Equatable, Sendable {
    /// No run has the key.
    case absent
    /// The value, joined over all runs, and its newest stamp.
    case found([UInt8], stamp: UInt64)
    /// Only the disk can tell, and it was not to be read.
    case needsDisk
}

/// Where a scan begins.
public struct ScanPosition: Equatable, Sendable {
    /// First eight bytes of the order.
    public let prefix: UInt64
    /// The bytes behind them.
    public let key: [UInt8]
    /// Whether the position itself is left out.
    public let isExclusive: Bool

    /// The first entry at or behind a key.
    public static func from(prefix: UInt64, key: [UInt8] = []) -> ScanPosition {
        ScanPosition(prefix: prefix, key: key, isExclusive: false)
    }

    /// The first entry behind a key.
    public static func after(prefix: UInt64, key: [UInt8]) -> ScanPosition {
        ScanPosition(prefix: prefix, key: key, isExclusive: true)
    }
}

/// A key with its value.
public struct ScanEntry: Equatable, Sendable {
    /// First eight bytes of the order.
    public let prefix: UInt64
    /// The bytes behind them.
    public let key: [UInt8]
    /// The value, joined over all runs.
    public let value: [UInt8]
    /// The newest stamp of the key.
    public let stamp: UInt64
}

/// A run of entries in ascending order.
public struct ScanPage: Equatable, Sendable {
    /// The entries.
    public let entries: [ScanEntry]
    /// Where the next page begins; nil when the range has no more.
    public let next: ScanPosition?
}
