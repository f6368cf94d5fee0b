internal import ByteCoding
internal import FileSystems

/// Reads what a table keeps in memory: from footer, index and filter if they are sound, else from
/// the blocks.
struct TableOpening {
    let index: TableIndex
    let filter: BloomFilter?
    let damage: StorageError?

    /// - Throws: `corruption` if the file is missing, `foreignFile`, `unsupportedFormat`, `io`.
    static func open(
        _ metadata: TableMetadata,
        identity: UInt64,
        _ source: TableSource
    ) throws(StorageError) -> TableOpening {
        let size = try size(metadata, source)
        var damage: StorageError?
        if size != Int(clamping: metadata.length) {
            damage = source.corruption(
                at: min(size, Int(clamping: metadata.length)),
                Mismatch(expected: metadata.length, found: UInt64(size)),
                "the length of the file"
            )
        }
        let header = try source.read(BlockPlace(offset: 0, length: TableFormat.headerSize))
        let finding = TableFormat.check(
            header: header.span.bytes,
            identity: identity,
            tree: metadata.tree,
            number: metadata.number
        )
        switch finding {
        case .own: break
        case .newer(let version):
            throw .unsupportedFormat(file: source.path, version: version)
        case .foreign(let what): throw .foreignFile(file: source.path, what: what)
        case .damaged(let expected, let found):
            damage =
                damage
                ?? source.corruption(
                    at: 0,
                    Mismatch(expected: expected, found: found),
                    "the header"
                )
        }
        let end = min(size, Int(clamping: metadata.length))
        switch try sound(metadata, source, end: end) {
        case .success(let (index, filter)):
            return TableOpening(index: index, filter: filter, damage: damage)
        case .failure(let part):
            try refuseForeign(metadata, source, size: size)
            let rebuilt = try TableRebuild.rebuild(metadata, source, end: end)
            return TableOpening(
                index: rebuilt.index,
                filter: rebuilt.filter,
                damage: damage ?? source.corruption(at: part.offset, part.mismatch, part.what)
            )
        }
    }

    /// Refuses a file whose own footer is whole and tells of another table than the manifest: both
    /// are what was written, and do not belong together.
    private static func refuseForeign(
        _ metadata: TableMetadata,
        _ source: TableSource,
        size: Int
    ) throws(StorageError) {
        let offset = size - TableFormat.footerSize
        guard offset >= TableFormat.headerSize else { return }
        let bytes = try source.read(BlockPlace(offset: offset, length: TableFormat.footerSize))
        let footer = TableFormat.footerFields(
            in: bytes.span.bytes,
            seed: TableFormat.seed(source.seed, at: offset)
        )
        guard case .success(let fields) = footer else { return }
        if !fields.isOf(metadata) || UInt64(size) != metadata.length {
            throw .foreignFile(
                file: source.path,
                what: "\(fields.entries) entries in \(size) bytes, where the manifest says "
                    + "\(metadata.entryCount) in \(metadata.length)"
            )
        }
    }

    private static func size(
        _ metadata: TableMetadata,
        _ source: TableSource
    ) throws(StorageError) -> Int {
        do throws(StorageError) {
            return try source.files.size(metadata.number, tree: metadata.tree)
        } catch {
            guard case .io(let failure) = error, failure.reason == .notFound else { throw error }
            throw source.corruption(
                at: 0,
                Mismatch(expected: metadata.length, found: 0),
                "the file is missing"
            )
        }
    }

    /// A part of the file that is not what was written.
    private struct DamagedPart: Error {
        let offset: Int
        let mismatch: Mismatch
        let what: String
    }

    /// Index and filter by way of the footer.
    private static func sound(
        _ metadata: TableMetadata,
        _ source: TableSource,
        end: Int
    ) throws(StorageError) -> Result<(TableIndex, BloomFilter), DamagedPart> {
        let footerOffset = Int(clamping: metadata.length) - TableFormat.footerSize
        guard footerOffset >= TableFormat.headerSize, footerOffset <= end else {
            return .failure(
                DamagedPart(
                    offset: end,
                    mismatch: Mismatch(expected: metadata.length, found: UInt64(end)),
                    what: "the footer"
                )
            )
        }
        let bytes = try source.read(
            BlockPlace(offset: footerOffset, length: TableFormat.footerSize)
        )
        let read = TableFormat.footer(
            in: bytes.span.bytes,
            at: footerOffset,
            metadata,
            seed: TableFormat.seed(source.seed, at: footerOffset)
        )
        let footer: TableFormat.Footer
        switch read {
        case .success(let found): footer = found
        case .failure(let mismatch):
            return .failure(
                DamagedPart(offset: footerOffset, mismatch: mismatch, what: "the footer")
            )
        }
        var window = TableWindow(source)
        let ahead = footerOffset - footer.filterOffset
        func payload(
            _ type: BlockType,
            _ place: BlockPlace
        ) throws(StorageError) -> Result<[UInt8], Mismatch> {
            let block = try window.block(
                at: place.offset,
                length: place.length,
                end: footerOffset,
                ahead: ahead
            )
            switch block {
            case .failure(let mismatch): return .failure(mismatch)
            case .success(let block):
                guard block.header.type == type else {
                    return .failure(
                        Mismatch(
                            expected: UInt64(type.rawValue),
                            found: UInt64(block.header.type.rawValue)
                        )
                    )
                }
                return .success(
                    unsafe Array(UnsafeRawBufferPointer(start: block.payload, count: block.count))
                )
            }
        }
        let filterPlace = BlockPlace(
            offset: footer.filterOffset,
            length: footer.indexOffset - footer.filterOffset
        )
        let filter: BloomFilter
        switch try payload(.filter, filterPlace) {
        case .failure(let mismatch):
            return .failure(
                DamagedPart(offset: filterPlace.offset, mismatch: mismatch, what: "the filter")
            )
        case .success(let bytes):
            guard let found = BloomFilter(payload: bytes.span.bytes) else {
                return .failure(
                    DamagedPart(
                        offset: filterPlace.offset,
                        mismatch: Mismatch(expected: 0, found: UInt64(bytes.count)),
                        what: "the shape of the filter"
                    )
                )
            }
            filter = found
        }
        let indexPlace = BlockPlace(
            offset: footer.indexOffset,
            length: footerOffset - footer.indexOffset
        )
        switch try payload(.index, indexPlace) {
        case .failure(let mismatch):
            return .failure(
                DamagedPart(offset: indexPlace.offset, mismatch: mismatch, what: "the index")
            )
        case .success(let bytes):
            guard let index = TableIndex(payload: bytes.span.bytes, end: footer.filterOffset)
            else {
                return .failure(
                    DamagedPart(
                        offset: indexPlace.offset,
                        mismatch: Mismatch(expected: 0, found: UInt64(bytes.count)),
                        what: "the shape of the index"
                    )
                )
            }
            return .success((index, filter))
        }
    }
}
