/// How the blocks of a tree's tables are stored.
public enum Compression: Hashable, Sendable {
    /// As they are.
    case none
    /// Through zlib at a level from 1, fast, to 9, small; blocks that do not shrink stay as they
    /// are.
    case zlib(level: Int)
}

/// What an engine may use, and how it cuts its files.
public struct EngineOptions: Sendable {
    /// Bytes that all memtables, with the batches on their way to them, may hold; 64 MiB.
    ///
    /// At five eighths a memtable is flushed, from seven eighths on writers are slowed, at all of it
    /// `append` refuses with `overloaded`. A batch of more than three quarters is taken while no
    /// flush is due, else it might never be. More means larger tables and longer recovery.
    public var memoryBudget = 64 << 20
    /// Bytes after which the log goes on in a new segment; 32 MiB.
    ///
    /// Less lets the log be trimmed in smaller steps, at the price of more files.
    public var segmentSize = 32 << 20
    /// Segments that are kept, filled with zeros or old records, for the log to write over; 2.
    ///
    /// Only while the log is synced often: at least sixteen times a segment, on the average.
    /// Overwriting is synced in about two thirds of the time that growing takes. Each costs
    /// `segmentSize` on the disk; 0 lets segments grow.
    public var spareSegments = 2
    /// Bytes of records after which a table begins a new block, 4 to 16 KiB; 6 KiB.
    ///
    /// More makes the index smaller, compresses better, and makes each read from the disk longer.
    public var blockSize = 6 << 10
    /// Bytes of a table after which compaction begins another; 64 MiB.
    ///
    /// Compaction needs room on the disk for about as many fragments as it has inputs, and one.
    public var fragmentSize = 64 << 20
    /// Bytes of blocks kept in memory, decompressed; 64 MiB.
    public var cacheSize = 64 << 20
    /// Table files held open; 512.
    public var openFiles = 512
    /// Bytes on the disk below which records other than deletions are refused with
    /// `diskReserve`; 0 asks for none.
    ///
    /// It has to cover what compaction needs to make room. The disk is asked by `nextMaintenance`,
    /// with each segment of the log, and by each write while writes are refused.
    public var diskReserve = 0
    /// Which tables are compacted together.
    public var compaction = SizeTieredPolicy()
    /// The longest key in bytes; 1024, and at most 65,527.
    public var maximumKeySize = 1024
    /// The longest value in bytes; 9 MiB, and at most 255 MiB, since a block of a table has to
    /// hold it.
    public var maximumValueSize = 9 << 20
    /// The largest stamp that opening accepts in trees whose stamps are the owner's; nil accepts
    /// all.
    ///
    /// An owner that stamps by a clock passes what the clock allows now, so that a clock that went
    /// back is found before it makes writes that lose against older ones.
    public var latestStamp: UInt64?
    /// Bound into every checksum, so that another engine's files are not taken for this one's.
    ///
    /// Draw it at random when the directory is made, and pass the same ever after.
    public var identity: UInt64 = 0

    /// The defaults.
    public init() {}
}
