internal import ByteCoding
internal import FileSystems

/// What was appended to the log and not written yet, and what is known of the rest.
///
/// Numbers of records, not positions, tell what became of a batch: after the disk was full
/// positions are given a second time, numbers never.
struct LogBuffer {
    /// Bytes for one segment that are to be written.
    struct Chunk {
        let segment: UInt64
        /// Where the segment before ends.
        let previousEnd: UInt64
        /// The number of the segment's first record.
        let firstSequence: UInt64
        let bytes: [UInt8]
        let end: LogPosition
        /// The number behind the chunk's last record.
        let endSequence: UInt64
    }

    /// What is to be written: chunks of segments that are full, and then that of the current one.
    struct Taken {
        var sealed: [Chunk] = []
        var current: Chunk?
    }

    /// A segment that recovery would read.
    struct Segment {
        let number: UInt64
        /// The number of its first record; 0 if all its batches were applied before.
        var firstSequence: UInt64 = 0
        /// Bytes up to the end of its last batch.
        var size: Int
        /// Bytes of its file, as far as known.
        var allocated: Int
        /// Whether its name and header are on the disk.
        var isSecured = false
        /// Batches that were written and not applied.
        var settled = 0
        /// Batches that are being written and were not applied.
        var taken = 0
        /// Batches that wait to be written and were not applied.
        var fresh = 0

        var outstanding: Int { settled + taken + fresh }
    }

    /// Records that were taken back since the disk was full.
    struct Dropped {
        var sequences: Range<UInt64>
        var reason: FileSystemError
    }

    /// The most runs of dropped records that are told apart; older ones become one run, so that
    /// asking for a batch between them is answered as if it were lost.
    static let maximumDropped = 1024

    private(set) var end: LogPosition
    private(set) var nextSequence: UInt64
    /// The file has everything before it, in the disk's care or the kernel's.
    private(set) var written: LogPosition
    private(set) var writtenSequence: UInt64
    private(set) var durable: LogPosition
    private(set) var durableSequence: UInt64
    var poison: String?
    var isClosed = false
    /// Whether nothing but a mark was appended since the last mark.
    private(set) var isMarked = true
    private(set) var segments: [Segment]
    private(set) var dropped: [Dropped] = []
    /// How often records were taken back.
    private(set) var dropCount = 0

    /// Spare segments, by their numbers.
    var spares: [UInt64] = []
    var nextSpare: UInt64 = 1
    var isPreparingSpare = false
    /// Syncs of late, and the bytes that they put on the disk; what was before the current segment
    /// counts half, and half again with each segment.
    private var recentSyncs = 0
    private var recentSyncedBytes = 0
    /// `statistics.writtenBytes` at the last sync.
    private var bytesAtSync = 0
    var statistics = LogStatistics()

    private let identity: UInt64
    private let segmentSize: Int
    private var place: LogPlace
    private var bytes: [UInt8] = []
    private var previousEnd: UInt64 = 0
    private var firstSequence: UInt64
    private var sealed: [Chunk] = []
    private var takenSequence: UInt64

    /// Goes on at the beginning of the last of `segments`, whose header is on the disk.
    init(
        identity: UInt64,
        segmentSize: Int,
        segments: [Segment],
        durable: LogPosition,
        sequence: UInt64
    ) {
        self.identity = identity
        self.segmentSize = segmentSize
        self.segments = segments
        for index in segments.indices { self.segments[index].isSecured = true }
        let number = segments.last?.number ?? 0
        end = LogPosition(segment: number, offset: UInt64(LogFormat.segmentHeaderSize))
        written = end
        self.durable = durable
        nextSequence = sequence
        writtenSequence = sequence
        durableSequence = sequence
        takenSequence = sequence
        firstSequence = sequence
        place = LogPlace(identity: identity, segment: number)
    }

    // MARK: Appending

