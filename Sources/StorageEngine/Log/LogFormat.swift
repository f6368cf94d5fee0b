internal import ByteCoding

/// The bytes of log segments.
///
///     segment := header, batch*, whatever the file held before
///     header  := magic: uint64, version: uint32, checksum: uint32, segment: uint64,
///                previousEnd: uint64, sequence: uint64
///     batch   := magic: uint32, count: uint32, length: uint32, checksum: uint32,
///                sequence: uint64, syncedSegment: uint64, syncedOffset: uint64,
///                lowest: uint64, highest: uint64, record*: length bytes,
///                zeros up to a multiple of eight
///
/// Checksums are CRC32C over a header with a zero in the checksum's place, joined with the word of
/// its place (`LogPlace`); records carry their own. `previousEnd` is where the segment before ends,
/// whatever lies behind, or all ones where a log begins anew; `sequence` is the number of the first
/// record to come; `synced` is what
/// was known to be on the disk when the batch was written; `lowest` and `highest` are the bounds of
/// the records' prefixes. A batch of no records is a mark; it takes one number too.
enum LogFormat {
    // On disk: never renumber.
    static let segmentMagic: UInt64 = 0x314C_474F_4C52_4753
    static let batchMagic: UInt32 = 0xB47C_4A17
    static let version: UInt32 = 1

    static let segmentHeaderSize = 40
    static let batchHeaderSize = 56
    /// Batches begin at multiples of it, which makes searching for them fast.
    static let alignment = 8
    /// In the place of `previousEnd`: the log begins anew with the segment.
    static let anew = UInt64.max
    /// Numbers from here on are taken for damage, so that counting on from one never overflows.
    static let sequenceLimit: UInt64 = 1 << 63

    /// The bytes that a batch takes with a payload.
    static func batchSize(payload: Int) -> Int {
        (batchHeaderSize + payload + alignment - 1) & ~(alignment - 1)
    }

    /// The header of a segment.
    static func segmentHeader(
        place: LogPlace,
        segment: UInt64,
        previousEnd: UInt64,
        sequence: UInt64
    ) -> [UInt8] {
        var writer = ByteWriter(capacity: segmentHeaderSize)
        writer.uint64(segmentMagic)
        writer.uint32(version)
        writer.uint32(0)
        writer.uint64(segment)
        writer.uint64(previousEnd)
        writer.uint64(sequence)
        let checksum = CRC32C.checksum(writer.bytes) ^ place.word(offset: 0, sequence: 0)
        writer.patchUInt32(checksum, at: 12)
        return writer.bytes
    }

    /// The fields of a segment's header.
    struct SegmentHeader {
        let version: UInt32
        let previousEnd: UInt64
        let sequence: UInt64
    }

    /// The header at the beginning of a file, or nil if it is none of this segment's.
    static func segmentHeader(
        in bytes: RawSpan,
        place: LogPlace,
        segment: UInt64
    ) -> SegmentHeader? {
        guard bytes.byteCount >= segmentHeaderSize,
            word(bytes, 0) == segmentMagic,
            word(bytes, 16) == segment
        else { return nil }
        let checksum = UInt32(truncatingIfNeeded: word(bytes, 8) >> 32)
        let found =
            checksumWithoutField(bytes, at: 0, count: segmentHeaderSize)
            ^ place.word(offset: 0, sequence: 0)
        guard found == checksum, word(bytes, 32) < sequenceLimit else { return nil }
        return SegmentHeader(
            version: UInt32(truncatingIfNeeded: word(bytes, 8)),
            previousEnd: word(bytes, 24),
            sequence: word(bytes, 32)
        )
    }

    /// The fields of a batch's header.
    struct BatchHeader {
        var count: Int
        var length: Int
        var sequence: UInt64
        var synced: LogPosition
        var lowest: UInt64
        var highest: UInt64

        /// The number behind those of its records.
        var nextSequence: UInt64 { sequence + UInt64(max(1, count)) }
    }

