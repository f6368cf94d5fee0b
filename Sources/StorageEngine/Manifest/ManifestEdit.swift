internal import ByteCoding

/// One change of what the engine consists of.
enum ManifestEdit: Equatable, Sendable {
    case createTree(number: UInt32, rule: String, compression: Compression, since: LogPosition)
    case dropTree(UInt32)
    case setCompression(tree: UInt32, Compression)
    /// Parts of tables leave a tree and others come, all at once.
    case replaceTables(tree: UInt32, removed: [TablePart], added: [TableReference])
    /// The log is read from this segment on, and is known to have been synced up to a position.
    case logBegins(UInt64, synced: LogPosition)
    /// Records of a range may have been lost.
    case addLostRange(tree: UInt32, LostRange)
    /// The records of a range were brought from elsewhere.
    case removeLostRanges(tree: UInt32, [LostRange])
    /// The number of the next table, and tables whose files may be there and are to go.
    case tables(next: UInt64, obsolete: [ObsoleteTable])

    // On disk: never renumber.
    private enum Kind {
        static let createTree: UInt8 = 1
        static let dropTree: UInt8 = 2
        static let setCompression: UInt8 = 3
        static let replaceTables: UInt8 = 4
        static let logBegins: UInt8 = 5
        static let addLostRange: UInt8 = 6
        static let removeLostRanges: UInt8 = 7
        static let tables: UInt8 = 8
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .createTree(let number, let rule, let compression, let since):
            writer.uint8(Kind.createTree)
            writer.uint32(number)
            writer.string(rule)
            writer.uint8(compression.code)
            writer.uint64(since.segment)
            writer.uint64(since.offset)
        case .dropTree(let number):
            writer.uint8(Kind.dropTree)
            writer.uint32(number)
        case .setCompression(let tree, let compression):
            writer.uint8(Kind.setCompression)
            writer.uint32(tree)
            writer.uint8(compression.code)
        case .replaceTables(let tree, let removed, let added):
            writer.uint8(Kind.replaceTables)
            writer.uint32(tree)
            writer.uint32(UInt32(removed.count))
            for part in removed {
                writer.uint64(part.number)
                writer.prefixed(part.lower)
            }
            writer.uint32(UInt32(added.count))
            for reference in added { reference.write(to: &writer) }
        case .logBegins(let segment, let synced):
            writer.uint8(Kind.logBegins)
            writer.uint64(segment)
            writer.uint64(synced.segment)
            writer.uint64(synced.offset)
        case .addLostRange(let tree, let range):
            writer.uint8(Kind.addLostRange)
            writer.uint32(tree)
            range.write(to: &writer)
        case .removeLostRanges(let tree, let ranges):
            writer.uint8(Kind.removeLostRanges)
            writer.uint32(tree)
            writer.uint32(UInt32(ranges.count))
            for range in ranges { range.write(to: &writer) }
        case .tables(let next, let obsolete):
            writer.uint8(Kind.tables)
            writer.uint64(next)
            writer.uint32(UInt32(obsolete.count))
            for table in obsolete {
                writer.uint64(table.number)
                writer.uint32(table.tree)
            }
        }
    }

    init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        let kind = try reader.uint8(in: bytes)
        switch kind {
        case Kind.createTree:
            let number = try reader.uint32(in: bytes)
            let rule = try reader.string(in: bytes, limit: 255)
            let compression = try Compression(code: try reader.uint8(in: bytes))
            let segment = try reader.uint64(in: bytes)
            let offset = try reader.uint64(in: bytes)
            self = .createTree(
                number: number,
                rule: rule,
                compression: compression,
                since: LogPosition(segment: segment, offset: offset)
            )
        case Kind.dropTree:
            self = .dropTree(try reader.uint32(in: bytes))
        case Kind.setCompression:
            let tree = try reader.uint32(in: bytes)
            self = .setCompression(tree: tree, try Compression(code: try reader.uint8(in: bytes)))
        case Kind.replaceTables:
            let tree = try reader.uint32(in: bytes)
            var removed: [TablePart] = []
            for _ in 0..<(try reader.count(in: bytes, limit: reader.remaining / 12)) {
                let number = try reader.uint64(in: bytes)
                let lower = bytes.array(try reader.prefixed(in: bytes, limit: 65_535))
                removed.append(TablePart(number: number, lower: lower))
            }
            var added: [TableReference] = []
            for _ in 0..<(try reader.count(in: bytes, limit: reader.remaining / 90)) {
                added.append(try TableReference(from: &reader, in: bytes, tree: tree))
            }
            self = .replaceTables(tree: tree, removed: removed, added: added)
        case Kind.logBegins:
            let first = try reader.uint64(in: bytes)
            let segment = try reader.uint64(in: bytes)
            let offset = try reader.uint64(in: bytes)
            self = .logBegins(first, synced: LogPosition(segment: segment, offset: offset))
        case Kind.addLostRange:
            let tree = try reader.uint32(in: bytes)
            self = .addLostRange(tree: tree, try LostRange(from: &reader, in: bytes))
        case Kind.removeLostRanges:
            let tree = try reader.uint32(in: bytes)
            var ranges: [LostRange] = []
            for _ in 0..<(try reader.count(in: bytes, limit: reader.remaining / 13)) {
                ranges.append(try LostRange(from: &reader, in: bytes))
            }
            self = .removeLostRanges(tree: tree, ranges)
        case Kind.tables:
            let next = try reader.uint64(in: bytes)
            var obsolete: [ObsoleteTable] = []
            for _ in 0..<(try reader.count(in: bytes, limit: reader.remaining / 12)) {
                let number = try reader.uint64(in: bytes)
                obsolete.append(ObsoleteTable(number: number, tree: try reader.uint32(in: bytes)))
            }
            self = .tables(next: next, obsolete: obsolete)
        default:
            throw .invalid(field: "manifest edit", value: UInt64(kind))
        }
    }
}

