internal import ByteCoding

/// The bytes of a table that are not in blocks, and what binds them to their place.
///
///     table   := header, data block*, version block*, filter block, index block, footer
///     header  := magic: uint64, version: uint32, tree: uint32, identity: uint64, number: uint64,
///                reserved: uint32, checksum: uint32
///     footer  := versionOffset: uint64, filterOffset: uint64, indexOffset: uint64,
///                entries: uint64, newestStamp: uint64, number: uint64, tree: uint32,
///                reserved: uint32, checksum: uint32, version: uint32, magic: uint64
///
/// All integers are little-endian. The header's checksum is CRC32C over the fields before it, so
/// that a file of another engine can be told from a damaged one; the footer's begins as a block's
/// at its place does. The whole grammar is in `TableFormat.md`.
enum TableFormat {
    // On disk: never renumber.
    static let headerMagic: UInt64 = 0x314C_4254_4C52_4453
    static let footerMagic: UInt64 = 0x3146_4254_4C52_4453
    static let version: UInt32 = 1
    static let headerSize = 40
    static let footerSize = 72
    private static let kind: UInt64 = 0x5442_4C00_0000_0000

    /// What the checksums of a file begin with: other engines' and other tables' blocks fail.
    static func seed(identity: UInt64, table: UInt64) -> UInt32 {
        var writer = ByteWriter(capacity: 16)
        writer.uint64(identity)
        writer.uint64(kind ^ table)
        return CRC32C.checksum(writer.bytes)
    }

    /// Binds a file's seed to a place in it, so that a block that was moved fails.
    ///
    /// Two places less than 4 GiB apart never get the same.
    // On disk: never renumber.
    static func seed(_ file: UInt32, at offset: Int) -> UInt32 {
        let place = UInt64(truncatingIfNeeded: offset)
        let high = UInt32(truncatingIfNeeded: place >> 32)
        return file ^ UInt32(truncatingIfNeeded: place) ^ (high &* 0x9E37_79B1)
    }

