internal import ByteCoding
internal import FileSystems
internal import Synchronization

/// The log of all trees: places are given at once, bytes reach the disk in one write for many.
///
/// Two locks. `buffer` guards the bytes appended since the last write and is never held over a
/// call to the disk, so appending goes on while a sync runs. `writer` guards the file and is held
/// for the whole of a write and its sync; only callers of `sync` and `write` meet there.
final class Log: Sendable {
    /// Bytes for one segment that are not written yet.
    private struct Chunk {
        let segment: UInt64
        let previousEnd: UInt64
        var bytes: [UInt8]
    }

    private struct Buffer {
        var chunks: [Chunk] = []
        var end: LogPosition
        var durable: LogPosition
        var poison: String?
        var isClosed = false
        /// Whether nothing but a mark was appended since the last mark.
        var isMarked = true
        /// Batches of each segment that were appended and not applied.
        var outstanding: [UInt64: Int] = [:]
        /// Bytes of the segments that recovery would read, by number, ascending.
        var segmentSizes: [(number: UInt64, size: Int)] = []

        /// Goes on in a new segment, unless the current one holds nothing yet.
        mutating func beginSegment() {
            guard end.offset > UInt64(LogFormat.segmentHeaderSize) else { return }
            let previousEnd = end.offset
            end = LogPosition(
                segment: end.segment + 1,
                offset: UInt64(LogFormat.segmentHeaderSize)
            )
            chunks.append(Chunk(segment: end.segment, previousEnd: previousEnd, bytes: []))
            segmentSizes.append((end.segment, LogFormat.segmentHeaderSize))
        }
    }

    private struct Writer {
        var file: any WritableFile
        var segment: UInt64
        var isUnsynced = false
    }

    private let files: any FileSystem
    private let directory: String
    private let options: EngineOptions
    private let buffer: Mutex<Buffer>
    private let writer: Mutex<Writer>

    /// Begins a new segment behind what recovery kept; its header is on the disk on return.
    ///
    /// The segment before ends at `previousEnd`; the log is known to be synced up to `durable`.
    init(
        files: any FileSystem,
        directory: String,
        options: EngineOptions,
        segment: UInt64,
        previousEnd: UInt64,
        durable: LogPosition
    ) throws(StorageError) {
        self.files = files
        self.directory = directory
        self.options = options
        let file = try Self.createSegment(
            segment,
            previousEnd: previousEnd,
            files: files,
            directory: directory,
            identity: options.identity
        )
        try onDisk { () throws(FileSystemError) in
            try file.sync()
            try files.syncDirectory(FileNames.logDirectory(directory))
        }
        let end = LogPosition(segment: segment, offset: UInt64(LogFormat.segmentHeaderSize))
        var initial = Buffer(end: end, durable: durable)
        initial.segmentSizes = [(segment, LogFormat.segmentHeaderSize)]
        buffer = Mutex(initial)
        writer = Mutex(Writer(file: file, segment: segment))
    }

    private static func createSegment(
        _ segment: UInt64,
        previousEnd: UInt64,
        files: any FileSystem,
        directory: String,
        identity: UInt64
    ) throws(StorageError) -> any WritableFile {
        try onDisk { () throws(FileSystemError) in
            let path = FileNames.segment(segment, in: directory)
            let file = try files.openForAppending(path, .createNew)
            let header = LogFormat.segmentHeader(
                identity: identity,
                segment: segment,
                previousEnd: previousEnd
            )
            try file.append(header.span.bytes)
            return file
        }
    }

    /// Gives a batch its place.
    ///
    /// - Returns: the position behind the batch.
    func append(_ batch: borrowing WriteBatch) throws(StorageError) -> LogPosition {
        let payload = batch.bytes
        let checksum = CRC32C.checksum(payload)
        let count = batch.count
        return try buffer.withLock { buffer throws(StorageError) -> LogPosition in
            if let poison = buffer.poison { throw .poisoned(reason: poison) }
            if buffer.isClosed { throw .closed }
            let size = LogFormat.batchHeaderSize + payload.count
            let isFull = Int(buffer.end.offset) + size > options.segmentSize
            if isFull {
                buffer.beginSegment()
            }
            if buffer.chunks.isEmpty {
                buffer.chunks.append(
                    Chunk(segment: buffer.end.segment, previousEnd: 0, bytes: [])
                )
            }
            let last = buffer.chunks.count - 1
            LogFormat.append(
                LogFormat.BatchHeader(
                    count: UInt32(count),
                    payloadChecksum: checksum,
                    length: payload.count,
                    synced: buffer.durable
                ),
                identity: options.identity,
                at: buffer.end,
                to: &buffer.chunks[last].bytes
            )
            buffer.chunks[last].bytes.append(contentsOf: payload)
            buffer.end = LogPosition(
                segment: buffer.end.segment,
                offset: buffer.end.offset + UInt64(size)
            )
            buffer.segmentSizes[buffer.segmentSizes.count - 1].size += size
            buffer.isMarked = count == 0
            if count > 0 { buffer.outstanding[buffer.end.segment, default: 0] += 1 }
            return buffer.end
        }
    }

