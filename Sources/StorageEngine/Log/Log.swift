internal import FileSystems
internal import Synchronization

/// The log of all trees: places are given at once, bytes reach the disk in one write for many.
///
/// Two locks. `buffer` guards the bytes appended since the last write and is never held over a
/// call to the disk, so appending goes on while a sync runs. `writer` guards the file and is held
/// for the whole of a write and its sync. Who wants a batch synced while another has `writer` does
/// not queue for it but waits for `commits`, as `LogGroup` says.
package final class Log: Sendable {
    struct Writer {
        var file: any WritableFile
        var segment: UInt64
        /// Whether anything of `file` or `left` is not synced.
        var isUnsynced = false
        /// Segments that were ended before all their bytes were synced.
        var left: [(segment: UInt64, file: any WritableFile)] = []
        /// Whether the name of a segment is not synced.
        var hasNewNames = false
        /// Room for the bytes that are appended during the next write.
        var room: [UInt8] = []
    }

    let segmentFiles: LogSegments
    let buffer: Lock<LogBuffer>
    private let writer: Mutex<Writer>
    let group = LogGroup()
    /// Whether anything was ever taken back; asked before the lock that tells what.
    let hasTakenBack = Atomic(false)
    /// Records before it are on the disk, for those who wait to see without a lock.
    ///
    /// It stays behind once any were taken back: from then on the number alone does not tell.
    let knownDurable = Atomic<UInt64>(0)

    /// Begins a log anew in one segment, whose header is on the disk on return.
    ///
    /// Recovery ends an older log before it, until the manifest says that the log begins with it.
    ///
    /// - Parameters:
    ///   - files: the disk.
    ///   - directory: the engine's; its log directory must be there.
    ///   - options: how segments are cut.
    ///   - segment: number of the segment, above those of all there are.
    ///   - durable: how far an older log is known to be synced. Batches say so until the first
    ///     `sync`.
    ///   - sequence: number of the first record, above all that were given before.
    /// - Throws: `diskFull`, `io`.
    package convenience init(
        files: any FileSystem,
        directory: String,
        options: EngineOptions,
        segment: UInt64,
        durable: LogPosition,
        sequence: UInt64
    ) throws(StorageError) {
        try self.init(
            LogSegments(files: files, directory: directory, options: options),
            keeping: [],
            segment: segment,
            previousEnd: LogFormat.anew,
            durable: durable,
            sequence: sequence
        )
    }

    /// Goes on behind what was read, whose segments stay as they are.
    ///
    /// `contents` must be clean. Segments that it does without are removed first.
    package convenience init(
        files: any FileSystem,
        directory: String,
        options: EngineOptions,
        behind contents: borrowing LogReader.Contents
    ) throws(StorageError) {
        precondition(contents.isClean, "a log was to go on behind one that is not clean")
        let segmentFiles = LogSegments(files: files, directory: directory, options: options)
        var kept: [LogBuffer.Segment] = []
        for segment in contents.segments where segment.number <= contents.end.segment {
            kept.append(
                LogBuffer.Segment(
                    number: segment.number,
                    size: segment.validEnd,
                    allocated: segment.bytes.count
                )
            )
        }
        try segmentFiles.removeSegments(except: Set(kept.map(\.number)))
        try self.init(
            segmentFiles,
            keeping: kept,
            segment: contents.end.segment + 1,
            previousEnd: contents.end.offset,
            durable: nil,
            sequence: contents.nextSequence
        )
    }

    private init(
        _ segmentFiles: LogSegments,
        keeping kept: [LogBuffer.Segment],
        segment: UInt64,
        previousEnd: UInt64,
        durable: LogPosition?,
        sequence: UInt64
    ) throws(StorageError) {
        self.segmentFiles = segmentFiles
        var (spares, nextSpare) = try segmentFiles.spares()
        let begun = try segmentFiles.begin(
            segment,
            previousEnd: previousEnd,
            sequence: sequence,
            spare: spares.popLast()
        )
        try onDisk { () throws(FileSystemError) in
            try begun.file.sync()
            try segmentFiles.syncNames()
        }
        let size = LogFormat.segmentHeaderSize
        let current = LogBuffer.Segment(
            number: segment,
            firstSequence: sequence,
            size: size,
            allocated: begun.allocated
        )
        var initial = LogBuffer(
            identity: segmentFiles.options.identity,
            segmentSize: segmentFiles.options.segmentSize,
            segments: kept + [current],
            durable: durable ?? LogPosition(segment: segment, offset: UInt64(size)),
            sequence: sequence
        )
        initial.spares = spares
        initial.nextSpare = nextSpare
        buffer = Lock(initial)
        writer = Mutex(Writer(file: begun.file, segment: segment))
    }

    /// Calls the body as the one who may touch the file, once nobody else may.
    func withWriter<R: Sendable>(
        _ body: (inout Writer) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        defer { group.commits.advance() }
        return try writer.withLock { writer throws(StorageError) in try body(&writer) }
    }

    /// As `withWriter`, or nil at once if another may touch the file.
    func withWriterIfAvailable<R: Sendable>(
        _ body: (inout Writer) throws(StorageError) -> R
    ) throws(StorageError) -> R? {
        var hasLock = false
        defer { if hasLock { group.commits.advance() } }
        return try writer.withLockIfAvailable { writer throws(StorageError) in
            hasLock = true
            return try body(&writer)
        }
    }

    /// Gives a batch its place, without touching the disk.
    ///
    /// Its owner is to call `applied` or `abandon` once for it, else its segment stays for ever.
    ///
    /// - Throws: `poisoned`, `closed`, `tooLarge` for what the format cannot hold.
    package func append(_ batch: borrowing WriteBatch) throws(StorageError) -> AppendedPosition {
        guard batch.largestKey <= Self.maximumKeySize else {
            throw .tooLarge(what: "key", size: batch.largestKey, limit: Self.maximumKeySize)
        }
        guard batch.bytes.count <= Self.maximumBatchSize else {
            throw .tooLarge(what: "batch", size: batch.bytes.count, limit: Self.maximumBatchSize)
        }
        return try buffer.withLock { buffer throws(StorageError) in
            if let poison = buffer.poison { throw .poisoned(reason: poison) }
            if buffer.isClosed { throw .closed }
            return buffer.append(batch)
        }
    }

    /// Appends a batch without records, for which nobody waits.
    package func appendMark() throws(StorageError) {
        applied(try append(WriteBatch()))
    }

    /// The longest key that a record can hold, without its prefix.
    static let maximumKeySize = 65_527
    /// The most bytes of records that a batch can hold.
    static let maximumBatchSize = 1 << 30

    /// Whether a full disk took a batch back before it was written, whoever's write that was.
    package func wasTakenBack(_ position: AppendedPosition) -> Bool {
        guard hasTakenBack.load(ordering: .acquiring) else { return false }
        return buffer.withLock { $0.reasonDropped(position.sequence) != nil }
    }

    /// Notes that a batch reached the memtables.
    package func applied(_ position: AppendedPosition) {
        buffer.withLock { $0.settle(position) }
    }

    /// Notes that the owner of a batch gives it up; its outcome is unknown.
    ///
    /// Recovery may find it. Does nothing for one that was taken back; must not follow `applied`.
    package func abandon(_ position: AppendedPosition) {
        buffer.withLock { $0.settle(position) }
    }

    /// Goes on in a new segment, so that what came before can be removed as a whole.
    package func beginSegment() throws(StorageError) {
        buffer.withLock { $0.beginSegment() }
        _ = try write(syncing: false)
    }

    /// Notes in the log that all of it is synced, once after the last record.
    ///
    /// A log that ends with it is not written anew by the next start.
    ///
    /// - Returns: whether there was something to note.
    @discardableResult
    package func mark() throws(StorageError) -> Bool {
        guard needsMark else { return false }
        try appendMark()
        _ = try write(syncing: true)
        return true
    }

    /// Refuses all writes from now on.
    package func poison(_ reason: String) {
        buffer.withLock { buffer in
            if buffer.poison == nil { buffer.poison = reason }
        }
    }

    /// Closes the file; what was not synced before stays in the kernel's care.
    package func close() throws(StorageError) {
        buffer.withLock { $0.isClosed = true }
        try withWriter { writer throws(StorageError) in
            try onDisk { () throws(FileSystemError) in
                for old in writer.left { try old.file.close() }
                try writer.file.close()
            }
        }
    }
}