    /// The bytes before the first block.
    static func header(identity: UInt64, tree: UInt32, number: UInt64) -> [UInt8] {
        var writer = ByteWriter(capacity: headerSize)
        writer.uint64(headerMagic)
        writer.uint32(version)
        writer.uint32(tree)
        writer.uint64(identity)
        writer.uint64(number)
        writer.uint32(0)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// What a header says of its file.
    enum HeaderFinding {
        case own
        case damaged(expected: UInt64, found: UInt64)
        case foreign(String)
        case newer(UInt32)
    }

    /// Compares a header with what it should be; believes it only if its checksum is right.
    static func check(
        header: RawSpan,
        identity: UInt64,
        tree: UInt32,
        number: UInt64
    ) -> HeaderFinding {
        var reader = ByteReader(over: header)
        do throws(CodingError) {
            let magic = try reader.uint64(in: header)
            let version = try reader.uint32(in: header)
            let foundTree = try reader.uint32(in: header)
            let foundIdentity = try reader.uint64(in: header)
            let foundNumber = try reader.uint64(in: header)
            _ = try reader.uint32(in: header)
            let actual = CRC32C.checksum(header.extracting(0..<reader.position))
            let checksum = try reader.uint32(in: header)
            guard magic == headerMagic else {
                return .damaged(expected: headerMagic, found: magic)
            }
            guard actual == checksum else {
                return .damaged(expected: UInt64(checksum), found: UInt64(actual))
            }
            guard version <= Self.version else { return .newer(version) }
            guard foundIdentity == identity else { return .foreign("another engine's identity") }
            guard foundTree == tree else { return .foreign("a table of tree \(foundTree)") }
            guard foundNumber == number else { return .foreign("table \(foundNumber)") }
            return .own
        } catch {
            return .damaged(expected: UInt64(headerSize), found: UInt64(header.byteCount))
        }
    }

    /// Where the parts behind the data blocks lie.
    struct Footer: Equatable {
        var versionOffset: Int
        var filterOffset: Int
        var indexOffset: Int
    }

    /// The last bytes of a table.
    static func footer(_ footer: Footer, _ metadata: TableMetadata, seed: UInt32) -> [UInt8] {
        var writer = ByteWriter(capacity: footerSize)
        writer.uint64(UInt64(footer.versionOffset))
        writer.uint64(UInt64(footer.filterOffset))
        writer.uint64(UInt64(footer.indexOffset))
        writer.uint64(metadata.entryCount)
        writer.uint64(metadata.newestStamp)
        writer.uint64(metadata.number)
        writer.uint32(metadata.tree)
        writer.uint32(0)
        writer.uint32(CRC32C.checksum(writer.bytes, seed: seed))
        writer.uint32(version)
        writer.uint64(footerMagic)
        return writer.bytes
    }

    /// All that a footer says.
    struct FooterFields {
        let versionOffset: UInt64
        let filterOffset: UInt64
        let indexOffset: UInt64
        let entries: UInt64
        let newestStamp: UInt64
        let number: UInt64
        let tree: UInt32
    }

    /// The fields of a footer that is what was written, or what is wrong with it.
    static func footerFields(in bytes: RawSpan, seed: UInt32) -> Result<FooterFields, Mismatch> {
        var reader = ByteReader(over: bytes)
        do throws(CodingError) {
            let fields = FooterFields(
                versionOffset: try reader.uint64(in: bytes),
                filterOffset: try reader.uint64(in: bytes),
                indexOffset: try reader.uint64(in: bytes),
                entries: try reader.uint64(in: bytes),
                newestStamp: try reader.uint64(in: bytes),
                number: try reader.uint64(in: bytes),
                tree: try reader.uint32(in: bytes)
            )
            _ = try reader.uint32(in: bytes)
            let actual = CRC32C.checksum(bytes.extracting(0..<reader.position), seed: seed)
            let checksum = try reader.uint32(in: bytes)
            let version = try reader.uint32(in: bytes)
            let magic = try reader.uint64(in: bytes)
            guard actual == checksum else {
                return .failure(Mismatch(expected: UInt64(checksum), found: UInt64(actual)))
            }
            guard magic == footerMagic, version == Self.version else {
                return .failure(Mismatch(expected: footerMagic, found: magic))
            }
            return .success(fields)
        } catch {
            return .failure(Mismatch(expected: UInt64(footerSize), found: UInt64(bytes.byteCount)))
        }
    }

    /// The footer in the last bytes of a file, or what is wrong with them.
    static func footer(
        in bytes: RawSpan,
        at offset: Int,
        _ metadata: TableMetadata,
        seed: UInt32
    ) -> Result<Footer, Mismatch> {
        switch footerFields(in: bytes, seed: seed) {
        case .failure(let mismatch): return .failure(mismatch)
        case .success(let fields):
            guard fields.isOf(metadata) else {
                return .failure(Mismatch(expected: metadata.entryCount, found: fields.entries))
            }
            guard
                fields.versionOffset >= UInt64(headerSize),
                fields.versionOffset <= fields.filterOffset,
                fields.filterOffset <= fields.indexOffset, fields.indexOffset <= UInt64(offset)
            else { return .failure(Mismatch(expected: UInt64(offset), found: fields.indexOffset)) }
            return .success(
                Footer(
                    versionOffset: Int(fields.versionOffset),
                    filterOffset: Int(fields.filterOffset),
                    indexOffset: Int(fields.indexOffset)
                )
            )
        }
    }
}

extension TableFormat.FooterFields {
    /// Whether it is the footer of the table that a manifest describes.
    func isOf(_ metadata: TableMetadata) -> Bool {
        entries == metadata.entryCount && newestStamp == metadata.newestStamp
            && number == metadata.number && tree == metadata.tree
    }
}

/// What should be there and what is: two checksums, lengths or other numbers.
struct Mismatch: Error, Equatable {
    var expected: UInt64
    var found: UInt64
}