    /// Gives a batch its place behind the last.
    mutating func append(_ batch: borrowing WriteBatch) -> AppendedPosition {
        let payload = batch.bytes.count
        let size = LogFormat.batchSize(payload: payload)
        if Int(end.offset) + size > segmentSize { beginSegment() }
        let offset = Int(end.offset)
        let sequence = nextSequence
        let header = LogFormat.BatchHeader(
            count: batch.count,
            length: payload,
            sequence: sequence,
            synced: durable,
            lowest: batch.lowest,
            highest: batch.highest
        )
        LogFormat.append(header, at: offset, place: place, to: &bytes)
        let start = bytes.count
        bytes.append(contentsOf: batch.bytes)
        Record.bind(
            &bytes,
            from: start,
            count: batch.count,
            at: offset + LogFormat.batchHeaderSize,
            sequence: sequence,
            place: place
        )
        let padding = size - LogFormat.batchHeaderSize - payload
        if padding > 0 {
            unsafe withUnsafeBytes(of: UInt64(0)) { zeros in
                unsafe bytes.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: zeros[..<padding])
                )
            }
        }
        nextSequence = header.nextSequence
        end = LogPosition(segment: end.segment, offset: end.offset + UInt64(size))
        let last = segments.count - 1
        segments[last].size += size
        isMarked = batch.count == 0
        segments[last].fresh += 1
        return AppendedPosition(end: end, sequence: sequence)
    }

    /// Goes on in a new segment, unless the current one holds nothing yet.
    mutating func beginSegment() {
        guard end.offset > UInt64(LogFormat.segmentHeaderSize) else { return }
        sealed.append(sealedChunk())
        bytes = []
        previousEnd = end.offset
        firstSequence = nextSequence
        end = LogPosition(
            segment: end.segment + 1,
            offset: UInt64(LogFormat.segmentHeaderSize)
        )
        place = LogPlace(identity: identity, segment: end.segment)
        let size = LogFormat.segmentHeaderSize
        segments.append(
            Segment(
                number: end.segment,
                firstSequence: firstSequence,
                size: size,
                allocated: size
            )
        )
    }

    private func sealedChunk() -> Chunk {
        Chunk(
            segment: end.segment,
            previousEnd: previousEnd,
            firstSequence: firstSequence,
            bytes: bytes,
            end: end,
            endSequence: nextSequence
        )
    }

    // MARK: Writing

    /// Hands out what is to be written; `empty` takes the place of the buffer and is kept empty.
    ///
    /// One writer at a time: what was taken before is settled or dropped.
    mutating func take(recycling empty: inout [UInt8]) -> Taken {
        var taken = Taken(sealed: sealed)
        sealed = []
        if !bytes.isEmpty || end.segment != written.segment {
            taken.current = sealedChunk()
            bytes = []
            swap(&bytes, &empty)
        }
        takenSequence = nextSequence
        for index in segments.indices.reversed() {
            if segments[index].number < written.segment { break }
            segments[index].taken = segments[index].fresh
            segments[index].fresh = 0
        }
        return taken
    }

    /// Notes that the file of a segment was begun, with a file of so many bytes.
    mutating func began(_ chunk: borrowing Chunk, allocated: Int) {
        written = LogPosition(
            segment: chunk.segment,
            offset: UInt64(LogFormat.segmentHeaderSize)
        )
        writtenSequence = chunk.firstSequence
        recentSyncs /= 2
        recentSyncedBytes /= 2
        if let index = index(of: chunk.segment) { segments[index].allocated = allocated }
    }

    /// Notes that a chunk was written.
    mutating func wrote(_ chunk: borrowing Chunk) {
        written = chunk.end
        writtenSequence = chunk.endSequence
        statistics.writes += 1
        statistics.writtenBytes += chunk.bytes.count
        guard let index = index(of: chunk.segment) else { return }
        segments[index].settled += segments[index].taken
        segments[index].taken = 0
        segments[index].allocated = max(segments[index].allocated, Int(chunk.end.offset))
    }

    /// Notes that everything written is on the disk.
    mutating func synced() {
        durable = written
        durableSequence = writtenSequence
        for index in segments.indices where segments[index].number <= written.segment {
            segments[index].isSecured = true
        }
        let bytes = statistics.writtenBytes - bytesAtSync
        guard bytes > 0 else { return }
        bytesAtSync = statistics.writtenBytes
        recentSyncs += 1
        recentSyncedBytes += bytes
    }

    /// Notes that the name and the header of a segment are on the disk.
    mutating func secured(_ number: UInt64) {
        if let index = index(of: number) { segments[index].isSecured = true }
    }

    /// Whether writing over a segment is worth a spare: many syncs of few bytes go to each.
    ///
    /// A log that is hardly synced gains nothing from spares, and making one writes it twice.
    var isSyncedOften: Bool {
        recentSyncs >= 4 && recentSyncedBytes / recentSyncs <= segmentSize / Self.fewestSyncs
    }

    /// The syncs to a segment from which on a spare is worth while.
    private static let fewestSyncs = 16

    /// Whether the current segment grows with each batch.
    func isGrowing(below size: Int) -> Bool {
        (segments.last?.allocated ?? 0) < size
    }

    /// Takes back what is not written; its positions will be given again.
    mutating func drop(_ reason: FileSystemError) {
        dropCount += 1
        let lost = writtenSequence..<nextSequence
        if let last = dropped.last, last.sequences.upperBound == lost.lowerBound {
            dropped[dropped.count - 1].sequences = last.sequences.lowerBound..<lost.upperBound
            dropped[dropped.count - 1].reason = reason
        } else if !lost.isEmpty {
            dropped.append(Dropped(sequences: lost, reason: reason))
        }
        if dropped.count > Self.maximumDropped {
            let first = dropped.removeFirst()
            dropped[0].sequences =
                first.sequences.lowerBound..<dropped[0].sequences.upperBound
        }
        if durableSequence == writtenSequence { durableSequence = nextSequence }
        writtenSequence = nextSequence
        takenSequence = nextSequence
        segments.removeAll { $0.number > written.segment }
        end = written
        place = LogPlace(identity: identity, segment: end.segment)
        if let index = index(of: end.segment) {
            segments[index].size = Int(end.offset)
            segments[index].taken = 0
            segments[index].fresh = 0
        }
        bytes.removeAll(keepingCapacity: true)
        sealed = []
        isMarked = false
    }

    // MARK: What became of batches

    /// Why a record is not in the log, if it was taken back.
    func reasonDropped(_ sequence: UInt64) -> FileSystemError? {
        dropped.isEmpty ? nil : dropped.last { $0.sequences.contains(sequence) }?.reason
    }

    /// Notes that a batch reached the memtables or never will; of a dropped one it is known.
    mutating func settle(_ position: AppendedPosition) {
        guard reasonDropped(position.sequence) == nil, let index = index(of: position.end.segment)
        else { return }
        if position.sequence < writtenSequence {
            segments[index].settled = max(0, segments[index].settled - 1)
        } else if position.sequence < takenSequence {
            segments[index].taken = max(0, segments[index].taken - 1)
        } else {
            segments[index].fresh = max(0, segments[index].fresh - 1)
        }
    }

    /// The first segment with a batch that was not applied, or the current one.
    var oldestOutstanding: UInt64 {
        segments.first { $0.outstanding > 0 }?.number ?? end.segment
    }

    /// A number such that all batches with lower ones were applied or given up.
    var settledSequence: UInt64 {
        segments.first { $0.outstanding > 0 }?.firstSequence ?? nextSequence
    }

    /// Forgets the segments before `first` and returns them.
    mutating func removeSegments(before first: UInt64) -> [Segment] {
        let count = segments.prefix { $0.number < min(first, written.segment) }.count
        let removed = Array(segments.prefix(count))
        segments.removeFirst(count)
        return removed
    }

    private func index(of number: UInt64) -> Int? {
        segments.lastIndex { $0.number == number }
    }
}

/// What a log has done since it was opened.
package struct LogStatistics: Equatable, Sendable {
    /// Chunks written, one call to the disk each.
    package var writes = 0
    /// Bytes of batches written.
    package var writtenBytes = 0
    /// Times that the file was synced.
    package var syncs = 0
    /// Segments that were begun over a spare.
    package var recycled = 0
    /// Times that records were taken back since the disk was full.
    package var takenBack = 0
}
