internal import ByteCoding
internal import FileSystems

/// The one file that says which trees and tables there are and where the log begins.
///
///     manifest := magic: 8 bytes, version: uint32, identityCheck: uint32, generation: uint64,
///                 checksum: uint32, record*
///     record   := length: uint32, checksum: uint32, payload
///     payload  := count: uint32, edit*          count 0: a seal
///
/// Checksums are CRC32C over the engine's identity, the generation, the offset and the payload. A
/// record is sealed by an empty one once it was synced, and only then acted upon; so damage that a
/// seal follows is corruption, and damage at the very end a torn tail. A new generation is written
/// to another name and renamed over the old.
final class Manifest {
    // On disk: never renumber.
    static let magic: UInt64 = 0x314E_414D_4C52_4753
    static let version: UInt32 = 1
    private static let kind: UInt64 = 0x4D41_4E00_0000_0000
    static let headerSize = 28
    private static let maximumRecordSize = 64 << 20

    /// What all edits together say.
    struct State: Equatable {
        /// One tree.
        struct Tree: Equatable {
            var rule: String
            var compression: Compression
            var since: LogPosition
            var tables: [TableReference] = []
            var lost: [LostRange] = []
        }

        var trees: [UInt32: Tree] = [:]
        var logBegins: UInt64 = 0
        /// The log is known to have been synced up to here.
        var synced = LogPosition(segment: 0, offset: 0)
        /// No table has this number or a larger one.
        var nextTable: UInt64 = 1
        /// Tables that were in a tree and are in none, whose files may be there.
        var obsolete: Set<ObsoleteTable> = []

        /// - Returns: whether the edit fits what was said before.
        mutating func apply(_ edit: ManifestEdit) -> Bool {
            switch edit {
            case .createTree(let number, let rule, let compression, let since):
                guard trees[number] == nil else { return false }
                trees[number] = Tree(rule: rule, compression: compression, since: since)
                // A log that went on before it would give places to the tree that are not its own.
                synced = max(synced, since)
            case .dropTree(let number):
                guard let tree = trees.removeValue(forKey: number) else { return false }
                for reference in tree.tables {
                    obsolete.insert(ObsoleteTable(number: reference.metadata.number, tree: number))
                }
            case .setCompression(let number, let compression):
                guard trees[number] != nil else { return false }
                trees[number]?.compression = compression
            case .replaceTables(let number, let removed, let added):
                guard var tree = trees[number] else { return false }
                let gone = Set(removed)
                let before = tree.tables.count
                tree.tables.removeAll { gone.contains($0.part) }
                guard before - tree.tables.count == removed.count else { return false }
                tree.tables += added
                trees[number] = tree
                nextTable = added.reduce(nextTable) { max($0, $1.metadata.number &+ 1) }
                let stay = Set(tree.tables.map(\.metadata.number))
                for part in removed where !stay.contains(part.number) {
                    obsolete.insert(ObsoleteTable(number: part.number, tree: number))
                }
            case .logBegins(let segment, let position):
                logBegins = max(logBegins, segment)
                synced = max(synced, position)
            case .addLostRange(let number, let range):
                guard trees[number] != nil else { return false }
                trees[number]?.lost.append(range)
            case .removeLostRanges(let number, let ranges):
                guard trees[number] != nil else { return false }
                trees[number]?.lost.removeAll { ranges.contains($0) }
            case .tables(let next, let tables):
                nextTable = max(nextTable, next)
                obsolete.formUnion(tables)
            }
            return true
        }

        /// The edits that lead here from nothing.
        var edits: [ManifestEdit] {
            let tables = obsolete.sorted { ($0.number, $0.tree) < ($1.number, $1.tree) }
            var edits: [ManifestEdit] = [
                .logBegins(logBegins, synced: synced), .tables(next: nextTable, obsolete: tables),
            ]
            for (number, tree) in trees.sorted(by: { $0.key < $1.key }) {
                edits.append(
                    .createTree(
                        number: number,
                        rule: tree.rule,
                        compression: tree.compression,
                        since: tree.since
                    )
                )
                if !tree.tables.isEmpty {
                    edits.append(.replaceTables(tree: number, removed: [], added: tree.tables))
                }
                edits += tree.lost.map { .addLostRange(tree: number, $0) }
            }
            return edits
        }
    }

    private let file: any WritableFile
    private let identity: UInt64
    private let generation: UInt64
    private var size: Int
    private let sizeWhenWritten: Int
    /// Bytes of the file, zeros behind `size` included.
    private var allocated: Int

    /// Writes a new manifest in place of the old.
    ///
    /// - Throws: `diskFull` if the old one stands, `io`.
    init(
        writing state: State,
        generation: UInt64,
        directory: String,
        identity: UInt64,
        files: any FileSystem
    ) throws(StorageError) {
        self.identity = identity
        self.generation = generation
        var writer = ByteWriter()
        writer.uint64(Self.magic)
        writer.uint32(Self.version)
        writer.uint32(Self.identityCheck(identity))
        writer.uint64(generation)
        writer.uint32(CRC32C.checksum(writer.bytes))
        Self.append(state.edits, identity, generation, to: &writer)
        Self.append([], identity, generation, to: &writer)
        let bytes = writer.bytes
        size = bytes.count
        sizeWhenWritten = bytes.count
        allocated = bytes.count
        let temporary = FileNames.temporaryManifest(directory)
        do throws(FileSystemError) {
            if try files.exists(temporary) { try files.remove(temporary) }
            file = try files.openForAppending(temporary, .createNew)
            try file.append(bytes.span.bytes)
        } catch {
            // What stays is written over by the next.
            if error.reason == .noSpace { try? files.remove(temporary) }
            throw StorageError(error)
        }
        do throws(FileSystemError) {
            try file.sync()
            try files.rename(temporary, to: FileNames.manifest(directory))
            try files.syncDirectory(directory)
        } catch {
            throw .io(error)
        }
    }

