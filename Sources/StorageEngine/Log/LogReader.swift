package import ByteCoding
package import FileSystems

/// Reads the segments that a stopped engine left, and finds where the log ends.
///
/// Damage above the highest sync mark is a torn tail: the log ends there, even with whole batches
/// behind it, since sectors of an unsynced write reach the disk in any order. Damage below it is
/// corruption; it is reported, and sound batches behind it are kept.
package struct LogReader {
    private let files: any FileSystem
    private let directory: String
    private let identity: UInt64

    /// A reader of an engine's log.
    package init(files: any FileSystem, directory: String, identity: UInt64) {
        self.files = files
        self.directory = directory
        self.identity = identity
    }

    /// A batch as it was written, all its records checked.
    package struct Batch: Sendable {
        /// Where it begins.
        package let position: LogPosition
        /// The place behind it.
        package let end: LogPosition
        /// The number of its first record.
        package let sequence: UInt64
        /// Number of its records, at least one.
        package let count: Int
        /// Its records, in the bytes of the segment.
        package let payload: ByteRange
    }

    /// What one segment holds.
    package struct Segment: Sendable {
        /// Its number.
        package let number: UInt64
        /// All bytes of its file.
        package let bytes: [UInt8]
        /// The batches that are kept, without marks.
        package internal(set) var batches: [Batch] = []
        /// Where its last kept batch ends.
        package internal(set) var validEnd = 0
    }

    /// The log up to its end.
    package struct Contents: Sendable {
        /// The segments up to the end, ascending.
        package internal(set) var segments: [Segment] = []
        /// The highest position known to have been synced.
        package internal(set) var mark = LogPosition(segment: 0, offset: 0)
        /// Where the log ends; of a clean log the mark.
        package internal(set) var end = LogPosition(segment: 0, offset: 0)
        /// A number above those of all records that were ever given a place, lost ones included.
        package internal(set) var nextSequence: UInt64 = 0
        /// Whether all batches that were kept are known to be on the disk, none is missing, and
        /// none lies behind the end: the segments may stay.
        package internal(set) var isClean = false
        /// What is damaged below the mark.
        package internal(set) var damage: [LogDamage] = []
    }

    /// How many numbers are left out at each start, for records that were given one and lost.
    static let sequenceLeap: UInt64 = 1 << 32

    /// Reads the segments from `first` on.
    ///
    /// - Parameters:
    ///   - first: what the manifest says that the log begins with, whose header is on the disk
    ///     since; nil if there is no manifest, for the lowest there is.
    ///   - numbers: of the segments there are, ascending.
    ///   - mark: a position known from elsewhere to have been synced.
    /// - Returns: the log; damage below the mark is among it.
    /// - Throws: `unsupportedFormat`, `io`.
    package func read(
        from first: UInt64?,
        numbers: [UInt64],
        mark: LogPosition = LogPosition(segment: 0, offset: 0)
    ) throws(StorageError) -> Contents {
        var scans: [LogScan] = []
        var contents = Contents()
        contents.mark = mark
        if let first {
            let start = UInt64(LogFormat.segmentHeaderSize)
            contents.mark = max(mark, LogPosition(segment: first, offset: start))
        }
        let first = first ?? numbers.first ?? 1
        for number in numbers where number >= first && number < .max {
            let path = FileNames.segment(number, in: directory)
            let scan = LogScan(
                number: number,
                bytes: try readWhole(path, on: files),
                identity: identity
            )
            if let version = scan.header?.version, version != LogFormat.version {
                throw .unsupportedFormat(file: path, version: version)
            }
            contents.mark = max(contents.mark, scan.mark)
            contents.nextSequence = max(contents.nextSequence, scan.nextSequence)
            scans.append(scan)
        }
        contents.nextSequence = scans.isEmpty ? 1 : contents.nextSequence + Self.sequenceLeap
        var walk = LogWalk(directory: directory, first: first, contents: contents)
        walk.walk(scans)
        return walk.contents
    }
}

/// All bytes of a file.
func readWhole(_ path: String, on files: any FileSystem) throws(StorageError) -> [UInt8] {
    try onDisk { () throws(FileSystemError) in
        try files.openForReading(path).read(at: 0, count: try files.size(of: path))
    }
}
