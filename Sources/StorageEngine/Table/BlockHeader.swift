internal import ByteCoding

/// What a block holds.
enum BlockType: UInt8 {
    // On disk: never renumber.
    case data = 1
    case versions = 2
    case filter = 3
    case index = 4
}

/// How the payload of a block is stored.
enum BlockCodec: UInt8 {
    // On disk: never renumber.
    case none = 0
    case zlib = 1
}

/// The bytes before a block's payload; they say where it ends, so that blocks are found without an
/// index.
///
///     block := magic: uint32, type: uint8, codec: uint8, cipher: uint8 (0: none),
///              reserved: uint8, storedLength: uint32, rawLength: uint32, checksum: uint32,
///              stored payload
///
/// The checksum is CRC32C over the fields before it and the stored payload, and begins with the
/// file's seed at the block's offset. A payload is first compressed, then would be encrypted, then
/// summed.
struct BlockHeader {
    // On disk: never renumber.
    static let magic: UInt32 = 0xB10C_57A2
    static let size = 20
    /// The longest payload, stored or not, that is read: 256 MiB.
    ///
    /// A block holds at least one entry, whose value may be joined of several that were written.
    static let maximumLength = 256 << 20

    let type: BlockType
    let codec: BlockCodec
    let storedLength: Int
    let rawLength: Int
    let checksum: UInt32

    /// Bytes of the block, this header included.
    var blockLength: Int { Self.size + storedLength }

    /// Reads the fields at an address from which `size` bytes may be read.
    ///
    /// - Returns: nil if the fields cannot be a block's.
    init?(at address: UnsafeRawPointer) {
        func uint32(_ offset: Int) -> UInt32 {
            UInt32(
                littleEndian: unsafe address.loadUnaligned(
                    fromByteOffset: offset,
                    as: UInt32.self
                )
            )
        }
        guard
            uint32(0) == Self.magic,
            let type = unsafe BlockType(
                rawValue: address.load(fromByteOffset: 4, as: UInt8.self)
            ),
            let codec = unsafe BlockCodec(
                rawValue: address.load(fromByteOffset: 5, as: UInt8.self)
            ),
            unsafe address.load(fromByteOffset: 6, as: UInt8.self) == 0,
            unsafe address.load(fromByteOffset: 7, as: UInt8.self) == 0
        else { return nil }
        let stored = Int(uint32(8))
        let raw = Int(uint32(12))
        guard
            stored <= Self.maximumLength, raw <= Self.maximumLength,
            codec != .none || stored == raw
        else { return nil }
        self.type = type
        self.codec = codec
        storedLength = stored
        rawLength = raw
        checksum = uint32(16)
    }

    /// The checksum of the block at an address from which `blockLength` bytes may be read.
    func actualChecksum(at address: UnsafeRawPointer, seed: UInt32) -> UInt32 {
        let fields = unsafe UnsafeRawBufferPointer(start: address, count: 16)
        let payload = unsafe UnsafeRawBufferPointer(start: address + Self.size, count: storedLength)
        return unsafe CRC32C.checksum(
            payload.bytes,
            seed: CRC32C.checksum(fields.bytes, seed: seed)
        )
    }

    /// Appends a whole block.
    static func append(
        _ type: BlockType,
        _ codec: BlockCodec,
        _ stored: RawSpan,
        rawLength: Int,
        seed: UInt32,
        to writer: inout ByteWriter
    ) {
        let start = writer.count
        writer.uint32(magic)
        writer.uint8(type.rawValue)
        writer.uint8(codec.rawValue)
        writer.uint16(0)
        writer.uint32(UInt32(stored.byteCount))
        writer.uint32(UInt32(rawLength))
        let fieldsChecksum = CRC32C.checksum(
            writer.bytes.span.bytes.extracting(start..<start + 16),
            seed: seed
        )
        writer.uint32(CRC32C.checksum(stored, seed: fieldsChecksum))
        writer.raw(ByteRange(offset: 0, count: stored.byteCount), of: stored)
    }
}
