internal import ByteCoding
package import FileSystems

/// Writes entries that come in order to a new table, under a temporary name until it is whole.
///
/// It cannot be copied: held in an optional it was, entry after entry, which took a fifth of a
/// compaction.
package struct TableWriter: ~Copyable {
    /// Bytes that are handed to the file system at once.
    private static let pieceSize = 1 << 18

    private let files: any FileSystem
    private let directory: String
    private let options: EngineOptions
    private let rule: MergeRule
    private let deflater: Deflater?
    private let file: any WritableFile
    private let seed: UInt32

    private var output: ByteWriter
    private var written = 0
    private var wholeChecksum: UInt32 = 0
    private var block: DataBlockBuilder
    private var index = TableIndex.Builder()
    private var firstKey: [UInt8] = []
    private var lastKey: [UInt8] = []
    private var hashes: [UInt64] = []
    private var versions = ByteWriter()
    private var metadata: TableMetadata

    /// Makes the file of a table that nothing else writes.
    ///
    /// `wholeBelow` is what the entries added as whole ones have. `compression` is that of the data
    /// blocks; one that does not shrink by an eighth is stored as it is.
    ///
    /// - Throws: `io`, `diskFull`.
    package init(
        files: any FileSystem,
        directory: String,
        tree: UInt32,
        number: UInt64,
        wholeBelow: UInt64 = 0,
        options: EngineOptions,
        compression: Compression,
        rule: MergeRule
    ) throws(StorageError) {
        self.files = files
        self.directory = directory
        self.options = options
        self.rule = rule
        deflater =
            switch compression {
            case .none: nil
            case .zlib(let level): Deflater(level: level)
            }
        file = try onDisk { () throws(FileSystemError) in
            try files.openForAppending(
                FileNames.temporaryTable(number, tree: tree, in: directory),
                .createNew
            )
        }
        seed = TableFormat.seed(identity: options.identity, table: number)
        output = ByteWriter(capacity: Self.pieceSize + 2 * options.blockSize)
        block = DataBlockBuilder(capacity: 2 * options.blockSize)
        metadata = TableMetadata(
            tree: tree,
            number: number,
            length: 0,
            checksum: 0,
            entryCount: 0,
            tombstoneCount: 0,
            expiringCount: 0,
            lastExpiry: 0,
            newestStamp: 0,
            oldestStamp: .max,
            wholeBelow: wholeBelow,
            firstKey: [],
            lastKey: []
        )
        output.raw(TableFormat.header(identity: options.identity, tree: tree, number: number))
    }

    /// Whether nothing was added yet.
    package var isEmpty: Bool { metadata.entryCount == 0 }

    /// Bytes written and buffered so far, those of index and filter left out.
    package var sizeInBytes: Int { written + output.count + block.sizeInBytes + versions.count }

    /// Adds the next entry, whose ordered key must come behind all before it.
    ///
    /// - Throws: `io`, `diskFull`; then call `abandon`.
    package mutating func add(
        key: RawSpan,
        value: RawSpan,
        stamp: UInt64,
        isWhole: Bool = false
    ) throws(StorageError) {
        let size = key.byteCount + value.byteCount + DataBlock.minimumEntrySize
        if block.entryCount > 0, block.sizeInBytes + size > options.blockSize { try endBlock() }
        let common = commonWithLast(key)
        if metadata.entryCount > 0 {
            precondition(
                isBehindLast(key, common),
                "entry \(metadata.entryCount) of table \(metadata.number) is not behind the last"
            )
        }
        if block.entryCount == 0 { firstKey = key.array() }
        block.add(key: key, common: common, value: value, stamp: stamp, isWhole: isWhole)
        remember(key, common)
        let hash = Table.hash(key)
        hashes.append(hash)
        count(value, stamp, hash, prefix(ofOrderedKey: key))
    }

    private mutating func count(
        _ value: RawSpan,
        _ stamp: UInt64,
        _ hash: UInt64,
        _ prefix: UInt64
    ) {
        if metadata.entryCount == 0 { metadata.firstKey = lastKey }
        metadata.entryCount += 1
        metadata.newestStamp = max(metadata.newestStamp, stamp)
        metadata.oldestStamp = min(metadata.oldestStamp, stamp)
        if let expiry = rule.droppableFrom(value, stamp: stamp) {
            if expiry == 0 {
                metadata.tombstoneCount += 1
            } else {
                metadata.expiringCount += 1
                metadata.lastExpiry = max(metadata.lastExpiry, expiry)
            }
        }
        if let digest = rule.versionDigest {
            versions.uint64(prefix)
            versions.uint64(hash)
            versions.uint64(digest(value))
            versions.uint64(stamp)
        }
    }

    private func isBehindLast(_ key: RawSpan, _ common: Int) -> Bool {
        guard common < key.byteCount else { return false }
        guard common < lastKey.count else { return true }
        return unsafe key.unsafeLoad(fromByteOffset: common, as: UInt8.self) > lastKey[common]
    }

    /// Makes a key the last; what both have in common stays.
    private mutating func remember(_ key: RawSpan, _ common: Int) {
        if key.byteCount == lastKey.count {
            var last = lastKey.mutableSpan
            for index in common..<key.byteCount {
                last[index] = unsafe key.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            }
            return
        }
        lastKey.removeLast(lastKey.count - common)
        unsafe key.withUnsafeBytes { key in
            unsafe lastKey.append(contentsOf: UnsafeRawBufferPointer(rebasing: key[common...]))
        }
    }

    private func commonWithLast(_ key: RawSpan) -> Int {
        unsafe key.withUnsafeBytes { key in
            unsafe lastKey.withUnsafeBytes { last in
                guard let left = key.baseAddress, let right = last.baseAddress else { return 0 }
                return unsafe commonLength(left, right, min(key.count, last.count))
            }
        }
    }

    private mutating func endBlock() throws(StorageError) {
        guard block.entryCount > 0 else { return }
        block.finish()
        // Taken out and put back, so that their room is used again without a copy.
        var payload = block.take()
        let count = payload.count
        let limit = count - count / 8 - 1
        let place: BlockPlace
        if let deflater, deflater.deflate(payload.span.bytes, limit: limit) {
            place = unsafe append(.data, .zlib, deflater.output.bytes, rawLength: count)
        } else {
            place = append(.data, .none, payload.span.bytes, rawLength: count)
        }
        index.add(place, firstKey: firstKey)
        payload.removeAll(keepingCapacity: true)
        block.restart(with: payload)
        if output.count >= Self.pieceSize { try flushOutput() }
    }

    private mutating func append(
        _ type: BlockType,
        _ codec: BlockCodec,
        _ stored: RawSpan,
        rawLength: Int
    ) -> BlockPlace {
        let start = written + output.count
        BlockHeader.append(
            type,
            codec,
            stored,
            rawLength: rawLength,
            seed: TableFormat.seed(seed, at: start),
            to: &output
        )
        return BlockPlace(offset: start, length: written + output.count - start)
    }

    private mutating func flushOutput() throws(StorageError) {
        // Taken out and put back, so that its room is used again without a copy.
        var piece = ByteWriter()
        swap(&piece, &output)
        do throws(FileSystemError) {
            try file.append(piece.bytes.span.bytes)
        } catch {
            throw StorageError(error)
        }
        wholeChecksum = CRC32C.checksum(piece.bytes, seed: wholeChecksum)
        written += piece.count
        piece.bytes.removeAll(keepingCapacity: true)
        swap(&piece, &output)
    }

    /// Ends the table, syncs it and gives it its name.
    ///
    /// - Throws: `io`, `diskFull`; then call `abandon`.
    package mutating func finish() throws(StorageError) -> TableMetadata {
        try endBlock()
        metadata.lastKey = lastKey
        if metadata.entryCount == 0 { metadata.oldestStamp = 0 }
        let versionOffset = written + output.count
        try appendVersions()
        let filterOffset = written + output.count
        let filter = BloomFilter(hashes: hashes).payload
        _ = append(.filter, .none, filter.span.bytes, rawLength: filter.count)
        let payload = index.payload
        let indexOffset = append(.index, .none, payload.span.bytes, rawLength: payload.count).offset
        let footer = TableFormat.Footer(
            versionOffset: versionOffset,
            filterOffset: filterOffset,
            indexOffset: indexOffset
        )
        let place = written + output.count
        output.raw(
            TableFormat.footer(footer, metadata, seed: TableFormat.seed(seed, at: place))
        )
        try flushOutput()
        metadata.length = UInt64(written)
        metadata.checksum = wholeChecksum
        let (tree, number) = (metadata.tree, metadata.number)
        try onDisk { () throws(FileSystemError) in
            try file.sync()
            try file.close()
            try files.rename(
                FileNames.temporaryTable(number, tree: tree, in: directory),
                to: FileNames.table(number, tree: tree, in: directory)
            )
            try files.syncDirectory(FileNames.treeDirectory(tree, in: directory))
        }
        return metadata
    }

    private mutating func appendVersions() throws(StorageError) {
        var all = ByteWriter()
        swap(&all, &versions)
        let records = all.bytes.span.bytes
        var start = 0
        while start < records.byteCount {
            let end = min(records.byteCount, start + VersionRecord.size * VersionRecord.blockCount)
            let place = append(
                .versions,
                .none,
                records.extracting(start..<end),
                rawLength: end - start
            )
            let prefix = unsafe records.unsafeLoadUnaligned(
                fromByteOffset: start,
                as: UInt64.self
            )
            index.addVersions(place, firstPrefix: UInt64(littleEndian: prefix))
            if output.count >= Self.pieceSize { try flushOutput() }
            start = end
        }
    }

    /// Removes the file of a table that no manifest names.
    ///
    /// What cannot be removed now is removed when the engine opens next.
    package mutating func abandon() {
        let (tree, number) = (metadata.tree, metadata.number)
        try? file.close()
        try? files.remove(FileNames.temporaryTable(number, tree: tree, in: directory))
        try? files.remove(FileNames.table(number, tree: tree, in: directory))
    }
}
