internal import ByteCoding

/// The file of a table, and what its blocks are checked with.
struct TableSource: Sendable {
    let files: TableFiles
    let number: UInt64
    let tree: UInt32
    let identity: UInt64
    let seed: UInt32

    init(_ files: TableFiles, number: UInt64, tree: UInt32, identity: UInt64) {
        self.files = files
        self.number = number
        self.tree = tree
        self.identity = identity
        seed = TableFormat.seed(identity: identity, table: number)
    }

    /// What the file begins with.
    var header: [UInt8] { TableFormat.header(identity: identity, tree: tree, number: number) }

    var path: String { files.path(number, tree: tree) }

    /// Reads bytes; fewer than there is room for only at the file's end.
    func read(
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(StorageError) -> Int {
        unsafe try files.read(number, tree: tree, at: offset, into: buffer)
    }

    /// Whether a block can be read without the disk, and has no more than `limit` bytes, neither
    /// as it is stored nor decompressed.
    func isAtHand(_ place: BlockPlace, limit: Int) -> Bool {
        guard place.length <= limit, place.length >= BlockHeader.size,
            files.isInMemory(number, at: place.offset, count: place.length)
        else { return false }
        // Whoever reads the block finds out what is wrong with it.
        return unsafe withUnsafeTemporaryAllocation(byteCount: BlockHeader.size, alignment: 8) {
            unsafe (try? read(at: place.offset, into: $0)) == $0.count
                && $0.baseAddress.flatMap { unsafe BlockHeader(at: $0) }.map {
                    $0.rawLength <= limit
                } ?? true
        }
    }

    /// A new array of bytes; fewer only at the file's end.
    func read(_ place: BlockPlace) throws(StorageError) -> [UInt8] {
        let memory = Memory(capacity: place.length)
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: memory.base, count: place.length)
        let count = unsafe try read(at: place.offset, into: buffer)
        return unsafe Array(UnsafeRawBufferPointer(start: memory.base, count: count))
    }

    func corruption(
        at offset: Int,
        _ mismatch: Mismatch,
        _ what: String
    ) -> StorageError {
        .corruption(
            file: path,
            offset: offset,
            expected: mismatch.expected,
            found: mismatch.found,
            what: what
        )
    }

    /// Checks the block in `available` bytes of memory, which lies at `offset` of the file and has
    /// to have `length` bytes; nil if it may have any.
    func check(
        _ address: UnsafeRawPointer,
        available: Int,
        at offset: Int,
        length: Int?
    ) -> Result<BlockHeader, Mismatch> {
        guard available >= BlockHeader.size else {
            return .failure(
                Mismatch(expected: UInt64(BlockHeader.size), found: UInt64(available))
            )
        }
        guard let header = unsafe BlockHeader(at: address) else {
            let found = unsafe UInt32(littleEndian: address.loadUnaligned(as: UInt32.self))
            return .failure(
                Mismatch(expected: UInt64(BlockHeader.magic), found: UInt64(found))
            )
        }
        let expected = length ?? header.blockLength
        guard header.blockLength == expected, expected <= available else {
            return .failure(
                Mismatch(expected: UInt64(expected), found: UInt64(min(available, expected)))
            )
        }
        let actual = unsafe header.actualChecksum(
            at: address,
            seed: TableFormat.seed(seed, at: offset)
        )
        guard actual == header.checksum else {
            return .failure(
                Mismatch(expected: UInt64(header.checksum), found: UInt64(actual))
            )
        }
        return .success(header)
    }

    /// Reads a data block for the cache.
    ///
    /// - Throws: `corruption`, `io`.
    func block(_ place: BlockPlace) throws(StorageError) -> Block {
        let memory = Memory(capacity: place.length)
        let header = try read(place, into: memory)
        guard header.codec != .none else {
            return Block(memory, offset: BlockHeader.size, count: header.storedLength)
        }
        let raw = Memory(capacity: header.rawLength)
        try inflate(header, from: memory, into: raw, place)
        return Block(raw, offset: 0, count: header.rawLength)
    }

    /// Reads a data block into memory that is used again; nil if its payload has another shape.
    ///
    /// - Throws: `corruption`, `io`.
    func entries(_ place: BlockPlace, in room: BlockRoom) throws(StorageError) -> DataBlock? {
        let memory = room.stored(place.length)
        let header = try read(place, into: memory)
        guard header.codec != .none else {
            return unsafe DataBlock(
                base: UnsafeRawPointer(memory.base + BlockHeader.size),
                count: header.storedLength
            )
        }
        let raw = room.raw(header.rawLength)
        try inflate(header, from: memory, into: raw, place)
        return unsafe DataBlock(base: UnsafeRawPointer(raw.base), count: header.rawLength)
    }

    /// Reads a data block, as it is stored, into memory that has room for it, and checks it.
    private func read(
        _ place: BlockPlace,
        into memory: Memory
    ) throws(StorageError) -> BlockHeader {
        let count = unsafe try read(
            at: place.offset,
            into: UnsafeMutableRawBufferPointer(start: memory.base, count: place.length)
        )
        let checked = unsafe check(
            memory.base,
            available: count,
            at: place.offset,
            length: place.length
        )
        switch checked {
        case .failure(let mismatch):
            throw corruption(at: place.offset, mismatch, "a block of \(place.length) bytes")
        case .success(let header):
            guard header.type == .data else {
                throw corruption(
                    at: place.offset,
                    Mismatch(
                        expected: UInt64(BlockType.data.rawValue),
                        found: UInt64(header.type.rawValue)
                    ),
                    "the type of a block"
                )
            }
            return header
        }
    }

    private func inflate(
        _ header: BlockHeader,
        from memory: Memory,
        into raw: Memory,
        _ place: BlockPlace
    ) throws(StorageError) {
        let isSound = unsafe files.inflaters.inflate(
            UnsafeRawBufferPointer(
                start: memory.base + BlockHeader.size,
                count: header.storedLength
            ),
            into: UnsafeMutableRawBufferPointer(start: raw.base, count: header.rawLength)
        )
        guard isSound else { throw malformed(place) }
    }

    /// The error of a block whose checksum is right and whose bytes make no sense.
    func malformed(_ place: BlockPlace) -> StorageError {
        corruption(
            at: place.offset,
            Mismatch(expected: 0, found: 0),
            "the entries of a block of \(place.length) bytes"
        )
    }
}
