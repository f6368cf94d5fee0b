/// Where the entries of a data block's payload lie, and how a key is sought among them.
///
///     data    := entry*, value*, restart × count, valuesOffset: uint32, count: uint32
///     entry   := head: varint, unshared: varint, valueLength: varint, stamp: uint64,
///                the key's bytes behind those shared with the key before
///     head    := shared × 2 + 1 if the entry is whole, see `TableMetadata.wholeBelow`
///     restart := offset: uint32, valueOffset: uint32     of an entry that shares nothing: the
///                first and every eighth
///
/// Values lie behind all keys, in the same order, so that a search touches few lines of memory.
///
/// It owns nothing: who makes one keeps the payload's memory alive and unchanged while it is used.
/// Every offset that comes from the payload is compared with its bounds before it is followed.
struct DataBlock {
    // On disk: never renumber.
    /// Entries from one restart to the next.
    static let restartInterval = 8
    /// The least bytes of an entry.
    static let minimumEntrySize = 11

    private static let restartSize = 8
    private static let trailerSize = 8

    let base: UnsafeRawPointer
    /// Bytes of entries; the values begin behind them.
    let entriesEnd: Int
    /// Where the values end; the restarts begin behind them.
    let valuesEnd: Int
    private let restartCount: Int

    /// The block in a payload, or nil if the payload cannot be one.
    @inline(__always)
    init?(base: UnsafeRawPointer, count: Int) {
        guard count >= Self.restartSize + Self.trailerSize else { return nil }
        let valuesOffset = Int(
            UInt32(
                littleEndian: unsafe base.loadUnaligned(
                    fromByteOffset: count - 8,
                    as: UInt32.self
                )
            )
        )
        let restarts = Int(
            UInt32(
                littleEndian: unsafe base.loadUnaligned(
                    fromByteOffset: count - 4,
                    as: UInt32.self
                )
            )
        )
        guard restarts > 0, restarts <= (count - Self.trailerSize) / Self.restartSize else {
            return nil
        }
        let valuesEnd = count - Self.trailerSize - Self.restartSize * restarts
        guard valuesOffset <= valuesEnd else { return nil }
        self.base = unsafe base
        self.valuesEnd = valuesEnd
        entriesEnd = valuesOffset
        restartCount = restarts
    }

    /// An entry that shares nothing with the one before.
    struct Restart {
        /// Where the entry begins, before `entriesEnd`.
        let offset: Int
        /// Where its value begins, from `entriesEnd` to `valuesEnd`.
        let valueOffset: Int
    }

    /// The first entry.
    var start: Restart { Restart(offset: 0, valueOffset: entriesEnd) }

    /// The most bytes of entries that are brought into the processor's cache ahead of a search.
    private static let prefetchLimit = 1 << 10

    /// Brings what a search reads into the processor's cache: restarts and entries.
    @inline(__always)
    func prefetchKeys() {
        unsafe prefetch(base + valuesEnd, count: Self.restartSize * restartCount)
        unsafe prefetch(base, count: min(entriesEnd, Self.prefetchLimit))
    }

    /// The fields of an entry.
    struct Entry {
        let shared: Int
        let isWhole: Bool
        let keyOffset: Int
        let unshared: Int
        let valueCount: Int
        let stamp: UInt64

        /// Where the next begins.
        var end: Int { keyOffset + unshared }
    }

    /// The entry at an offset, which must not be negative; nil if none fits there.
    @inline(__always)
    func entry(at offset: Int) -> Entry? {
        var next = offset
        guard entriesEnd - next >= Self.minimumEntrySize else { return nil }
        guard
            let head = varint(&next), let unshared = varint(&next),
            let valueCount = varint(&next), entriesEnd - next >= 8
        else { return nil }
        let stamp = UInt64(
            littleEndian: unsafe base.loadUnaligned(fromByteOffset: next, as: UInt64.self)
        )
        next += 8
        guard unshared <= entriesEnd - next else { return nil }
        return Entry(
            shared: head >> 1,
            isWhole: head & 1 == 1,
            keyOffset: next,
            unshared: unshared,
            valueCount: valueCount,
            stamp: stamp
        )
    }

