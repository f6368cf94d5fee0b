internal import ByteCoding

/// Goes through the scanned segments in order, to where the log ends.
///
/// At each place that holds no sound batch the mark decides: below it the place is damage and the
/// walk goes on behind it, else the log ends.
struct LogWalk {
    private let directory: String
    private let first: UInt64
    private(set) var contents: LogReader.Contents
    private var sequence: UInt64 = 0
    private var hasEnded = false

    init(directory: String, first: UInt64, contents: LogReader.Contents) {
        self.directory = directory
        self.first = first
        self.contents = contents
        let start = LogPosition(segment: first, offset: UInt64(LogFormat.segmentHeaderSize))
        self.contents.end = start
    }

    mutating func walk(_ scans: [LogScan]) {
        var expected = first
        // A log that was begun anew is not whole until the manifest names its first segment.
        let scans = scans.prefix { $0.number == first || $0.header?.previousEnd != LogFormat.anew }
        for (index, scan) in scans.enumerated() {
            if scan.number != expected {
                meet(missing: expected, through: scan.number - 1)
                if hasEnded { break }
            }
            if scan.header == nil {
                meet(headerOf: scan)
                if hasEnded { break }
            }
            let next = index + 1 < scans.count ? scans[index + 1] : nil
            let isFollowed = next?.number == scan.number + 1
            walk(scan, limit: isFollowed ? next?.header?.previousEnd : nil)
            if hasEnded { break }
            expected = scan.number + 1
        }
        if !hasEnded, expected <= contents.mark.segment {
            meet(missing: expected, through: contents.mark.segment)
        }
        finish()
    }

    private mutating func walk(_ scan: LogScan, limit: UInt64?) {
        var segment = LogReader.Segment(number: scan.number, bytes: scan.bytes)
        var cursor = LogFormat.segmentHeaderSize
        segment.validEnd = cursor
        // Lower ones are of an earlier life of the file.
        sequence = max(sequence, scan.header?.sequence ?? 0)
        for entry in scan.entries {
            if let limit, UInt64(entry.offset) >= limit { break }
            // Numbers only grow: a lower one is of a batch that was taken back.
            if entry.header.sequence < sequence { continue }
            if entry.offset != cursor {
                pass(cursor, to: entry.offset, of: scan)
                if hasEnded { break }
                cursor = entry.offset
            }
            if let damage = entry.damage {
                meet(damage, of: entry, in: scan)
                if hasEnded { break }
            } else {
                keep(entry, in: &segment)
                segment.validEnd = entry.end
            }
            cursor = entry.end
        }
        if !hasEnded {
            if let limit, UInt64(cursor) < limit {
                pass(cursor, to: Int(clamping: limit), of: scan)
            } else if limit == nil, contents.mark.segment == scan.number {
                pass(cursor, to: Int(clamping: contents.mark.offset), of: scan)
            }
        }
        contents.end = LogPosition(
            segment: scan.number,
            offset: hasEnded ? UInt64(segment.validEnd) : min(limit ?? .max, UInt64(cursor))
        )
        contents.segments.append(segment)
    }

    private mutating func keep(_ entry: LogScan.Entry, in segment: inout LogReader.Segment) {
        sequence = entry.header.nextSequence
        guard entry.header.count > 0 else { return }
        segment.batches.append(
            LogReader.Batch(
                position: LogPosition(segment: segment.number, offset: UInt64(entry.offset)),
                end: LogPosition(segment: segment.number, offset: UInt64(entry.end)),
                sequence: entry.header.sequence,
                count: entry.header.count,
                payload: entry.payload
            )
        )
    }

    /// Passes over bytes without a whole header.
    private mutating func pass(_ start: Int, to end: Int, of scan: LogScan) {
        guard start < end else { return }
        let position = LogPosition(segment: scan.number, offset: UInt64(start))
        guard position < contents.mark else {
            hasEnded = true
            return
        }
        var end = end
        if contents.mark.segment == scan.number, contents.mark.offset < UInt64(end) {
            // What lies behind the mark is torn as well, and nothing behind it counts.
            end = Int(clamping: contents.mark.offset)
            hasEnded = true
        }
        let span = scan.bytes.span.bytes
        report(
            scan.number,
            offset: start,
            length: end - start,
            expected: UInt64(LogFormat.batchMagic),
            found: start + 4 <= span.byteCount
                ? LogFormat.word32(span, start) : 0,
            what: "no whole header of a batch, though the log was synced through \(contents.mark)"
        )
    }

    private mutating func meet(
        _ damage: Record.Damage,
        of entry: LogScan.Entry,
        in scan: LogScan
    ) {
        let position = LogPosition(segment: scan.number, offset: UInt64(entry.offset))
        guard position < contents.mark else {
            hasEnded = true
            return
        }
        sequence = entry.header.nextSequence
        let (lowest, highest) = (entry.header.lowest, entry.header.highest)
        report(
            scan.number,
            offset: entry.offset,
            length: entry.end - entry.offset,
            expected: UInt64(damage.expected),
            found: UInt64(damage.found),
            what: "a record at byte \(damage.offset) is not what was written",
            prefixes: lowest <= highest ? lowest...highest : nil
        )
    }

    private mutating func meet(missing first: UInt64, through last: UInt64) {
        guard LogPosition(segment: first, offset: 0) < contents.mark else {
            hasEnded = true
            return
        }
        report(
            first,
            offset: 0,
            length: nil,
            expected: last,
            found: 0,
            what: "the segments \(first) to \(last) are missing, though the log was synced through "
                + "\(contents.mark)"
        )
    }

    private mutating func meet(headerOf scan: LogScan) {
        guard LogPosition(segment: scan.number, offset: 0) < contents.mark else {
            hasEnded = true
            return
        }
        let span = scan.bytes.span.bytes
        report(
            scan.number,
            offset: 0,
            length: LogFormat.segmentHeaderSize,
            expected: LogFormat.segmentMagic,
            found: span.byteCount >= 8 ? LogFormat.word(span, 0) : 0,
            what: "no whole header of the segment, though the log was synced through "
                + "\(contents.mark)"
        )
    }

    private mutating func report(
        _ segment: UInt64,
        offset: Int,
        length: Int?,
        expected: UInt64,
        found: UInt64,
        what: String,
        prefixes: ClosedRange<UInt64>? = nil
    ) {
        contents.damage.append(
            LogDamage(
                file: FileNames.segment(segment, in: directory),
                offset: offset,
                length: length,
                expected: expected,
                found: found,
                what: what,
                prefixes: prefixes
            )
        )
    }

    /// Decides whether the segments may stay, and cuts marks behind the mark off.
    private mutating func finish() {
        let start = LogPosition(segment: first, offset: UInt64(LogFormat.segmentHeaderSize))
        let known = max(contents.mark, start)
        let last = contents.segments.last { !$0.batches.isEmpty }?.batches.last
        contents.isClean =
            contents.damage.isEmpty && contents.segments.first?.number == first
            && contents.end >= known && (last.map { $0.end <= known } ?? true)
        guard contents.isClean else { return }
        contents.end = known
        contents.segments.removeAll { $0.number > known.segment }
        if let index = contents.segments.indices.last,
            contents.segments[index].number == known.segment
        {
            contents.segments[index].validEnd = Int(clamping: known.offset)
        }
    }
}
