public import ByteCoding

/// Records that become durable together or not at all, in one run of bytes.
public struct WriteBatch: Sendable {
    /// Number of records.
    public private(set) var count = 0
    /// Whether there are records and all of them are deletions.
    public var hasOnlyDeletions: Bool { count > 0 && deletions == count }

    /// The records, each with a checksum that is bound to no place yet.
    package private(set) var bytes: [UInt8] = []
    /// Bytes of the longest key.
    private(set) var largestKey = 0
    /// Bytes of the longest value.
    private(set) var largestValue = 0
    /// The lowest prefix of a record; above `highest` if there is none.
    private(set) var lowest: UInt64 = .max
    /// The highest prefix of a record.
    private(set) var highest: UInt64 = 0
    private var deletions = 0
    /// What records were made of, by their number; ascending, and empty where none says so.
    private(set) var bases: [(record: Int, basis: ReadBasis)] = []

    /// An empty batch with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        if capacity > 0 { bytes.reserveCapacity(capacity) }
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
        add(
            tree: tree,
            prefix: prefix,
            source.extracting(key.offset..<key.end),
            source.extracting(value.offset..<value.end),
            stamp: stamp,
            flags: 0
        )
    }

    /// Adds a record whose key and value lie apart.
    public mutating func put(
        tree: UInt32,
        prefix: UInt64,
        key: RawSpan,
        value: RawSpan,
        stamp: UInt64 = 0
    ) {
        add(tree: tree, prefix: prefix, key, value, stamp: stamp, flags: 0)
    }

    /// Adds a record whose key and value are arrays.
    ///
    /// `basis` names the lookup of which the value has all that was found, by the tree's rule; the
    /// stamp is not below the one found then.
    ///
    /// - Returns: where the value lies in `bytes`.
    @discardableResult
    public mutating func put(
        tree: UInt32,
        prefix: UInt64,
        key: [UInt8],
        value: [UInt8],
        stamp: UInt64 = 0,
        basis: ReadBasis = .none
    ) -> ByteRange {
        if basis.memtable > 0 { bases.append((count, basis)) }
        add(
            tree: tree,
            prefix: prefix,
            key.span.bytes,
            value.span.bytes,
            stamp: stamp,
            flags: 0
        )
        return ByteRange(offset: bytes.count - value.count, count: value.count)
    }

    /// Adds a record that takes a key away.
    public mutating func delete(
        tree: UInt32,
        prefix: UInt64,
        key: [UInt8],
        stamp: UInt64 = 0
    ) {
        add(
            tree: tree,
            prefix: prefix,
            key.span.bytes,
            RawSpan(),
            stamp: stamp,
            flags: Record.deletionFlag
        )
    }

    /// Takes all records out and keeps the room.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        count = 0
        deletions = 0
        bases.removeAll(keepingCapacity: true)
        largestKey = 0
        largestValue = 0
        lowest = .max
        highest = 0
    }

    /// Adds those records of a log's payload, whole and checked, that are wanted.
    mutating func add(
        recordsOf payload: ByteRange,
        of source: RawSpan,
        where isWanted: (Record) -> Bool
    ) {
        let records = source.extracting(0..<payload.end)
        var next = Record(in: records, at: payload.offset)
        while let record = next {
            if isWanted(record) {
                add(
                    tree: record.tree,
                    prefix: record.prefix,
                    source.extracting(record.key.offset..<record.key.end),
                    source.extracting(record.value.offset..<record.value.end),
                    stamp: record.stamp,
                    flags: record.isDeletion ? Record.deletionFlag : 0
                )
            }
            next = Record(in: records, at: record.value.end)
        }
    }

    private mutating func add(
        tree: UInt32,
        prefix: UInt64,
        _ key: RawSpan,
        _ value: RawSpan,
        stamp: UInt64,
        flags: UInt16
    ) {
        // Longer keys and values are refused by `append`, from the sizes kept beside.
        let lengths =
            UInt64(tree) | UInt64(UInt16(clamping: key.byteCount)) << 32 | UInt64(flags) << 48
        let start = bytes.count
        let words: InlineArray<4, UInt64> = [
            lengths.littleEndian,
            UInt64(UInt32(clamping: value.byteCount)).littleEndian,
            stamp.littleEndian,
            prefix.bigEndian,
        ]
        unsafe words.span.bytes.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        unsafe key.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        unsafe value.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        let end = start + Record.headerSize + key.byteCount + value.byteCount
        assert(bytes.count == end)
        // Over the record as a whole, whose checksum is still zero: one run is faster than three.
        let checksum = CRC32C.checksum(bytes.span.bytes.extracting(start..<end))
        var span = bytes.mutableSpan
        unsafe span.withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(
                of: checksum.littleEndian,
                toByteOffset: start + 12,
                as: UInt32.self
            )
        }
        count += 1
        if flags & Record.deletionFlag != 0 { deletions += 1 }
        largestKey = max(largestKey, key.byteCount)
        largestValue = max(largestValue, value.byteCount)
        lowest = min(lowest, prefix)
        highest = max(highest, prefix)
    }
}