    /// Appends the header of a batch at an offset of a segment.
    static func append(
        _ header: BatchHeader,
        at offset: Int,
        place: LogPlace,
        to bytes: inout [UInt8]
    ) {
        var words: InlineArray<7, UInt64> = [
            (UInt64(batchMagic) | UInt64(header.count) << 32).littleEndian,
            UInt64(header.length).littleEndian,
            header.sequence.littleEndian,
            header.synced.segment.littleEndian,
            header.synced.offset.littleEndian,
            header.lowest.littleEndian,
            header.highest.littleEndian,
        ]
        let checksum =
            CRC32C.checksum(words.span.bytes) ^ place.word(offset: offset, sequence: 0)
        words[1] = (UInt64(header.length) | UInt64(checksum) << 32).littleEndian
        unsafe words.span.bytes.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// The header at an offset of a segment's bytes, or nil where there is none that is whole.
    static func batchHeader(in bytes: RawSpan, at offset: Int, place: LogPlace) -> BatchHeader? {
        guard bytes.byteCount - offset >= batchHeaderSize else { return nil }
        let first = word(bytes, offset)
        guard UInt32(truncatingIfNeeded: first) == batchMagic else { return nil }
        let second = word(bytes, offset + 8)
        let found =
            checksumWithoutField(bytes, at: offset, count: batchHeaderSize)
            ^ place.word(offset: offset, sequence: 0)
        let count = Int(first >> 32)
        let length = Int(UInt32(truncatingIfNeeded: second))
        let sequence = word(bytes, offset + 16)
        guard found == UInt32(truncatingIfNeeded: second >> 32), sequence < sequenceLimit,
            count <= length / Record.headerSize, count > 0 || length == 0
        else { return nil }
        return BatchHeader(
            count: count,
            length: length,
            sequence: sequence,
            synced: LogPosition(
                segment: word(bytes, offset + 24),
                offset: word(bytes, offset + 32)
            ),
            lowest: word(bytes, offset + 40),
            highest: word(bytes, offset + 48)
        )
    }

    /// The checksum of bytes that carry theirs at offset 12, with a zero in its place; at least 16
    /// bytes, which `bytes` must hold.
    static func checksumWithoutField(_ bytes: RawSpan, at offset: Int, count: Int) -> UInt32 {
        let start: InlineArray<2, UInt64> = [
            word(bytes, offset).littleEndian,
            (word(bytes, offset + 8) & 0xFFFF_FFFF).littleEndian,
        ]
        let seed = CRC32C.checksum(start.span.bytes)
        return CRC32C.checksum(bytes.extracting(offset + 16..<offset + count), seed: seed)
    }

    /// Four bytes at an offset, which `bytes` must hold.
    static func word32(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        UInt64(
            UInt32(
                littleEndian: unsafe bytes.unsafeLoadUnaligned(
                    fromByteOffset: offset,
                    as: UInt32.self
                )
            )
        )
    }

    /// Eight bytes at an offset, which `bytes` must hold.
    static func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        )
    }
}

/// Binds checksums to one segment of one engine, an offset and a number.
///
/// Two places that differ in one of the three have different words for certain (in the number's
/// low 32 bits), so that what a recycled segment held before, a write that went astray in its
/// segment, or a batch that was taken back is never taken for what belongs there.
struct LogPlace {
    private let base: UInt32

    // On disk: never renumber.
    init(identity: UInt64, segment: UInt64) {
        var mixed = (identity ^ identity >> 33) &* 0xFF51_AFD7_ED55_8CCD
        mixed ^= mixed >> 32
        base =
            UInt32(truncatingIfNeeded: mixed)
            ^ UInt32(truncatingIfNeeded: segment) &* 0xC2B2_AE3D
    }

    // On disk: never renumber.
    /// What a checksum is joined with by exclusive or.
    func word(offset: Int, sequence: UInt64) -> UInt32 {
        base ^ UInt32(truncatingIfNeeded: offset) &* 0x9E37_79B1
            ^ UInt32(truncatingIfNeeded: sequence) &* 0x85EB_CA77
    }
}