    /// Goes on in a new segment, so that what came before can be removed as a whole.
    func beginSegment() throws(StorageError) {
        buffer.withLock { $0.beginSegment() }
        _ = try write(syncing: true)
    }

    /// Notes that a batch reached the memtables.
    func applied(_ position: LogPosition) {
        buffer.withLock { buffer in
            guard let count = buffer.outstanding[position.segment] else { return }
            buffer.outstanding[position.segment] = count > 1 ? count - 1 : nil
        }
    }

    /// Writes what was appended, and syncs it if asked to.
    ///
    /// The first failure poisons: what the disk holds is unknown from then on.
    func write(syncing: Bool) throws(StorageError) -> LogPosition {
        try writer.withLock { writer throws(StorageError) -> LogPosition in
            let (chunks, end) = try buffer.withLock { buffer throws(StorageError) in
                if let poison = buffer.poison { throw .poisoned(reason: poison) }
                defer { buffer.chunks = [] }
                return (buffer.chunks, buffer.end)
            }
            do throws(StorageError) {
                for chunk in chunks {
                    if chunk.segment != writer.segment { try roll(&writer, to: chunk) }
                    try onDisk { () throws(FileSystemError) in
                        try writer.file.append(chunk.bytes.span.bytes)
                    }
                    writer.isUnsynced = true
                }
                if syncing, writer.isUnsynced {
                    try onDisk { () throws(FileSystemError) in try writer.file.sync() }
                    writer.isUnsynced = false
                }
            } catch {
                poison("the log could not be written: \(error)")
                throw error
            }
            return buffer.withLock { buffer in
                if syncing { buffer.durable = end }
                return end
            }
        }
    }

    /// Ends a segment, with all its bytes on the disk, and begins the next.
    private func roll(_ writer: inout Writer, to chunk: Chunk) throws(StorageError) {
        let file = try Self.createSegment(
            chunk.segment,
            previousEnd: chunk.previousEnd,
            files: files,
            directory: directory,
            identity: options.identity
        )
        try onDisk { () throws(FileSystemError) in
            try writer.file.sync()
            try writer.file.close()
            try files.syncDirectory(FileNames.logDirectory(directory))
        }
        writer = Writer(file: file, segment: chunk.segment, isUnsynced: true)
    }

    /// Refuses all writes from now on.
    func poison(_ reason: String) {
        buffer.withLock { buffer in
            if buffer.poison == nil { buffer.poison = reason }
        }
    }

    func close() throws(StorageError) {
        buffer.withLock { $0.isClosed = true }
        try writer.withLock { writer throws(StorageError) in
            try onDisk { () throws(FileSystemError) in try writer.file.close() }
        }
    }

    /// What `append` would be told now.
    var refusal: StorageError? {
        buffer.withLock { buffer in
            buffer.isClosed ? .closed : buffer.poison.map { .poisoned(reason: $0) }
        }
    }

    var durable: LogPosition { buffer.withLock { $0.durable } }
    var end: LogPosition { buffer.withLock { $0.end } }
    var sizeInBytes: Int { buffer.withLock { $0.segmentSizes.reduce(0) { $0 + $1.size } } }

    /// Whether everything is synced and the file does not say so yet.
    var needsMark: Bool {
        buffer.withLock { !$0.isMarked && $0.poison == nil && $0.end == $0.durable }
    }

    /// The first segment with a batch that was not applied, or the current one.
    var oldestOutstanding: UInt64 {
        buffer.withLock { buffer in buffer.outstanding.keys.min() ?? buffer.end.segment }
    }

    /// The bounds of the segments that recovery would read.
    var segments: ClosedRange<UInt64> {
        buffer.withLock { buffer in
            (buffer.segmentSizes.first?.number ?? buffer.end.segment)...buffer.end.segment
        }
    }

    /// Removes the segments before `first`, which no manifest needs any more.
    func trim(before first: UInt64) throws(StorageError) {
        let doomed = buffer.withLock { buffer in
            let doomed = buffer.segmentSizes.filter { $0.number < first }.map(\.number)
            buffer.segmentSizes.removeAll { $0.number < first }
            return doomed
        }
        for number in doomed {
            try onDisk { () throws(FileSystemError) in
                try files.remove(FileNames.segment(number, in: directory))
            }
        }
    }
}
