internal import ByteCoding

/// A table on the disk, with its filter and its index in memory.
///
/// Its file is opened when a block is read, and may be closed in between. Damage to footer, index
/// or filter costs nothing but the time to rebuild them; damage to a data block makes the keys of
/// that block unknown, and whatever needs one of them throws.
package final class Table: Sendable {
    /// What the manifest knows of it.
    package let metadata: TableMetadata
    /// What was found damaged on opening; nil if the table is sound as far as opening reads.
    package let damage: StorageError?

    /// Nil for a table that cannot be read at all.
    let source: TableSource?
    let index: TableIndex
    private let filter: BloomFilter?
    private let cache: BlockCache?
    private let owner: UInt64

    /// Opens a table that the manifest names.
    ///
    /// Where header, footer, index or filter are damaged, or the file has another length, all
    /// blocks are read to find what is left, and `damage` tells.
    ///
    /// - Throws: `corruption` if the file is missing, `foreignFile`, `unsupportedFormat`, `io`.
    package init(
        _ metadata: TableMetadata,
        identity: UInt64,
        files: TableFiles,
        cache: BlockCache
    ) throws(StorageError) {
        let source = TableSource(
            files,
            number: metadata.number,
            tree: metadata.tree,
            identity: identity
        )
        let opened = try TableOpening.open(metadata, identity: identity, source)
        self.metadata = metadata
        self.source = source
        damage = opened.damage
        index = opened.index
        filter = opened.filter
        self.cache = cache
        owner = cache.makeOwner()
    }

    /// A table that cannot be read: whatever needs one of its keys throws `error`.
    package init(unreadable metadata: TableMetadata, error: StorageError) {
        self.metadata = metadata
        damage = error
        source = nil
        var builder = TableIndex.Builder()
        builder.addGap(
            BlockPlace(offset: 0, length: Int(clamping: metadata.length)),
            firstKey: metadata.firstKey,
            Mismatch(expected: metadata.length, found: 0)
        )
        index = builder.finish()
        filter = nil
        cache = nil
        owner = 0
    }

    deinit {
        guard let cache else { return }
        for number in 0..<index.count { cache.remove(owner, index.place(number).offset) }
    }

    /// The hash of an ordered key that `mayContain` takes.
    @inline(__always)
    package static func hash(_ key: RawSpan) -> UInt64 {
        Hash64.hash(key, ByteRange(offset: 0, count: key.byteCount))
    }

    /// Whether the table may hold a key of this hash; false is certain.
    ///
    /// True for all keys if the filter was lost and could not be rebuilt from all entries.
    package func mayContain(hash: UInt64) -> Bool {
        filter?.mayContain(hash) ?? true
    }

    /// Bytes that index and filter take in memory.
    package var indexSizeInBytes: Int { index.sizeInBytes + (filter?.sizeInBytes ?? 0) }

    /// Number of data blocks; what was lost between two sound ones counts as one.
    package var blockCount: Int { index.count }

    /// Whether a `VersionCursor` can walk all entries.
    package var hasVersionIndex: Bool { !index.versionPrefixes.isEmpty }

    /// Lends the value of an ordered key, if the table has it; reads at most one block.
    ///
    /// - Throws: `corruption` if the block that would hold the key is damaged or lost, `io`.
    @discardableResult
    package func find<R>(
        _ key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> R
    ) throws(StorageError) -> R? {
        let number = blockNumber(of: key)
        guard number >= 0 else { return nil }
        let place = index.place(number)
        if let block = cache?.block(owner, place.offset) {
            // The block is held until the value was used.
            defer { withExtendedLifetime(block) {} }
            return try find(key, in: block.entries, number, body)
        }
        if let error = gapError(number) { throw error }
        guard let source else { throw malformed(number) }
        if let cache, cache.admits(owner, place.offset, size: place.length) {
            let block = try source.block(place)
            cache.insert(block, owner, place.offset)
            defer { withExtendedLifetime(block) {} }
            return try find(key, in: block.entries, number, body)
        }
        let room = source.files.rooms.take()
        defer { source.files.rooms.giveBack(room) }
        return try find(key, in: source.entries(place, in: room), number, body)
    }

    @inline(__always)
    private func find<R>(
        _ key: RawSpan,
        in entries: DataBlock?,
        _ number: Int,
        _ body: (_ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> R
    ) throws(StorageError) -> R? {
        guard let entries else { throw malformed(number) }
        let finding = unsafe key.withUnsafeBytes { unsafe entries.find($0) }
        switch finding {
        case .entry(let offset, let count, let stamp, let isWhole):
            let value = unsafe UnsafeRawBufferPointer(start: entries.base + offset, count: count)
            return unsafe body(value.bytes, stamp, isWhole)
        case .absent: return nil
        case .malformed: throw malformed(number)
        }
    }

    /// The longest block that is read, and decompressed, for who does not wait for the disk:
    /// 64 KiB.
    private static let maximumBlockAtHand = 64 << 10

    /// Does as `find`, unless that would read the disk.
    ///
    /// What the system's cache holds, as a table that was just written, counts as no disk.
    ///
    /// - Returns: whether it would not.
    /// - Throws: as `find`.
    package func findCached(
        _ key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> Void
    ) throws(StorageError) -> Bool {
        let number = blockNumber(of: key)
        guard number >= 0 else { return true }
        guard let cache else {
            try find(key, body)
            return true
        }
        let place = index.place(number)
        guard let block = cache.block(owner, place.offset, isMissed: false) else {
            if let error = gapError(number) { throw error }
            guard source?.isAtHand(place, limit: Self.maximumBlockAtHand) == true else {
                return false
            }
            try find(key, body)
            return true
        }
        defer { withExtendedLifetime(block) {} }
        // Otherwise each line of it would be waited for by itself.
        block.entries?.prefetchKeys()
        _ = try find(key, in: block.entries, number, body)
        return true
    }

    /// The block that holds a key if any does; −1 if none can.
    @inline(__always)
    private func blockNumber(of key: RawSpan) -> Int {
        let number = index.block(for: key)
        guard number == index.count - 1 else { return number }
        // Behind the last entry there is nothing to be unknown.
        let lastKey = metadata.lastKey
        return compareBytes(key, lastKey.span.bytes) > 0 ? -1 : number
    }

    /// A block if it is in memory; `isUse` counts for how long it stays there.
    @inline(__always)
    func cachedBlock(_ number: Int, isUse: Bool) -> Block? {
        let offset = index.place(number).offset
        return isUse ? cache?.block(owner, offset) : cache?.peek(owner, offset)
    }

    /// Keeps a copy of a block's payload in memory, if the cache admits it.
    func keep(_ number: Int, _ payload: UnsafeRawBufferPointer) {
        let offset = index.place(number).offset
        guard let cache, cache.admits(owner, offset, size: payload.count) else { return }
        cache.insert(unsafe Block(copying: payload), owner, offset)
    }

    /// The error of a block that was lost; nil if the block is one that may be read.
    func gapError(_ number: Int) -> StorageError? {
        guard let gap = index.gap(number) else { return nil }
        guard let source else { return damage }
        let place = index.place(number)
        return source.corruption(
            at: place.offset,
            gap.mismatch,
            "\(place.length) bytes between sound blocks"
        )
    }

    /// The error of a block whose bytes are what was written and make no sense.
    func malformed(_ number: Int) -> StorageError {
        if let error = gapError(number) { return error }
        return source?.malformed(index.place(number))
            ?? .poisoned(reason: "table \(metadata.number) could not be read")
    }

    /// The ordered keys that a block may hold: from the first on, and before the second.
    func keyRange(_ number: Int) -> (lower: [UInt8], upper: [UInt8]) {
        let upper =
            number + 1 < index.count
            ? index.firstKey(number + 1) : successor(of: metadata.lastKey)
        return (index.firstKey(number), upper)
    }
}
