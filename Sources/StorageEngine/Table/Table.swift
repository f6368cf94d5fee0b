internal import ByteCoding
internal import FileSystems

/// A table on the disk, with its filter and its index in memory.
final class Table: Sendable {
    let metadata: TableMetadata
    private let path: String
    private let file: any RandomAccessFile
    private let identity: UInt64
    private let filter: BloomFilter
    private let index: [IndexEntry]

    /// Where a data block lies, and its first entry.
    private struct IndexEntry: Sendable {
        let offset: UInt64
        let length: Int
        let prefix: UInt64
        let key: [UInt8]
    }

    /// Opens a table that the manifest names.
    ///
    /// - Throws: `corruption`, `unsupportedFormat`, `io`.
    init(
        _ metadata: TableMetadata,
        directory: String,
        identity: UInt64,
        files: any FileSystem
    ) throws(StorageError) {
        self.metadata = metadata
        self.identity = identity
        let path = FileNames.table(metadata.number, tree: metadata.tree, in: directory)
        self.path = path
        func corrupt(_ offset: UInt64, _ what: String, _ expected: UInt64 = 0, _ found: UInt64 = 0)
            -> StorageError
        {
            .corruption(
                file: path,
                offset: Int(clamping: offset),
                expected: expected,
                found: found,
                what: what
            )
        }
        let size: Int
        do throws(FileSystemError) {
            size = try files.size(of: path)
            file = try files.openForReading(path)
        } catch {
            guard error.reason == .notFound else { throw StorageError(error) }
            throw corrupt(0, "the file is missing", metadata.length)
        }
        guard UInt64(size) == metadata.length, size >= TableFormat.footerSize else {
            throw corrupt(0, "the file has another length", metadata.length, UInt64(size))
        }
        let footerOffset = UInt64(size - TableFormat.footerSize)
        let opened = file
        let footer = try onDisk { () throws(FileSystemError) in
            try opened.read(at: Int(footerOffset), count: TableFormat.footerSize)
        }
        let places: Places
        do throws(CodingError) {
            places = try Places(footer, metadata, identity, footerOffset)
        } catch {
            throw corrupt(footerOffset, "the footer: \(error)")
        }
        let filterBlock = try Self.block(
            .filter,
            file,
            path,
            identity,
            metadata.number,
            places.filter
        )
        guard
            let filter = BloomFilter(
                payload: filterBlock.span.bytes,
                from: TableFormat.blockHeaderSize
            )
        else { throw corrupt(places.filter.offset, "the filter has another shape") }
        self.filter = filter
        let indexBlock = try Self.block(
            .index,
            file,
            path,
            identity,
            metadata.number,
            places.index
        )
        do throws(CodingError) {
            index = try Self.index(indexBlock, end: places.filter.offset)
        } catch {
            throw corrupt(places.index.offset, "the index: \(error)")
        }
    }

    /// Where a block lies.
    private struct Place {
        let offset: UInt64
        let length: Int
    }

    /// What the footer says.
    private struct Places {
        let index: Place
        let filter: Place

        init(
            _ footer: [UInt8],
            _ metadata: TableMetadata,
            _ identity: UInt64,
            _ offset: UInt64
        ) throws(CodingError) {
            let span = footer.span.bytes
            var reader = ByteReader(over: span)
            let indexOffset = try reader.uint64(in: span)
            let indexLength = try reader.uint32(in: span)
            let filterOffset = try reader.uint64(in: span)
            let filterLength = try reader.uint32(in: span)
            let entries = try reader.uint64(in: span)
            let newestStamp = try reader.uint64(in: span)
            let tree = try reader.uint32(in: span)
            let version = try reader.uint32(in: span)
            let number = try reader.uint64(in: span)
            let fields = span.extracting(0..<reader.position)
            let checksum = try reader.uint32(in: span)
            let magic = try reader.uint64(in: span)
            let seed = LogFormat.seed(
                identity: identity,
                kind: TableFormat.kind,
                file: metadata.number,
                offset: offset
            )
            guard CRC32C.checksum(fields, seed: seed) == checksum else {
                throw .invalid(field: "checksum", value: UInt64(checksum))
            }
            guard magic == TableFormat.magic else {
                throw .invalid(field: "magic number", value: magic)
            }
            guard version == TableFormat.version else {
                throw .invalid(field: "version", value: UInt64(version))
            }
            guard
                tree == metadata.tree, number == metadata.number,
                entries == metadata.entryCount, newestStamp == metadata.newestStamp,
                filterOffset <= indexOffset, indexOffset <= offset,
                UInt64(filterLength) == indexOffset - filterOffset,
                UInt64(indexLength) == offset - indexOffset
            else { throw .invalid(field: "fields", value: number) }
            index = Place(offset: indexOffset, length: Int(indexLength))
            filter = Place(offset: filterOffset, length: Int(filterLength))
        }
    }

