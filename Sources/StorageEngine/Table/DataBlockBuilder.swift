internal import ByteCoding

/// Puts the payload of a data block together.
struct DataBlockBuilder {
    private var payload: ByteWriter
    private var values: ByteWriter
    private var restarts: [(offset: UInt32, valueOffset: UInt32)] = []
    private(set) var entryCount = 0

    /// A builder with room for blocks of `capacity` bytes.
    init(capacity: Int) {
        payload = ByteWriter(capacity: capacity)
        values = ByteWriter(capacity: capacity)
    }

    /// Bytes of the entries and values so far.
    var sizeInBytes: Int { payload.count + values.count }

    /// Adds an entry whose key has its first `common` bytes in common with the one before.
    mutating func add(key: RawSpan, common: Int, value: RawSpan, stamp: UInt64, isWhole: Bool) {
        let isRestart = entryCount % DataBlock.restartInterval == 0
        let shared = isRestart ? 0 : common
        if isRestart { restarts.append((UInt32(payload.count), UInt32(values.count))) }
        varint(shared << 1 | (isWhole ? 1 : 0))
        varint(key.byteCount - shared)
        varint(value.byteCount)
        payload.uint64(stamp)
        payload.raw(ByteRange(offset: shared, count: key.byteCount - shared), of: key)
        values.raw(ByteRange(offset: 0, count: value.byteCount), of: value)
        entryCount += 1
    }

    private mutating func varint(_ value: Int) {
        var rest = UInt32(value)
        while rest >= 0x80 {
            payload.uint8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        payload.uint8(UInt8(rest))
    }

    /// Ends the payload; no entry may follow.
    mutating func finish() {
        let valuesOffset = UInt32(payload.count)
        payload.raw(values.bytes)
        for restart in restarts {
            payload.uint32(restart.offset)
            payload.uint32(valuesOffset + restart.valueOffset)
        }
        payload.uint32(valuesOffset)
        payload.uint32(UInt32(restarts.count))
    }

    /// Gives the payload away; `restart` before the next entry.
    mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &payload.bytes)
        return taken
    }

    /// Begins the next block in the room of an empty array.
    mutating func restart(with room: consuming [UInt8]) {
        payload.bytes = room
        values.bytes.removeAll(keepingCapacity: true)
        restarts.removeAll(keepingCapacity: true)
        entryCount = 0
    }
}
