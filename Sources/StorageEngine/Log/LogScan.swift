internal import ByteCoding

/// The batches in the bytes of one segment file.
///
/// The whole file is searched, also behind damage, since the mark that tells damage from a torn
/// tail lies behind it. What the file held in an earlier life, under another number, is passed
/// over.
struct LogScan {
    /// A batch whose header is whole.
    struct Entry {
        let offset: Int
        let header: LogFormat.BatchHeader
        /// The first record that is not what was written.
        let damage: Record.Damage?

        var payload: ByteRange {
            ByteRange(offset: offset + LogFormat.batchHeaderSize, count: header.length)
        }
        /// Where the next batch begins.
        var end: Int { offset + LogFormat.batchSize(payload: header.length) }
    }

    let number: UInt64
    let bytes: [UInt8]
    /// Nil if the file begins with no header of this segment.
    let header: LogFormat.SegmentHeader?
    private(set) var entries: [Entry] = []
    /// The highest position that is said to be synced.
    private(set) var mark = LogPosition(segment: 0, offset: 0)
    /// The number behind those of all batches.
    private(set) var nextSequence: UInt64

    init(number: UInt64, bytes: [UInt8], identity: UInt64) {
        self.number = number
        self.bytes = bytes
        let place = LogPlace(identity: identity, segment: number)
        let span = bytes.span.bytes
        header = LogFormat.segmentHeader(in: span, place: place, segment: number)
        nextSequence = header?.sequence ?? 0
        var offset = LogFormat.segmentHeaderSize
        while let next = Self.nextMagic(in: span, from: offset) {
            guard let batch = LogFormat.batchHeader(in: span, at: next, place: place) else {
                offset = next + LogFormat.alignment
                continue
            }
            let payload = ByteRange(
                offset: next + LogFormat.batchHeaderSize,
                count: batch.length
            )
            var damage: Record.Damage?
            if payload.end > span.byteCount {
                damage = Record.Damage(
                    offset: span.byteCount,
                    expected: UInt32(clamping: payload.end),
                    found: UInt32(clamping: span.byteCount)
                )
            } else {
                damage = Record.damage(
                    in: span,
                    payload: payload,
                    count: batch.count,
                    sequence: batch.sequence,
                    place: place
                )
            }
            let entry = Entry(offset: next, header: batch, damage: damage)
            entries.append(entry)
            mark = max(mark, batch.synced)
            nextSequence = max(nextSequence, batch.nextSequence)
            offset = entry.end
        }
    }

    /// The first place from `start`, a multiple of the alignment, where a batch may begin.
    private static func nextMagic(in bytes: RawSpan, from start: Int) -> Int? {
        // Safe: each load ends at or before the span's end, since `last` leaves room for a header.
        unsafe bytes.withUnsafeBytes { buffer in
            let last = buffer.count - LogFormat.batchHeaderSize
            var offset = start
            while offset <= last {
                let word = unsafe buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                if UInt32(littleEndian: word) == LogFormat.batchMagic { return offset }
                offset += LogFormat.alignment
            }
            return nil
        }
    }
}