    private static func index(
        _ block: [UInt8],
        end: UInt64
    ) throws(CodingError) -> [IndexEntry] {
        let span = block.span.bytes
        var reader = ByteReader(
            ByteRange(
                offset: TableFormat.blockHeaderSize,
                count: span.byteCount - TableFormat.blockHeaderSize
            )
        )
        let count = try reader.count(in: span, limit: span.byteCount / 24)
        var index: [IndexEntry] = []
        index.reserveCapacity(count)
        for _ in 0..<count {
            let offset = try reader.uint64(in: span)
            let length = try reader.uint32(in: span)
            let prefix = try reader.uint64(in: span)
            let key = try reader.prefixed(in: span, limit: 65_535)
            guard offset <= end, UInt64(length) <= end - offset else {
                throw .invalid(field: "block offset", value: offset)
            }
            index.append(
                IndexEntry(
                    offset: offset,
                    length: Int(length),
                    prefix: prefix,
                    key: span.array(key)
                )
            )
        }
        try reader.finish()
        guard !index.isEmpty else { throw .invalid(field: "number of blocks", value: 0) }
        return index
    }

    /// Reads a block and checks it.
    private static func block(
        _ type: TableFormat.BlockType,
        _ file: any RandomAccessFile,
        _ path: String,
        _ identity: UInt64,
        _ number: UInt64,
        _ place: Place
    ) throws(StorageError) -> [UInt8] {
        let bytes = try onDisk { () throws(FileSystemError) in
            try file.read(at: Int(place.offset), count: place.length)
        }
        if let mismatch = TableFormat.mismatch(
            in: bytes.span.bytes,
            type: type,
            identity: identity,
            table: number,
            at: place.offset
        ) {
            throw .corruption(
                file: path,
                offset: Int(clamping: place.offset),
                expected: mismatch.expected,
                found: mismatch.found,
                what: "a block of \(place.length) bytes fails its checksum"
            )
        }
        return bytes
    }

    /// Whether the table may hold a key; false is certain.
    func mayContain(_ prefix: UInt64, _ key: ByteRange, of source: RawSpan, hash: UInt64) -> Bool {
        if prefix < metadata.firstPrefix || prefix > metadata.lastPrefix { return false }
        return filter.mayContain(hash)
    }

    var blockCount: Int { index.count }

    /// The last block whose first entry is not behind the key; the first block before all.
    func blockIndex(_ prefix: UInt64, _ key: RawSpan) -> Int {
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            let entry = index[middle]
            let isAtOrBefore =
                entry.prefix != prefix
                ? entry.prefix < prefix : compareBytes(entry.key.span.bytes, key) <= 0
            if isAtOrBefore { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    /// A data block that was checked.
    struct Block {
        let bytes: [UInt8]
        let count: Int
        let path: String
        let offset: UInt64

        /// An entry, with ranges into the block's bytes.
        func entry(_ index: Int) throws(StorageError) -> TableFormat.Entry {
            let span = bytes.span.bytes
            do throws(CodingError) {
                var reader = ByteReader(
                    ByteRange(offset: TableFormat.blockHeaderSize + 4 + 4 * index, count: 4)
                )
                let offset = try reader.uint32(in: span)
                return try TableFormat.Entry(
                    in: span,
                    at: TableFormat.blockHeaderSize + Int(offset)
                )
            } catch {
                throw .corruption(
                    file: path,
                    offset: Int(clamping: offset),
                    expected: 0,
                    found: 0,
                    what: "\(error)"
                )
            }
        }
    }

    func block(_ number: Int) throws(StorageError) -> Block {
        let place = Place(offset: index[number].offset, length: index[number].length)
        let bytes = try Self.block(.data, file, path, identity, metadata.number, place)
        let span = bytes.span.bytes
        var reader = ByteReader(
            ByteRange(
                offset: TableFormat.blockHeaderSize,
                count: span.byteCount - TableFormat.blockHeaderSize
            )
        )
        do throws(CodingError) {
            let count = try reader.count(in: span, limit: reader.remaining / 4)
            _ = try reader.range(4 * count)
            return Block(bytes: bytes, count: count, path: path, offset: place.offset)
        } catch {
            throw .corruption(
                file: path,
                offset: Int(clamping: place.offset),
                expected: 0,
                found: 0,
                what: "\(error)"
            )
        }
    }

    /// The first entry of a block not before a key.
    func lowerBound(_ block: Block, _ prefix: UInt64, _ key: RawSpan) throws(StorageError) -> Int {
        let span = block.bytes.span.bytes
        var low = 0
        var high = block.count
        while low < high {
            let middle = (low + high) / 2
            let entry = try block.entry(middle)
            let isBefore =
                entry.prefix != prefix
                ? entry.prefix < prefix
                : compareBytes(span.extracting(entry.key.offset..<entry.key.end), key) < 0
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The value of a key; reads one block.
    func find(
        _ prefix: UInt64,
        _ key: ByteRange,
        of source: RawSpan
    ) throws(StorageError) -> (value: [UInt8], stamp: UInt64)? {
        let sought = source.extracting(key.offset..<key.end)
        let block = try block(blockIndex(prefix, sought))
        let index = try lowerBound(block, prefix, sought)
        guard index < block.count else { return nil }
        let entry = try block.entry(index)
        let span = block.bytes.span.bytes
        guard
            entry.prefix == prefix,
            compareBytes(span.extracting(entry.key.offset..<entry.key.end), sought) == 0
        else { return nil }
        return (span.array(entry.value), entry.stamp)
    }
}
