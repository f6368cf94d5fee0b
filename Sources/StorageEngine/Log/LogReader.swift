internal import ByteCoding
internal import FileSystems

/// Reads the segments that a stopped engine left, and finds where the log ends.
///
/// Damage above the highest sync mark is a torn tail: the log ends there, even with whole batches
/// behind it, since sectors of an unsynced write reach the disk in any order. Damage below it is
/// corruption. The mark that convicts lies behind the damage, so every segment is searched to its
/// end for headers.
struct LogReader {
    let files: any FileSystem
    let directory: String
    let identity: UInt64

    /// A batch as it was written.
    struct Batch {
        let position: LogPosition
        let count: Int
        let payload: ByteRange
    }

    /// What one segment file holds.
    struct Segment {
        let number: UInt64
        let bytes: [UInt8]
        /// Nil if the segment's header is not whole.
        var previousEnd: UInt64?
        var batches: [Batch] = []
        /// Where the first damage begins, or the file ends.
        var validEnd = 0
        var isWhole: Bool { validEnd == bytes.count }
    }

    /// The log up to its end.
    struct Contents {
        var segments: [Segment] = []
        /// The highest position known to have been synced.
        var mark = LogPosition(segment: 0, offset: 0)
        /// Where the log ends.
        var end = LogPosition(segment: 0, offset: 0)
    }

    /// Reads the segments from `first` on.
    ///
    /// - Throws: `corruption` for damage below the mark, `unsupportedFormat`, `io`.
    func read(from first: UInt64, numbers: [UInt64]) throws(StorageError) -> Contents {
        var contents = Contents()
        var found: [Segment] = []
        for number in numbers where number >= first {
            var segment = try load(number)
            scan(&segment, raising: &contents.mark)
            found.append(segment)
        }
        var expected = first
        for (index, segment) in found.enumerated() {
            guard segment.number == expected, segment.previousEnd != nil else {
                try convict(LogPosition(segment: expected, offset: 0), contents.mark)
                return contents
            }
            expected += 1
            var kept = segment
            let next = index + 1 < found.count ? found[index + 1] : nil
            if let next, next.number == segment.number + 1, let limit = next.previousEnd {
                kept.batches.removeAll { $0.position.offset >= limit }
                contents.segments.append(kept)
                contents.end = LogPosition(
                    segment: segment.number,
                    offset: min(limit, UInt64(segment.validEnd))
                )
                if UInt64(segment.validEnd) < limit {
                    try convict(contents.end, contents.mark)
                    return contents
                }
            } else {
                contents.segments.append(kept)
                contents.end = LogPosition(
                    segment: segment.number,
                    offset: UInt64(segment.validEnd)
                )
                if !segment.isWhole {
                    try convict(contents.end, contents.mark)
                    return contents
                }
            }
        }
        // A file that ends too early, or is missing at the end, lies below the mark as well.
        try convict(contents.end, contents.mark)
        return contents
    }

    private func convict(
        _ damage: LogPosition,
        _ mark: LogPosition
    ) throws(StorageError) {
        guard damage < mark else { return }
        throw .corruption(
            file: FileNames.segment(damage.segment, in: directory),
            offset: Int(clamping: damage.offset),
            expected: mark.offset,
            found: damage.offset,
            what: "no whole batch, though the log was synced through \(mark)"
        )
    }

    private func load(_ number: UInt64) throws(StorageError) -> Segment {
        let path = FileNames.segment(number, in: directory)
        let bytes = try readWhole(path, on: files)
        var segment = Segment(number: number, bytes: bytes)
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        var otherVersion: UInt32?
        do throws(CodingError) {
            let magic = try reader.uint64(in: span)
            let version = try reader.uint32(in: span)
            _ = try reader.uint32(in: span)
            let claimed = try reader.uint64(in: span)
            let previousEnd = try reader.uint64(in: span)
            let fields = span.extracting(0..<reader.position)
            let checksum = try reader.uint32(in: span)
            let reserved = try reader.uint32(in: span)
            let seed = LogFormat.seed(
                identity: identity,
                kind: LogFormat.fileKind,
                file: number,
                offset: 0
            )
            if magic == LogFormat.segmentMagic, claimed == number, reserved == 0,
                CRC32C.checksum(fields, seed: seed) == checksum
            {
                otherVersion = version == LogFormat.version ? nil : version
                segment.previousEnd = previousEnd
                segment.validEnd = LogFormat.segmentHeaderSize
            }
        } catch {
            // Too short for a header: torn or damaged, as the marks will tell.
        }
        if let otherVersion { throw .unsupportedFormat(file: path, version: otherVersion) }
        return segment
    }

    /// Takes the batches up to the first damage, then looks behind it for marks only.
    private func scan(_ segment: inout Segment, raising mark: inout LogPosition) {
        let bytes = segment.bytes
        let span = bytes.span.bytes
        var offset = LogFormat.segmentHeaderSize
        var isIntact = segment.previousEnd != nil
        while offset < span.byteCount {
            guard
                let header = LogFormat.batchHeader(
                    in: span,
                    at: offset,
                    identity: identity,
                    segment: segment.number
                )
            else {
                isIntact = false
                offset += 1
                continue
            }
            mark = max(mark, header.synced)
            let start = offset + LogFormat.batchHeaderSize
            guard
                header.length <= span.byteCount - start,
                CRC32C.checksum(span.extracting(start..<start + header.length))
                    == header.payloadChecksum
            else {
                isIntact = false
                offset += LogFormat.batchHeaderSize
                continue
            }
            if isIntact {
                segment.batches.append(
                    Batch(
                        position: LogPosition(segment: segment.number, offset: UInt64(offset)),
                        count: Int(header.count),
                        payload: ByteRange(offset: start, count: header.length)
                    )
                )
                segment.validEnd = start + header.length
            }
            offset = start + header.length
        }
    }
}

/// All bytes of a file.
func readWhole(_ path: String, on files: any FileSystem) throws(StorageError) -> [UInt8] {
    try onDisk { () throws(FileSystemError) in
        try files.openForReading(path).read(at: 0, count: try files.size(of: path))
    }
}
