internal import ByteCoding

/// Walks the entries of a table in the order of their keys, over blocks that it reads for itself.
///
/// It takes blocks that are cached from the cache. Where it keeps blocks, the first it reads are
/// asked for as those of point reads are, and kept by the same rule; what a longer walk reads is
/// not, so that scans leave the cache alone. A copy shares the memory of key and blocks, so that
/// only one of the two may go on.
package struct TableCursor {
    private static let leastAhead = 16 << 10
    /// The blocks that a walk over few entries needs of one table.
    private static let keptBlocks = 16

    private let table: Table
    private let start: [UInt8]
    private let upper: [UInt8]?
    /// The most bytes that are read at once.
    private let readAhead: Int
    /// The bytes that the next read gets at once.
    private var ahead = 0
    /// How many more blocks are kept in the cache, or counted as used there.
    private var kept: Int
    private var window: TableWindow?
    private var cached: Block?
    /// The block that `prepare` looked for and that was not entered yet; else −1.
    private var prepared = -1
    private var walk = DataBlockWalk()
    /// The block that comes next, or that could not be read.
    private var nextBlock: Int
    /// The block behind the last that is needed.
    private let endBlock: Int
    /// Whether the entries of the block at hand must be compared with `upper`.
    private var isInLastBlock = false
    private var hasReadBlock = false
    /// Whether there is no further entry; then the other properties mean nothing.
    package private(set) var isAtEnd = false

    /// Goes to the first entry that is not before `key`.
    ///
    /// The walk ends before the ordered key `upper`, or with the table. The first block is read
    /// alone; who goes on gets more with each read, up to `readAhead` bytes.
    ///
    /// - Throws: `corruption` if the block that would hold that entry is damaged or lost, `io`.
    package init(
        _ table: Table,
        from key: RawSpan,
        before upper: [UInt8]?,
        readAhead: Int
    ) throws(StorageError) {
        try self.init(table, from: key.array(), before: upper, readAhead: readAhead)
    }

    /// Goes to the first entry that is not before a key.
    init(
        _ table: Table,
        from key: [UInt8],
        before upper: [UInt8]?,
        readAhead: Int
    ) throws(StorageError) {
        self.init(
            unpositioned: table,
            from: key,
            before: upper,
            readAhead: readAhead,
            keepsBlocks: false
        )
        try advance()
    }

    /// Looks for the first block in the cache, and begins to bring what a search of it reads into
    /// the processor's.
    ///
    /// Who has several cursors prepares all before the first `advance`, so that they wait for
    /// memory together and not one after another.
    mutating func prepare() {
        guard nextBlock < endBlock else { return }
        prepared = nextBlock
        cached = takeCached(nextBlock)
        cached?.entries?.prefetchKeys()
    }

    /// Goes to the first entry not before `key` that can be read.
    ///
    /// `onDamage` is given the error of each block that was skipped for it, and the ordered keys
    /// that are unknown therefore: from the lower on, and before the upper.
    ///
    /// - Throws: `io`.
    package init(
        _ table: Table,
        from key: RawSpan,
        before upper: [UInt8]?,
        readAhead: Int,
        onDamage: (StorageError, _ lower: [UInt8], _ upper: [UInt8]) -> Void
    ) throws(StorageError) {
        self.init(
            unpositioned: table,
            from: key.array(),
            before: upper,
            readAhead: readAhead,
            keepsBlocks: false
        )
        while true {
            do throws(StorageError) {
                try advance()
                return
            } catch {
                if case .io = error { throw error }
                let (lower, upper) = skipDamage()
                onDamage(error, lower, upper)
            }
        }
    }

    /// A cursor that stands before its first entry, to which `advance` goes.
    init(
        unpositioned table: Table,
        from start: [UInt8],
        before upper: [UInt8]?,
        readAhead: Int,
        keepsBlocks: Bool
    ) {
        self.table = table
        self.upper = upper
        self.readAhead = max(0, readAhead)
        kept = keepsBlocks ? Self.keptBlocks : 0
        self.start = start
        let key = start.span.bytes
        nextBlock = max(0, table.index.block(for: key))
        if nextBlock == table.index.count - 1,
            compareBytes(table.metadata.lastKey, key) < 0
        {
            nextBlock = table.index.count
        }
        guard let upper else {
            endBlock = table.index.count
            return
        }
        var last = table.index.block(for: upper.span.bytes)
        if last >= 0, table.index.firstKey(last) == upper { last -= 1 }
        endBlock = last + 1
    }

    /// The first eight bytes of the ordered key as a number, zeros where it has ended.
    package var first: UInt64 { walk.first }

    /// The eight bytes behind those.
    package var second: UInt64 { walk.second }

    /// The entry's stamp.
    package var stamp: UInt64 { walk.stamp }
    /// Whether the entry has all that `TableMetadata.wholeBelow` says.
    package var isWhole: Bool { walk.isWhole }

    /// Where the entry lies; valid until the cursor goes on.
    var place: EntryPlace { walk.place }

    /// Lends the ordered key and the value.
    @inline(__always)
    package func withEntry<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        walk.withEntry(body)
    }

    /// Goes to the next entry.
    ///
    /// - Throws: `corruption` if the next block is damaged or lost, `io`; the cursor then stands
    ///   at no entry. `advance` tries the block again, `skipDamage` leaves it out.
    package mutating func advance() throws(StorageError) {
        while true {
            switch walk.step() {
            case .entry:
                if isInLastBlock, isAtUpper { end() }
                return
            case .end:
                if nextBlock >= endBlock {
                    end()
                    return
                }
                guard try enter(nextBlock) else { continue }
                if isInLastBlock, isAtUpper { end() }
                return
            case .malformed:
                nextBlock -= 1
                walk.leave()
                throw table.malformed(nextBlock)
            }
        }
    }

    /// Leaves out the block on which `advance` failed; `advance` goes on behind it.
    ///
    /// - Returns: the ordered keys of the range that may be missing: from the lower on, and before
    ///   the upper.
    package mutating func skipDamage() -> (lower: [UInt8], upper: [UInt8]) {
        walk.leave()
        guard nextBlock < endBlock else { return (start, start) }
        var (lower, end) = table.keyRange(nextBlock)
        if compareBytes(lower.span.bytes, start.span.bytes) < 0 { lower = start }
        if let upper, compareBytes(upper.span.bytes, end.span.bytes) < 0 { end = upper }
        nextBlock += 1
        return (lower, end)
    }

    private mutating func end() {
        isAtEnd = true
        nextBlock = endBlock
        walk.leave()
    }

    private var isAtUpper: Bool {
        guard let upper else { return false }
        return walk.withEntry { key, _ in compareBytes(key, upper.span.bytes) >= 0 }
    }

    /// Goes to the first entry of a block that is not before `start`, or before the block's first.
    ///
    /// - Returns: whether it stands at an entry.
    private mutating func enter(_ number: Int) throws(StorageError) -> Bool {
        let entries = try load(number)
        nextBlock = number + 1
        isInLastBlock = nextBlock == endBlock && upper != nil
        guard !hasReadBlock else {
            walk.enter(entries, at: entries.start)
            return false
        }
        hasReadBlock = true
        let restart = unsafe start.withUnsafeBytes { unsafe entries.restart(atOrBefore: $0) }
        guard let restart else {
            nextBlock = number
            throw table.malformed(number)
        }
        walk.enter(entries, at: restart)
        while case .entry = walk.step() {
            let isBefore = walk.withEntry { key, _ in compareBytes(key, start.span.bytes) < 0 }
            if !isBefore { return true }
        }
        // At the block's end, or at an entry that makes no sense, further steps stay there.
        return false
    }

    private mutating func load(_ number: Int) throws(StorageError) -> DataBlock {
        if let error = table.gapError(number) { throw error }
        let place = table.index.place(number)
        if prepared == number {
            prepared = -1
        } else {
            cached = window?.holds(place) == true ? nil : takeCached(number)
        }
        if let cached {
            guard let entries = cached.entries else { throw table.malformed(number) }
            return entries
        }
        if window == nil { window = table.source.map { TableWindow($0) } }
        // The first block may be all that is asked for; who goes on wants more.
        if hasReadBlock, window?.holds(place) != true {
            ahead = min(readAhead, max(Self.leastAhead, 4 * ahead))
        }
        let end = dataEnd
        let read = try window?.block(
            at: place.offset,
            length: place.length,
            end: end,
            ahead: ahead
        )
        switch read {
        case .failure(let mismatch):
            throw table.source?.corruption(
                at: place.offset,
                mismatch,
                "a block of \(place.length) bytes"
            ) ?? table.malformed(number)
        case .success(let block):
            guard
                block.header.type == .data,
                let entries = unsafe DataBlock(base: block.payload, count: block.count)
            else { throw table.malformed(number) }
            if kept > 0 {
                kept -= 1
                unsafe table.keep(
                    number,
                    UnsafeRawBufferPointer(start: block.payload, count: block.count)
                )
            }
            return entries
        case nil: throw table.malformed(number)
        }
    }

    private mutating func takeCached(_ number: Int) -> Block? {
        let block = table.cachedBlock(number, isUse: kept > 0)
        if block != nil, kept > 0 { kept -= 1 }
        return block
    }

    private var dataEnd: Int { endBlock > 0 ? table.index.place(endBlock - 1).end : 0 }
}
