internal import ByteCoding

/// The bytes of log segments.
///
///     segment := header, batch*
///     header  := magic: 8 bytes, version: uint32, reserved: uint32, segment: uint64,
///                previousEnd: uint64, checksum: uint32, reserved: uint32
///     batch   := magic: uint32, count: uint32, length: uint32, payloadChecksum: uint32,
///                syncedSegment: uint64, syncedOffset: uint64, headerChecksum: uint32,
///                reserved: uint32, payload: length bytes of records
///
/// Header checksums are CRC32C over the file's identity, the offset and the fields before them; a
/// payload is bound through its checksum. A batch of no records is a mark. `previousEnd` is where
/// the segment before ends, whatever lies behind; `synced` is what was known to be on the disk
/// when the batch was written.
enum LogFormat {
    // On disk: never renumber.
    static let segmentMagic: UInt64 = 0x314C_474F_4C52_4753
    static let batchMagic: UInt32 = 0xB47C_4A17
    static let version: UInt32 = 1
    static let fileKind: UInt64 = 0x4C4F_4700_0000_0000

    static let segmentHeaderSize = 40
    static let batchHeaderSize = 40

    /// Binds a checksum to a file of this engine and a place in it.
    static func seed(identity: UInt64, kind: UInt64, file: UInt64, offset: UInt64) -> UInt32 {
        var writer = ByteWriter(capacity: 24)
        writer.uint64(identity)
        writer.uint64(kind ^ file)
        writer.uint64(offset)
        return CRC32C.checksum(writer.bytes)
    }

    static func segmentHeader(identity: UInt64, segment: UInt64, previousEnd: UInt64) -> [UInt8] {
        var writer = ByteWriter(capacity: segmentHeaderSize)
        writer.uint64(segmentMagic)
        writer.uint32(version)
        writer.uint32(0)
        writer.uint64(segment)
        writer.uint64(previousEnd)
        let seed = seed(identity: identity, kind: fileKind, file: segment, offset: 0)
        writer.uint32(CRC32C.checksum(writer.bytes, seed: seed))
        writer.uint32(0)
        return writer.bytes
    }

    /// The fields of a batch header.
    struct BatchHeader {
        var count: UInt32
        var payloadChecksum: UInt32
        var length: Int
        var synced: LogPosition
    }

    static func append(
        _ header: BatchHeader,
        identity: UInt64,
        at position: LogPosition,
        to bytes: inout [UInt8]
    ) {
        var writer = ByteWriter(capacity: batchHeaderSize)
        writer.uint32(batchMagic)
        writer.uint32(header.count)
        writer.uint32(UInt32(header.length))
        writer.uint32(header.payloadChecksum)
        writer.uint64(header.synced.segment)
        writer.uint64(header.synced.offset)
        let seed = seed(
            identity: identity,
            kind: fileKind,
            file: position.segment,
            offset: position.offset
        )
        writer.uint32(CRC32C.checksum(writer.bytes, seed: seed))
        writer.uint32(0)
        bytes.append(contentsOf: writer.bytes)
    }

    /// The header at an offset of a segment's bytes, or nil where there is none that is whole.
    static func batchHeader(
        in bytes: RawSpan,
        at offset: Int,
        identity: UInt64,
        segment: UInt64
    ) -> BatchHeader? {
        var reader = ByteReader(
            ByteRange(offset: offset, count: bytes.byteCount - offset)
        )
        do throws(CodingError) {
            guard try reader.uint32(in: bytes) == batchMagic else { return nil }
            let count = try reader.uint32(in: bytes)
            let length = try reader.uint32(in: bytes)
            let payloadChecksum = try reader.uint32(in: bytes)
            let syncedSegment = try reader.uint64(in: bytes)
            let syncedOffset = try reader.uint64(in: bytes)
            let fields = bytes.extracting(offset..<reader.position)
            let checksum = try reader.uint32(in: bytes)
            guard try reader.uint32(in: bytes) == 0 else { return nil }
            let seed = seed(
                identity: identity,
                kind: fileKind,
                file: segment,
                offset: UInt64(offset)
            )
            guard CRC32C.checksum(fields, seed: seed) == checksum else { return nil }
            return BatchHeader(
                count: count,
                payloadChecksum: payloadChecksum,
                length: Int(length),
                synced: LogPosition(segment: syncedSegment, offset: syncedOffset)
            )
        } catch {
            return nil
        }
    }
}