    @inline(__always)
    private func varint(_ next: inout Int) -> Int? {
        guard next < entriesEnd else { return nil }
        let byte = unsafe base.load(fromByteOffset: next, as: UInt8.self)
        next += 1
        return byte < 0x80 ? Int(byte) : longVarint(Int(byte & 0x7F), &next)
    }

    @inline(__always)
    private func longVarint(_ low: Int, _ next: inout Int) -> Int? {
        var value = low
        var shift = 7
        while shift < 35 {
            guard next < entriesEnd else { return nil }
            let byte = unsafe base.load(fromByteOffset: next, as: UInt8.self)
            next += 1
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    /// What a search ended with.
    enum Finding {
        case entry(valueOffset: Int, valueCount: Int, stamp: UInt64, isWhole: Bool)
        case absent
        case malformed
    }

    /// Seeks a key without putting any together.
    ///
    /// Behind the restart it keeps how much of the key the entry before has in common with the
    /// sought one, which is behind it. An entry that shares more with the one before is before
    /// the sought key too; one that shares less is behind it; only one that shares just as much
    /// need be compared.
    @inline(__always)
    func find(_ key: UnsafeRawBufferPointer) -> Finding {
        guard let restart = restart(atOrBefore: key) else { return .malformed }
        var offset = restart.offset
        var valueOffset = restart.valueOffset
        var matched = 0
        while offset < entriesEnd {
            guard let entry = entry(at: offset) else { return .malformed }
            if entry.shared < matched { return .absent }
            if entry.shared == matched {
                let sought = key.count - matched
                let limit = min(sought, entry.unshared)
                guard limit >= 0 else { return .malformed }
                let common =
                    unsafe limit == 0
                    ? 0
                    : commonLength(
                        base + entry.keyOffset,
                        key.baseAddress.unsafelyUnwrapped + matched,
                        limit
                    )
                if common == limit {
                    if sought == entry.unshared {
                        guard entry.valueCount <= valuesEnd - valueOffset else {
                            return .malformed
                        }
                        return .entry(
                            valueOffset: valueOffset,
                            valueCount: entry.valueCount,
                            stamp: entry.stamp,
                            isWhole: entry.isWhole
                        )
                    }
                    if sought < entry.unshared { return .absent }
                } else if unsafe byte(entry.keyOffset + common) > key[matched + common] {
                    return .absent
                }
                matched += common
            }
            offset = entry.end
            // Each is below 2³⁵ and there are fewer than 2²⁶, so the sum cannot overflow.
            valueOffset += entry.valueCount
        }
        return offset == entriesEnd ? .absent : .malformed
    }

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 {
        unsafe base.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The last restart whose key is not behind a key, else the first; nil if the restarts are
    /// none.
    @inline(__always)
    func restart(atOrBefore key: UnsafeRawBufferPointer) -> Restart? {
        var low = 0
        var high = restartCount
        var found = start
        while low < high {
            let middle = (low + high) / 2
            guard let restart = restart(middle), let entry = entry(at: restart.offset) else {
                return nil
            }
            let limit = min(key.count, entry.unshared)
            let common =
                unsafe limit == 0
                ? 0
                : commonLength(
                    base + entry.keyOffset,
                    key.baseAddress.unsafelyUnwrapped,
                    limit
                )
            let isAtOrBefore =
                unsafe common == limit
                ? entry.unshared <= key.count : byte(entry.keyOffset + common) < key[common]
            if isAtOrBefore {
                found = restart
                low = middle + 1
            } else {
                high = middle
            }
        }
        return found
    }

    /// A restart, below `restartCount`; nil if it lies outside of the entries or values.
    @inline(__always)
    private func restart(_ index: Int) -> Restart? {
        let place = valuesEnd + Self.restartSize * index
        let offset = Int(
            UInt32(littleEndian: unsafe base.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        )
        let valueOffset = Int(
            UInt32(
                littleEndian: unsafe base.loadUnaligned(
                    fromByteOffset: place + 4,
                    as: UInt32.self
                )
            )
        )
        guard offset < entriesEnd, valueOffset >= entriesEnd, valueOffset <= valuesEnd else {
            return nil
        }
        return Restart(offset: offset, valueOffset: valueOffset)
    }
}