extension Log {
    /// What `append` would be told now.
    package var refusal: StorageError? {
        buffer.withLock { buffer in
            buffer.isClosed ? .closed : buffer.poison.map { .poisoned(reason: $0) }
        }
    }

    /// The position before which everything is known to be on the disk.
    package var durable: LogPosition { buffer.withLock { $0.durable } }
    /// The position behind the last batch.
    package var end: LogPosition { buffer.withLock { $0.end } }
    /// The number of the next record.
    package var nextSequence: UInt64 { buffer.withLock { $0.nextSequence } }
    /// Bytes that recovery would read.
    package var sizeInBytes: Int { buffer.withLock { $0.segments.reduce(0) { $0 + $1.size } } }
    /// What was done since the log was opened.
    package var statistics: LogStatistics { buffer.withLock { $0.statistics } }

    /// Whether everything is synced and the file does not say so yet.
    package var needsMark: Bool {
        buffer.withLock { !$0.isMarked && $0.poison == nil && $0.end == $0.durable }
    }

    /// The highest segment up to `limit` with which the log may begin: it is on the disk that there
    /// is such a segment.
    package func beginning(atMost limit: UInt64) -> UInt64 {
        buffer.withLock { buffer in
            let segment = buffer.segments.last { $0.isSecured && $0.number <= limit }
            return segment?.number ?? 0
        }
    }

    /// The first segment with a batch that was not applied, or the current one.
    package var oldestOutstanding: UInt64 { buffer.withLock { $0.oldestOutstanding } }

    /// A number such that all batches with lower ones were applied or given up.
    package var settledSequence: UInt64 { buffer.withLock { $0.settledSequence } }

    /// No segment behind it has a record that recovery could find.
    ///
    /// What a full disk took back may lie whole behind the header of a segment that is empty
    /// otherwise, until something is written over it.
    package var lastSegmentWithRecords: UInt64 {
        let end = end
        let isEmpty =
            end.offset <= UInt64(LogFormat.segmentHeaderSize)
            && !hasTakenBack.load(ordering: .acquiring)
        return isEmpty ? end.segment - 1 : end.segment
    }

    /// The bounds of the segments that recovery would read.
    package var segments: ClosedRange<UInt64> {
        buffer.withLock { buffer in
            (buffer.segments.first?.number ?? buffer.end.segment)...buffer.end.segment
        }
    }
}