/// A table that no tree has any more.
struct ObsoleteTable: Hashable, Sendable {
    let number: UInt64
    let tree: UInt32
}

/// What tells one part of a table from the others.
struct TablePart: Hashable, Sendable {
    let number: UInt64
    let lower: [UInt8]
}

extension TableReference {
    var part: TablePart { TablePart(number: metadata.number, lower: lower) }

    fileprivate func write(to writer: inout ByteWriter) {
        writer.uint64(metadata.number)
        writer.uint64(metadata.length)
        writer.uint32(metadata.checksum)
        writer.uint64(metadata.entryCount)
        writer.uint64(metadata.tombstoneCount)
        writer.uint64(metadata.expiringCount)
        writer.uint64(metadata.lastExpiry)
        writer.uint64(metadata.newestStamp)
        writer.uint64(metadata.oldestStamp)
        writer.uint64(metadata.wholeBelow)
        writer.prefixed(metadata.firstKey)
        writer.prefixed(metadata.lastKey)
        writer.uint64(order)
        writer.prefixed(lower)
        writer.prefixed(upper)
    }

    fileprivate init(
        from reader: inout ByteReader,
        in bytes: RawSpan,
        tree: UInt32
    ) throws(CodingError) {
        let metadata = TableMetadata(
            tree: tree,
            number: try reader.uint64(in: bytes),
            length: try reader.uint64(in: bytes),
            checksum: try reader.uint32(in: bytes),
            entryCount: try reader.uint64(in: bytes),
            tombstoneCount: try reader.uint64(in: bytes),
            expiringCount: try reader.uint64(in: bytes),
            lastExpiry: try reader.uint64(in: bytes),
            newestStamp: try reader.uint64(in: bytes),
            oldestStamp: try reader.uint64(in: bytes),
            wholeBelow: try reader.uint64(in: bytes),
            firstKey: bytes.array(try reader.prefixed(in: bytes, limit: 65_535)),
            lastKey: bytes.array(try reader.prefixed(in: bytes, limit: 65_535))
        )
        self.init(metadata, order: try reader.uint64(in: bytes))
        lower = bytes.array(try reader.prefixed(in: bytes, limit: 65_536))
        upper = try reader.upperBound(in: bytes)
    }
}

extension LostRange {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.prefixed(lower)
        writer.prefixed(upper)
        writer.uint64(newestStamp)
    }

    fileprivate init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        lower = bytes.array(try reader.prefixed(in: bytes, limit: 65_536))
        upper = try reader.upperBound(in: bytes)
        newestStamp = try reader.uint64(in: bytes)
    }
}

extension Compression {
    // On disk: never renumber.
    /// 0 is none, 1 to 9 a level of zlib.
    fileprivate var code: UInt8 {
        switch self {
        case .none: 0
        case .zlib(let level): UInt8(clamping: min(max(level, 1), 9))
        }
    }

    fileprivate init(code: UInt8) throws(CodingError) {
        switch code {
        case 0: self = .none
        case 1...9: self = .zlib(level: Int(code))
        default: throw .invalid(field: "compression", value: UInt64(code))
        }
    }
}

extension ByteWriter {
    /// An upper bound, of which the empty one stands for none.
    fileprivate mutating func prefixed(_ upper: [UInt8]?) {
        prefixed(upper ?? [])
    }
}

extension ByteReader {
    fileprivate mutating func upperBound(in bytes: RawSpan) throws(CodingError) -> [UInt8]? {
        let upper = bytes.array(try prefixed(in: bytes, limit: 65_536))
        return upper.isEmpty ? nil : upper
    }
}
