/// Where the entries of a data block's payload lie, and how a key is sought among them.
///
///     data    := entry*, restart: uint32 × count, count: uint32
///     entry   := shared: varint, unshared: varint, valueLength: varint, stamp: uint64,
///                the key's bytes behind those shared with the key before, value
///     restart := offset of an entry that shares nothing: the first and every eighth
///
/// It owns nothing: who makes one keeps the payload's memory alive and unchanged while it is used.
/// Every offset that comes from the payload is compared with its bounds before it is followed.
struct DataBlock {
    // On disk: never renumber.
    /// Entries from one restart to the next. Four find a key no faster and take 3% more room;
    /// sixteen find it 20% slower.
    static let restartInterval = 8
    /// The least bytes of an entry.
    static let minimumEntrySize = 11

    let base: UnsafeRawPointer
    /// Bytes of entries; the restarts begin behind them.
    let entriesEnd: Int
    let restartCount: Int

    /// The block in a payload, or nil if the payload cannot be one.
    @inline(__always)
    init?(base: UnsafeRawPointer, count: Int) {
        guard count >= 8 else { return nil }
        let restarts = Int(
            UInt32(
                littleEndian: unsafe base.loadUnaligned(
                    fromByteOffset: count - 4,
                    as: UInt32.self
                )
            )
        )
        guard restarts > 0, restarts <= (count - 4) / 4 else { return nil }
        self.base = unsafe base
        entriesEnd = count - 4 - 4 * restarts
        restartCount = restarts
    }

    /// The fields of an entry.
    struct Entry {
        let shared: Int
        let keyOffset: Int
        let unshared: Int
        let valueCount: Int
        let stamp: UInt64

        var valueOffset: Int { keyOffset + unshared }
        var end: Int { keyOffset + unshared + valueCount }
    }

    /// The entry at an offset, which must not be negative; nil if none fits there.
    @inline(__always)
    func entry(at offset: Int) -> Entry? {
        var next = offset
        guard entriesEnd - next >= Self.minimumEntrySize else { return nil }
        guard
            let shared = varint(&next), let unshared = varint(&next),
            let valueCount = varint(&next), entriesEnd - next >= 8
        else { return nil }
        let stamp = UInt64(
            littleEndian: unsafe base.loadUnaligned(fromByteOffset: next, as: UInt64.self)
        )
        next += 8
        // Each is below 2³⁵, so the sum cannot overflow.
        guard unshared + valueCount <= entriesEnd - next else { return nil }
        return Entry(
            shared: shared,
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
        case entry(Entry)
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
        guard var offset = restart(atOrBefore: key) else { return .malformed }
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
                    if sought == entry.unshared { return .entry(entry) }
                    if sought < entry.unshared { return .absent }
                } else if unsafe byte(entry.keyOffset + common) > key[matched + common] {
                    return .absent
                }
                matched += common
            }
            offset = entry.end
        }
        return offset == entriesEnd ? .absent : .malformed
    }

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 {
        unsafe base.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The offset of the last restart whose key is not behind a key, else the first; nil if the
    /// restarts are none.
    @inline(__always)
    func restart(atOrBefore key: UnsafeRawBufferPointer) -> Int? {
        var low = 0
        var high = restartCount
        var found = 0
        while low < high {
            let middle = (low + high) / 2
            guard let offset = restartOffset(middle), let entry = entry(at: offset) else {
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
                found = offset
                low = middle + 1
            } else {
                high = middle
            }
        }
        return found
    }

    /// The place of a restart, below `restartCount`; nil if it lies outside of the entries.
    private func restartOffset(_ index: Int) -> Int? {
        let offset = Int(
            UInt32(
                littleEndian: unsafe base.loadUnaligned(
                    fromByteOffset: entriesEnd + 4 * index,
                    as: UInt32.self
                )
            )
        )
        return offset < entriesEnd ? offset : nil
    }
}
