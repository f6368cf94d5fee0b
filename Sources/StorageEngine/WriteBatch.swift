public import ByteCoding

/// Records that become durable together or not at all, in one run of bytes.
///
///     record := tree: uint32, keyLength: uint16, reserved: uint16, valueLength: uint32,
///               reserved: uint32, prefix: uint64, stamp: uint64, key, value
public struct WriteBatch: Sendable {
    /// Number of records.
    public private(set) var count = 0
    private(set) var bytes: [UInt8] = []

    /// An empty batch with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Bytes of all records, headers included.
    public var sizeInBytes: Int { bytes.count }

    /// Adds a record whose key and value lie in `source`, which must hold them.
    ///
    /// The stamp orders versions for the caller; the engine only remembers the newest.
    public mutating func put(
        tree: UInt32,
        prefix: UInt64,
        key: ByteRange,
        value: ByteRange,
        of source: RawSpan,
        stamp: UInt64
    ) {
        put(tree: tree, prefix: prefix, key, of: source, value, of: source, stamp: stamp)
    }

    /// Adds a record whose key and value are arrays.
    public mutating func put(
        tree: UInt32,
        prefix: UInt64,
        key: [UInt8],
        value: [UInt8],
        stamp: UInt64
    ) {
        put(
            tree: tree,
            prefix: prefix,
            ByteRange(offset: 0, count: key.count),
            of: key.span.bytes,
            ByteRange(offset: 0, count: value.count),
            of: value.span.bytes,
            stamp: stamp
        )
    }

    private mutating func put(
        tree: UInt32,
        prefix: UInt64,
        _ key: ByteRange,
        of keySource: RawSpan,
        _ value: ByteRange,
        of valueSource: RawSpan,
        stamp: UInt64
    ) {
        var writer = ByteWriter()
        swap(&writer.bytes, &bytes)
        writer.uint32(tree)
        // Longer keys and values are refused by `append`, from the sizes kept beside.
        writer.uint16(UInt16(clamping: key.count))
        writer.uint16(0)
        writer.uint32(UInt32(clamping: value.count))
        writer.uint32(0)
        writer.uint64(prefix)
        writer.uint64(stamp)
        writer.raw(key, of: keySource)
        writer.raw(value, of: valueSource)
        swap(&writer.bytes, &bytes)
        count += 1
        largestKey = max(largestKey, key.count)
        largestValue = max(largestValue, value.count)
    }

    private(set) var largestKey = 0
    private(set) var largestValue = 0

    /// Takes all records out and keeps the room.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        count = 0
        largestKey = 0
        largestValue = 0
    }

    /// The records of a log's payload, after they were counted and checked.
    init(payload: [UInt8], count: Int) {
        bytes = payload
        self.count = count
    }
}

/// One record inside a batch's bytes.
struct Record {
    static let headerSize = 32

    let tree: UInt32
    let prefix: UInt64
    let stamp: UInt64
    let key: ByteRange
    let value: ByteRange

    /// The record at `offset`, or nil where the bytes hold none.
    init?(in bytes: RawSpan, at offset: Int) {
        guard bytes.byteCount - offset >= Self.headerSize else { return nil }
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ at: Int, _: T.Type) -> T {
            T(
                littleEndian: unsafe bytes.unsafeLoadUnaligned(
                    fromByteOffset: offset + at,
                    as: T.self
                )
            )
        }
        tree = load(0, UInt32.self)
        let keyLength = Int(load(4, UInt16.self))
        let valueLength = Int(load(8, UInt32.self))
        prefix = load(16, UInt64.self)
        stamp = load(24, UInt64.self)
        guard keyLength + valueLength <= bytes.byteCount - offset - Self.headerSize else {
            return nil
        }
        key = ByteRange(offset: offset + Self.headerSize, count: keyLength)
        value = ByteRange(offset: key.end, count: valueLength)
    }
}
