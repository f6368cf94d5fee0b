internal import ByteCoding

/// Bytes of entries that are only ever added, in chunks.
///
///     entry := stamp: uint64, valueLength: uint32, keyLength: uint16, key, value, padding to 8
///
/// A reference counts units of 8 bytes over all chunks, so that four bytes reach 32 GiB. An entry
/// longer than a chunk has one of its own.
struct Arena: Sendable {
    static let chunkSize = 256 << 10
    private static let unitsPerChunk = UInt32(chunkSize / 8)
    static let headerSize = 14

    private(set) var chunks: [[UInt8]] = []
    private(set) var sizeInBytes = 0
    /// Bytes reserved for the last chunk.
    private var reserved = 0

    /// Adds an entry.
    ///
    /// - Returns: its reference.
    mutating func add(
        stamp: UInt64,
        key: ByteRange,
        of keySource: RawSpan,
        value: ByteRange,
        of valueSource: RawSpan
    ) -> UInt32 {
        let size = (Self.headerSize + key.count + value.count + 7) & ~7
        if chunks.isEmpty || chunks[chunks.count - 1].count + size > Self.chunkSize {
            // The first chunk grows with its entries: a tree with little in it costs little.
            reserved = chunks.isEmpty ? 0 : max(size, Self.chunkSize)
            sizeInBytes += reserved
            var chunk: [UInt8] = []
            chunk.reserveCapacity(reserved)
            chunks.append(chunk)
        }
        let last = chunks.count - 1
        let needed = chunks[last].count + size
        if needed > reserved {
            // Counted by this rule and not by what the allocator gave, which differs from run to
            // run.
            let grown = min(max(needed, 2 * reserved, 1024), max(needed, Self.chunkSize))
            sizeInBytes += grown - reserved
            reserved = grown
            chunks[last].reserveCapacity(grown)
        }
        var writer = ByteWriter()
        swap(&writer.bytes, &chunks[last])
        let start = writer.count
        writer.uint64(stamp)
        writer.uint32(UInt32(value.count))
        writer.uint16(UInt16(key.count))
        writer.raw(key, of: keySource)
        writer.raw(value, of: valueSource)
        while writer.count & 7 != 0 { writer.uint8(0) }
        swap(&writer.bytes, &chunks[last])
        return UInt32(last) * Self.unitsPerChunk + UInt32(start / 8)
    }

    /// Where an entry's parts lie.
    struct Entry {
        let chunk: Int
        let stamp: UInt64
        let key: ByteRange
        let value: ByteRange
    }

    /// The parts of an entry, as ranges into its chunk.
    func entry(_ reference: UInt32) -> Entry {
        let chunk = Int(reference / Self.unitsPerChunk)
        let start = Int(reference % Self.unitsPerChunk) * 8
        let held = chunks[chunk]
        let bytes = held.span.bytes
        precondition(start + Self.headerSize <= bytes.byteCount, "reference outside its chunk")
        let stamp = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self)
        let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start + 8, as: UInt32.self)
        let key = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start + 12, as: UInt16.self)
        let keyRange = ByteRange(
            offset: start + Self.headerSize,
            count: Int(UInt16(littleEndian: key))
        )
        return Entry(
            chunk: chunk,
            stamp: UInt64(littleEndian: stamp),
            key: keyRange,
            value: ByteRange(offset: keyRange.end, count: Int(UInt32(littleEndian: value)))
        )
    }

    /// The order of an entry's key and a key elsewhere.
    func compareKey(of reference: UInt32, with key: ByteRange, of source: RawSpan) -> Int {
        let entry = entry(reference)
        let held = chunks[entry.chunk]
        return compareBytes(
            held.span.bytes.extracting(entry.key.offset..<entry.key.end),
            source.extracting(key.offset..<key.end)
        )
    }
}