    /// Whether a new generation would be much shorter.
    var isLong: Bool { size > 1 << 20 && size > 4 * sizeWhenWritten }

    /// Bytes by which the file is made longer at a time.
    private static let roomSize = 16 << 10

    /// Makes room on the disk for edits, so that `append` cannot find it full.
    ///
    /// - Throws: `diskFull`, after which nothing has changed; `io`.
    func makeRoom(for edits: [ManifestEdit]) throws(StorageError) {
        var writer = ByteWriter()
        Self.append(edits, identity, generation, at: size, to: &writer)
        Self.append([], identity, generation, at: size, to: &writer)
        let needed = size + writer.count
        guard needed > allocated else { return }
        let target = (needed / Self.roomSize + 1) * Self.roomSize
        try onDisk { () throws(FileSystemError) in try file.extend(to: target) }
        allocated = target
    }

    /// Appends edits that hold together or not at all; they are on the disk and sealed on return.
    ///
    /// After a failure nobody knows whether they hold.
    func append(_ edits: [ManifestEdit]) throws(StorageError) {
        for record in [edits, []] {
            var writer = ByteWriter()
            Self.append(record, identity, generation, at: size, to: &writer)
            let bytes = writer.bytes
            try onDisk { () throws(FileSystemError) in
                try file.append(bytes.span.bytes)
                try file.sync()
            }
            size += bytes.count
        }
    }

    /// Binds a checksum to an engine, a generation of its manifest and a place there.
    static func seed(_ identity: UInt64, _ generation: UInt64, _ offset: Int) -> UInt32 {
        var writer = ByteWriter(capacity: 24)
        writer.uint64(identity)
        writer.uint64(kind ^ generation)
        writer.uint64(UInt64(offset))
        return CRC32C.checksum(writer.bytes)
    }

    static func identityCheck(_ identity: UInt64) -> UInt32 {
        seed(identity, 0, 0)
    }

    private static func append(
        _ edits: [ManifestEdit],
        _ identity: UInt64,
        _ generation: UInt64,
        at base: Int = 0,
        to writer: inout ByteWriter
    ) {
        var payload = ByteWriter()
        payload.uint32(UInt32(edits.count))
        for edit in edits { edit.write(to: &payload) }
        let offset = base + writer.count
        let seed = Self.seed(identity, generation, offset)
        writer.uint32(UInt32(payload.count))
        writer.uint32(CRC32C.checksum(payload.bytes, seed: seed))
        writer.raw(payload.bytes)
    }

    /// The payload of the record at an offset, or nil where there is none that is whole.
    static func payload(
        in span: RawSpan,
        at offset: Int,
        _ identity: UInt64,
        _ generation: UInt64
    ) -> ByteRange? {
        var reader = ByteReader(ByteRange(offset: offset, count: span.byteCount - offset))
        do throws(CodingError) {
            let length = try reader.uint32(in: span)
            let checksum = try reader.uint32(in: span)
            guard length >= 4, length <= maximumRecordSize else { return nil }
            let range = try reader.range(Int(length))
            let seed = Self.seed(identity, generation, offset)
            let found = CRC32C.checksum(span.extracting(range.offset..<range.end), seed: seed)
            return found == checksum ? range : nil
        } catch {
            return nil
        }
    }

    /// Reads the manifest of a directory.
    ///
    /// - Throws: `corruption`, `foreignFile`, `unsupportedFormat`, `io`.
    static func read(
        _ directory: String,
        identity: UInt64,
        files: any FileSystem
    ) throws(StorageError) -> (state: State, generation: UInt64) {
        let path = FileNames.manifest(directory)
        let bytes = try readWhole(path, on: files)
        let span = bytes.span.bytes
        let generation = try generation(in: span, of: path, identity: identity)
        func corrupt(
            _ offset: Int,
            _ what: String,
            expected: UInt64 = 0,
            found: UInt64 = 0
        ) -> StorageError {
            .corruption(file: path, offset: offset, expected: expected, found: found, what: what)
        }
        var state = State()
        var offset = headerSize
        var isSealed = false
        while offset < span.byteCount {
            guard let range = payload(in: span, at: offset, identity, generation) else {
                for later in (offset + 1)..<max(offset + 2, span.byteCount)
                where payload(in: span, at: later, identity, generation) != nil {
                    let (expected, found) = checksums(in: span, at: offset, identity, generation)
                    throw corrupt(
                        offset,
                        "no whole record, though one follows at \(later)",
                        expected: expected,
                        found: found
                    )
                }
                break
            }
            var record = ByteReader(range)
            do throws(CodingError) {
                let count = try record.uint32(in: span)
                if count == 0 { isSealed = true }
                for _ in 0..<count {
                    let edit = try ManifestEdit(from: &record, in: span)
                    guard state.apply(edit) else {
                        throw .invalid(field: "order of edits", value: UInt64(offset))
                    }
                }
                try record.finish()
            } catch {
                throw corrupt(offset, "\(error)")
            }
            offset = range.end
        }
        // The first record and its seal were there before the file got its name.
        guard isSealed else { throw corrupt(offset, "the first record is not sealed") }
        return (state, generation)
    }
}
