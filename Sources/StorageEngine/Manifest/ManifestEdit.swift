internal import ByteCoding

/// What the manifest knows of one table.
struct TableMetadata: Equatable, Sendable {
    var tree: UInt32
    var number: UInt64
    var length: UInt64
    /// CRC32C of the whole file.
    var checksum: UInt32
    var entryCount: UInt64
    var newestStamp: UInt64
    var firstPrefix: UInt64
    var firstKey: [UInt8]
    var lastPrefix: UInt64
    var lastKey: [UInt8]
}

/// One change of what the engine consists of.
enum ManifestEdit: Equatable, Sendable {
    case createTree(number: UInt32, rule: String, since: LogPosition)
    case dropTree(UInt32)
    case addTable(TableMetadata)
    case logBegins(UInt64)

    // On disk: never renumber.
    private enum Kind {
        static let createTree: UInt8 = 1
        static let dropTree: UInt8 = 2
        static let addTable: UInt8 = 3
        static let logBegins: UInt8 = 4
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .createTree(let number, let rule, let since):
            writer.uint8(Kind.createTree)
            writer.uint32(number)
            writer.string(rule)
            writer.uint64(since.segment)
            writer.uint64(since.offset)
        case .dropTree(let number):
            writer.uint8(Kind.dropTree)
            writer.uint32(number)
        case .addTable(let table):
            writer.uint8(Kind.addTable)
            writer.uint32(table.tree)
            writer.uint64(table.number)
            writer.uint64(table.length)
            writer.uint32(table.checksum)
            writer.uint64(table.entryCount)
            writer.uint64(table.newestStamp)
            writer.uint64(table.firstPrefix)
            writer.prefixed(table.firstKey)
            writer.uint64(table.lastPrefix)
            writer.prefixed(table.lastKey)
        case .logBegins(let segment):
            writer.uint8(Kind.logBegins)
            writer.uint64(segment)
        }
    }

    init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        let kind = try reader.uint8(in: bytes)
        switch kind {
        case Kind.createTree:
            let number = try reader.uint32(in: bytes)
            let rule = try reader.string(in: bytes, limit: 255)
            let segment = try reader.uint64(in: bytes)
            let offset = try reader.uint64(in: bytes)
            let since = LogPosition(segment: segment, offset: offset)
            self = .createTree(number: number, rule: rule, since: since)
        case Kind.dropTree:
            self = .dropTree(try reader.uint32(in: bytes))
        case Kind.addTable:
            self = .addTable(
                TableMetadata(
                    tree: try reader.uint32(in: bytes),
                    number: try reader.uint64(in: bytes),
                    length: try reader.uint64(in: bytes),
                    checksum: try reader.uint32(in: bytes),
                    entryCount: try reader.uint64(in: bytes),
                    newestStamp: try reader.uint64(in: bytes),
                    firstPrefix: try reader.uint64(in: bytes),
                    firstKey: bytes.array(try reader.prefixed(in: bytes, limit: 65_535)),
                    lastPrefix: try reader.uint64(in: bytes),
                    lastKey: bytes.array(try reader.prefixed(in: bytes, limit: 65_535))
                )
            )
        case Kind.logBegins:
            self = .logBegins(try reader.uint64(in: bytes))
        default:
            throw .invalid(field: "manifest edit", value: UInt64(kind))
        }
    }
}
