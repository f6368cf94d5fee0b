internal import ByteCoding

/// Reads a table's file in order, a piece at a time, and takes its blocks out of the pieces.
///
/// A copy shares the memory, so that only one of the two may go on.
struct TableWindow {
    private let source: TableSource
    private let sums: Bool
    private var memory = Memory(capacity: 0)
    private var start = 0
    private var count = 0
    private var raw = Memory(capacity: 0)
    private var inflater: Inflater?
    private var sum = RunningSum()

    /// The checksum of the file's first bytes.
    struct RunningSum {
        /// How many bytes it is of.
        var count = 0
        var checksum: UInt32 = 0
    }

    /// A window on the file's first bytes; `sums` says whether the checksum of all is wanted.
    init(_ source: TableSource, sums: Bool = false) {
        self.source = source
        self.sums = sums
    }

    /// A block that was checked; its payload is valid until the next call.
    struct Checked {
        let header: BlockHeader
        let payload: UnsafeRawPointer

        /// Bytes of the payload.
        var count: Int { header.rawLength }
    }

    /// The checksum of all bytes up to the first that were left out or not read yet.
    var checksum: RunningSum { sum }

    private mutating func addToSum() {
        guard start <= sum.count, sum.count < start + count else { return }
        let fresh = unsafe UnsafeRawBufferPointer(
            start: memory.base + (sum.count - start),
            count: start + count - sum.count
        )
        sum.checksum = unsafe CRC32C.checksum(fresh.bytes, seed: sum.checksum)
        sum.count = start + count
    }

    /// Whether a place lies in the piece at hand.
    func holds(_ place: BlockPlace) -> Bool {
        place.offset >= start && place.end <= start + count
    }

    /// Makes bytes from `offset` on available: `count` of them, or those to the file's end.
    ///
    /// If the piece at hand does not hold them, `ahead` bytes are read at once.
    mutating func load(
        at offset: Int,
        count wanted: Int,
        ahead: Int
    ) throws(StorageError) -> UnsafeRawBufferPointer {
        if !holds(BlockPlace(offset: offset, length: wanted)) {
            let size = max(wanted, ahead)
            if memory.capacity < size { memory = Memory(capacity: size) }
            // What fails leaves nothing at hand.
            count = 0
            start = offset
            count = unsafe try source.read(
                at: offset,
                into: UnsafeMutableRawBufferPointer(start: memory.base, count: size)
            )
            if sums { addToSum() }
        }
        return unsafe UnsafeRawBufferPointer(
            start: memory.base + (offset - start),
            count: min(wanted, start + count - offset)
        )
    }

    /// The block at an offset, or what is wrong with it.
    ///
    /// It has to have `length` bytes; nil takes what its header says, if that is not behind `end`.
    mutating func block(
        at offset: Int,
        length: Int?,
        end: Int,
        ahead: Int
    ) throws(StorageError) -> Result<Checked, Mismatch> {
        var bytes = unsafe try load(
            at: offset,
            count: length ?? max(0, min(BlockHeader.size, end - offset)),
            ahead: min(ahead, end - offset)
        )
        if length == nil {
            guard
                bytes.count == BlockHeader.size, let address = bytes.baseAddress,
                let header = unsafe BlockHeader(at: address), header.blockLength <= end - offset
            else {
                return .failure(Mismatch(expected: UInt64(BlockHeader.magic), found: 0))
            }
            unsafe bytes = try load(at: offset, count: header.blockLength, ahead: ahead)
        }
        guard let address = bytes.baseAddress else {
            return .failure(Mismatch(expected: UInt64(BlockHeader.size), found: 0))
        }
        let checked = unsafe source.check(
            address,
            available: bytes.count,
            at: offset,
            length: length
        )
        switch checked {
        case .failure(let mismatch): return .failure(mismatch)
        case .success(let header):
            guard header.codec == .zlib else {
                return unsafe .success(
                    Checked(header: header, payload: address + BlockHeader.size)
                )
            }
            let stored = unsafe UnsafeRawBufferPointer(
                start: address + BlockHeader.size,
                count: header.storedLength
            )
            guard unsafe decompress(stored, to: header.rawLength) else {
                return .failure(Mismatch(expected: UInt64(header.rawLength), found: 0))
            }
            return unsafe .success(
                Checked(header: header, payload: UnsafeRawPointer(raw.base))
            )
        }
    }

    private mutating func decompress(_ stored: UnsafeRawBufferPointer, to length: Int) -> Bool {
        if raw.capacity < length { raw = Memory(capacity: max(length, 16 << 10)) }
        if inflater == nil { inflater = Inflater() }
        guard let inflater else { return false }
        return unsafe inflater.inflate(
            stored,
            into: UnsafeMutableRawBufferPointer(start: raw.base, count: length)
        )
    }
}
