internal import ByteCoding
internal import FileSystems

/// Writes entries that come in order to a new table, under a temporary name until it is whole.
struct TableWriter {
    private let files: any FileSystem
    private let directory: String
    private let tree: UInt32
    private let number: UInt64
    private let options: EngineOptions
    private let file: any WritableFile

    private var output = ByteWriter()
    private var written: UInt64 = 0
    private var wholeChecksum: UInt32 = 0

    private var entries = ByteWriter()
    private var offsets: [UInt32] = []
    private var index = ByteWriter()
    private var indexCount: UInt32 = 0
    private var hashes: [UInt64] = []
    private var firstOfBlock: (prefix: UInt64, key: [UInt8]) = (0, [])
    private var metadata: TableMetadata

    init(
        files: any FileSystem,
        directory: String,
        tree: UInt32,
        number: UInt64,
        options: EngineOptions
    ) throws(StorageError) {
        self.files = files
        self.directory = directory
        self.tree = tree
        self.number = number
        self.options = options
        file = try onDisk { () throws(FileSystemError) in
            try files.openForAppending(
                FileNames.temporaryTable(number, tree: tree, in: directory),
                .createNew
            )
        }
        metadata = TableMetadata(
            tree: tree,
            number: number,
            length: 0,
            checksum: 0,
            entryCount: 0,
            newestStamp: 0,
            firstPrefix: 0,
            firstKey: [],
            lastPrefix: 0,
            lastKey: []
        )
    }

    /// Adds the next entry, whose key must come behind all before it.
    mutating func add(
        _ prefix: UInt64,
        key: ByteRange,
        of keySource: RawSpan,
        value: ByteRange,
        of valueSource: RawSpan,
        stamp: UInt64
    ) throws(StorageError) {
        let size = TableFormat.entryHeaderSize + key.count + value.count
        if !offsets.isEmpty, entries.count + size > options.blockSize { try endBlock() }
        if offsets.isEmpty { firstOfBlock = (prefix, keySource.array(key)) }
        if metadata.entryCount == 0 {
            metadata.firstPrefix = prefix
            metadata.firstKey = firstOfBlock.key
        }
        offsets.append(UInt32(entries.count))
        entries.uint64(prefix)
        entries.uint64(stamp)
        entries.uint32(UInt32(key.count))
        entries.uint32(UInt32(value.count))
        entries.raw(key, of: keySource)
        entries.raw(value, of: valueSource)
        hashes.append(BloomFilter.hash(prefix, key, of: keySource))
        metadata.entryCount += 1
        metadata.newestStamp = max(metadata.newestStamp, stamp)
        metadata.lastPrefix = prefix
        // Only the last entry of a block can be the table's last.
        lastKey = ByteRange(
            offset: Int(offsets[offsets.count - 1]) + TableFormat.entryHeaderSize,
            count: key.count
        )
    }

    private var lastKey = ByteRange.empty

    private mutating func endBlock() throws(StorageError) {
        guard !offsets.isEmpty else { return }
        let base = UInt32(4 + 4 * offsets.count)
        var payload = ByteWriter(capacity: Int(base) + entries.count)
        payload.uint32(UInt32(offsets.count))
        for offset in offsets { payload.uint32(base + offset) }
        payload.raw(entries.bytes)
        index.uint64(written + UInt64(output.count))
        index.uint32(UInt32(payload.count + TableFormat.blockHeaderSize))
        index.uint64(firstOfBlock.prefix)
        index.prefixed(firstOfBlock.key)
        indexCount += 1
        append(.data, payload.bytes)
        metadata.lastKey = entries.bytes.span.bytes.array(lastKey)
        offsets.removeAll(keepingCapacity: true)
        entries.bytes.removeAll(keepingCapacity: true)
        if output.count >= 1 << 20 { try flushOutput() }
    }

    private mutating func append(_ type: TableFormat.BlockType, _ payload: [UInt8]) {
        TableFormat.append(
            type,
            payload,
            identity: options.identity,
            table: number,
            at: written + UInt64(output.count),
            to: &output
        )
    }

    private mutating func flushOutput() throws(StorageError) {
        let bytes = output.bytes
        try onDisk { () throws(FileSystemError) in try file.append(bytes.span.bytes) }
        wholeChecksum = CRC32C.checksum(bytes, seed: wholeChecksum)
        written += UInt64(bytes.count)
        output.bytes.removeAll(keepingCapacity: true)
    }

    /// Ends the table, syncs it and gives it its name.
    mutating func finish() throws(StorageError) -> TableMetadata {
        try endBlock()
        let filterOffset = written + UInt64(output.count)
        append(.filter, BloomFilter(hashes: hashes).payload)
        let indexOffset = written + UInt64(output.count)
        var indexPayload = ByteWriter(capacity: index.count + 4)
        indexPayload.uint32(indexCount)
        indexPayload.raw(index.bytes)
        append(.index, indexPayload.bytes)
        let end = written + UInt64(output.count)
        var footer = ByteWriter(capacity: TableFormat.footerSize)
        footer.uint64(indexOffset)
        footer.uint32(UInt32(end - indexOffset))
        footer.uint64(filterOffset)
        footer.uint32(UInt32(indexOffset - filterOffset))
        footer.uint64(metadata.entryCount)
        footer.uint64(metadata.newestStamp)
        footer.uint32(tree)
        footer.uint32(TableFormat.version)
        footer.uint64(number)
        let seed = LogFormat.seed(
            identity: options.identity,
            kind: TableFormat.kind,
            file: number,
            offset: end
        )
        footer.uint32(CRC32C.checksum(footer.bytes, seed: seed))
        footer.uint64(TableFormat.magic)
        output.raw(footer.bytes)
        try flushOutput()
        metadata.length = written
        metadata.checksum = wholeChecksum
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
}
