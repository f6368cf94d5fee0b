internal import ByteCoding

/// The bytes of tables.
///
///     table   := block*, filter block, index block, footer
///     block   := type: uint8, codec: uint8 (0: none), reserved: uint16, length: uint32,
///                checksum: uint32, payload
///     data    := count: uint32, offset: uint32 × count (from the payload's start), entry*
///     entry   := prefix: uint64, stamp: uint64, keyLength: uint32, valueLength: uint32, key, value
///     filter  := count: uint32, word: uint64 × count
///     index   := count: uint32, (offset: uint64, length: uint32, prefix: uint64,
///                keyLength: uint32, key) × count     the first entry of each data block
///     footer  := indexOffset: uint64, indexLength: uint32, filterOffset: uint64,
///                filterLength: uint32, entries: uint64, newestStamp: uint64, tree: uint32,
///                version: uint32, number: uint64, checksum: uint32, magic: 8 bytes
///
/// Checksums are CRC32C over the engine's identity, the table's number, the offset, the fields
/// before the checksum, and the payload. Entries ascend by prefix, then by the key's bytes.
enum TableFormat {
    // On disk: never renumber.
    static let magic: UInt64 = 0x314C_4254_4C52_4753
    static let version: UInt32 = 1
    static let kind: UInt64 = 0x5442_4C00_0000_0000
    static let blockHeaderSize = 12
    static let entryHeaderSize = 24
    static let footerSize = 68

    /// What a block holds.
    enum BlockType: UInt8 {
        // On disk: never renumber.
        case data = 1
        case filter = 2
        case index = 3
    }

    /// Appends a block with its header.
    static func append(
        _ type: BlockType,
        _ payload: [UInt8],
        identity: UInt64,
        table: UInt64,
        at offset: UInt64,
        to writer: inout ByteWriter
    ) {
        var header = ByteWriter(capacity: 8)
        header.uint8(type.rawValue)
        header.uint8(0)
        header.uint16(0)
        header.uint32(UInt32(payload.count))
        let seed = LogFormat.seed(identity: identity, kind: kind, file: table, offset: offset)
        let checksum = CRC32C.checksum(
            payload,
            seed: CRC32C.checksum(header.bytes, seed: seed)
        )
        writer.raw(header.bytes)
        writer.uint32(checksum)
        writer.raw(payload)
    }

    /// Whether `block` is a whole block of this type.
    ///
    /// - Returns: the checksums expected and found if they differ or the header is wrong.
    static func mismatch(
        in block: RawSpan,
        type: BlockType,
        identity: UInt64,
        table: UInt64,
        at offset: UInt64
    ) -> (expected: UInt64, found: UInt64)? {
        var reader = ByteReader(over: block)
        do throws(CodingError) {
            let found = try reader.uint8(in: block)
            let codec = try reader.uint8(in: block)
            let reserved = try reader.uint16(in: block)
            let length = try reader.uint32(in: block)
            let header = block.extracting(0..<reader.position)
            let checksum = try reader.uint32(in: block)
            guard found == type.rawValue, codec == 0, reserved == 0 else {
                return (UInt64(type.rawValue), UInt64(found))
            }
            guard Int(length) == reader.remaining else {
                return (UInt64(length), UInt64(reader.remaining))
            }
            let seed = LogFormat.seed(identity: identity, kind: kind, file: table, offset: offset)
            let payload = block.extracting(reader.position..<block.byteCount)
            let actual = CRC32C.checksum(
                payload,
                seed: CRC32C.checksum(header, seed: seed)
            )
            return actual == checksum ? nil : (UInt64(checksum), UInt64(actual))
        } catch {
            return (UInt64(blockHeaderSize), UInt64(block.byteCount))
        }
    }

    /// The fields of an entry at an offset of a data block's bytes.
    struct Entry {
        let prefix: UInt64
        let stamp: UInt64
        let key: ByteRange
        let value: ByteRange

        init(in bytes: RawSpan, at offset: Int) throws(CodingError) {
            guard offset >= 0, offset <= bytes.byteCount else {
                throw .invalid(field: "entry offset", value: UInt64(truncatingIfNeeded: offset))
            }
            var reader = ByteReader(ByteRange(offset: offset, count: bytes.byteCount - offset))
            prefix = try reader.uint64(in: bytes)
            stamp = try reader.uint64(in: bytes)
            let keyLength = try reader.uint32(in: bytes)
            let valueLength = try reader.uint32(in: bytes)
            key = try reader.range(Int(keyLength))
            value = try reader.range(Int(valueLength))
        }
    }
}
