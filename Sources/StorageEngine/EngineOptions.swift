/// What an engine may use, and how it cuts its files.
public struct EngineOptions: Sendable {
    /// Bytes that all memtables, with the batches on their way to them, may hold; 64 MiB.
    ///
    /// At half of it `nextMaintenance` asks for a flush; at all of it `append` refuses with
    /// `overloaded`. More means larger tables and longer recovery.
    public var memoryBudget = 64 << 20
    /// Bytes after which the log goes on in a new segment; 32 MiB.
    ///
    /// Less lets the log be trimmed in smaller steps, at the price of more files.
    public var segmentSize = 32 << 20
    /// Bytes of records after which a table begins a new block, 4 to 16 KiB; 8 KiB.
    ///
    /// More makes the index smaller and each read from the disk longer.
    public var blockSize = 8 << 10
    /// The longest key in bytes; 1024, and at most 65,535.
    public var maximumKeySize = 1024
    /// The longest value in bytes; 9 MiB.
    public var maximumValueSize = 9 << 20
    /// Bound into every checksum, so that another engine's files are not taken for this one's.
    ///
    /// Draw it at random when the directory is made, and pass the same ever after.
    public var identity: UInt64 = 0

    /// The defaults.
    public init() {}
}
