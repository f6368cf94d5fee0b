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

    func admits(_ prefix: UInt64, _ key: [UInt8]) -> Bool {
        let order = compare(self.prefix, self.key, prefix, key)
        return order < 0 || order == 0 && !isExclusive
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

/// A piece of upkeep that is due.
public enum MaintenanceJob: Equatable, Sendable {
    /// A tree's memtables are to become tables.
    case flush(UInt32)
}

/// How much an engine holds.
public struct EngineStatistics: Equatable, Sendable {
    /// How much one tree holds.
    public struct Tree: Equatable, Sendable {
        /// Its number.
        public let number: UInt32
        /// Bytes of its tables.
        public let tableBytes: Int
        /// Bytes of its memtables.
        public let memtableBytes: Int
        /// Number of its tables.
        public let tableCount: Int
        /// Entries of its tables, a key counted once per table.
        public let tableEntries: Int
    }

    /// The trees, by number.
    public let trees: [Tree]
    /// Bytes of the log that recovery would read.
    public let logBytes: Int
    /// Bytes of all memtables and of batches on their way to them.
    public let memoryInUse: Int
}

/// The order of entries: by prefix, then by the key's bytes; negative if the left comes first.
func compare(
    _ leftPrefix: UInt64,
    _ left: [UInt8],
    _ rightPrefix: UInt64,
    _ right: [UInt8]
) -> Int {
    if leftPrefix != rightPrefix { return leftPrefix < rightPrefix ? -1 : 1 }
    return compareBytes(left.span.bytes, right.span.bytes)
}

/// The order of two runs of bytes, unsigned; negative if the left comes first.
func compareBytes(_ left: RawSpan, _ right: RawSpan) -> Int {
    let count = min(left.byteCount, right.byteCount)
    var offset = 0
    while offset + 8 <= count {
        let a = UInt64(
            bigEndian: unsafe left.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
        let b = UInt64(
            bigEndian: unsafe right.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
        if a != b { return a < b ? -1 : 1 }
        offset += 8
    }
    while offset < count {
        let a = unsafe left.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        let b = unsafe right.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        if a != b { return a < b ? -1 : 1 }
        offset += 1
    }
    return left.byteCount == right.byteCount ? 0 : left.byteCount < right.byteCount ? -1 : 1
}
