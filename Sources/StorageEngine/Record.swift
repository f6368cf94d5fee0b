internal import ByteCoding

/// One record inside a batch's bytes.
///
///     record := tree: uint32, keyLength: uint16, flags: uint16, valueLength: uint32,
///               checksum: uint32, stamp: uint64, prefix: uint64 (the most significant byte first),
///               key, value
///
/// Prefix and key make up the ordered key in one run. The checksum is CRC32C over the record with a
/// zero in its place; in the log it is joined with the word of the record's place. Flag 1 says that
/// the record is a deletion; `keyLength` is without the prefix.
struct Record {
    static let headerSize = 32
    // On disk: never renumber.
    static let deletionFlag: UInt16 = 1

    let tree: UInt32
    let stamp: UInt64
    let isDeletion: Bool
    /// Prefix and key.
    let orderedKey: ByteRange
    let value: ByteRange
    let prefix: UInt64
    /// As it stands in the bytes; not checked.
    let checksum: UInt32

    /// The key without its prefix.
    var key: ByteRange {
        ByteRange(offset: orderedKey.offset + prefixSize, count: orderedKey.count - prefixSize)
    }

    /// The record at `offset`, or nil where the bytes hold none.
    init?(in bytes: RawSpan, at offset: Int) {
        guard offset >= 0, bytes.byteCount - offset >= Self.headerSize else { return nil }
        let first = LogFormat.word(bytes, offset)
        let second = LogFormat.word(bytes, offset + 8)
        let keyLength = Int(UInt16(truncatingIfNeeded: first >> 32))
        let valueLength = Int(UInt32(truncatingIfNeeded: second))
        guard keyLength + valueLength <= bytes.byteCount - offset - Self.headerSize else {
            return nil
        }
        tree = UInt32(truncatingIfNeeded: first)
        isDeletion = UInt16(truncatingIfNeeded: first >> 48) & Self.deletionFlag != 0
        checksum = UInt32(truncatingIfNeeded: second >> 32)
        stamp = LogFormat.word(bytes, offset + 16)
        prefix = LogFormat.word(bytes, offset + 24).byteSwapped
        orderedKey = ByteRange(
            offset: offset + Self.headerSize - prefixSize,
            count: prefixSize + keyLength
        )
        value = ByteRange(offset: offset + Self.headerSize + keyLength, count: valueLength)
    }

    /// The first record of a payload that is not what was written.
    struct Damage {
        let offset: Int
        let expected: UInt32
        let found: UInt32
    }

    /// Checks the records of a payload that lies in `bytes`, the bytes of a segment.
    ///
    /// - Returns: the first that is damaged; nil if all are sound and fill the payload.
    static func damage(
        in bytes: RawSpan,
        payload: ByteRange,
        count: Int,
        sequence: UInt64,
        place: LogPlace
    ) -> Damage? {
        let payloadBytes = bytes.extracting(0..<payload.end)
        var offset = payload.offset
        for index in 0..<count {
            guard let record = Record(in: payloadBytes, at: offset) else {
                return Damage(offset: offset, expected: UInt32(clamping: count), found: 0)
            }
            let word = place.word(offset: offset, sequence: sequence + UInt64(index))
            let found =
                LogFormat.checksumWithoutField(
                    payloadBytes,
                    at: offset,
                    count: record.value.end - offset
                ) ^ word
            guard found == record.checksum else {
                return Damage(offset: offset, expected: record.checksum, found: found)
            }
            offset = record.value.end
        }
        guard offset == payload.end else {
            return Damage(
                offset: offset,
                expected: UInt32(clamping: payload.end),
                found: UInt32(clamping: offset)
            )
        }
        return nil
    }

    /// Binds the checksums of the records from `start` of `bytes` to their places.
    ///
    /// `bytes` hold `count` records of a batch from `start` on; the first lies at `offset` of its
    /// segment.
    static func bind(
        _ bytes: inout [UInt8],
        from start: Int,
        count: Int,
        at offset: Int,
        sequence: UInt64,
        place: LogPlace
    ) {
        var span = bytes.mutableSpan
        // Safe: a batch's bytes are whole records, whose lengths lead from one to the next.
        unsafe span.withUnsafeMutableBytes { buffer in
            var at = start
            for index in 0..<count {
                let first = UInt64(
                    littleEndian: unsafe buffer.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                )
                let second = UInt64(
                    littleEndian: unsafe buffer.loadUnaligned(
                        fromByteOffset: at + 8,
                        as: UInt64.self
                    )
                )
                let word = place.word(
                    offset: offset + at - start,
                    sequence: sequence + UInt64(index)
                )
                unsafe buffer.storeBytes(
                    of: (second ^ UInt64(word) << 32).littleEndian,
                    toByteOffset: at + 8,
                    as: UInt64.self
                )
                at +=
                    headerSize + Int(UInt16(truncatingIfNeeded: first >> 32))
                    + Int(UInt32(truncatingIfNeeded: second))
            }
        }
    }
}
