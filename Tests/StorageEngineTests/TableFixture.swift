import ByteCoding
import ClusterPrimitives
import FileSystems
import StorageEngine

/// A table on a disk in memory, with the entries that were written to it.
struct TableFixture {
    struct Entry: Equatable {
        var key: [UInt8]
        var value: [UInt8]
        var stamp: UInt64
        var isWhole = false
    }

    static let identity: UInt64 = 0xC0FFEE
    let disk: InMemoryFileSystem
    let entries: [Entry]
    let metadata: TableMetadata

    static let path = "/db/1/000007.sst"

    /// Keeps the newest stamp; a value of one zero is a tombstone, of one other byte expires at it.
    static let rule = MergeRule(
        name: "test",
        newestStampWins: true,
        droppableFrom: { $0.byteCount == 1 ? UInt64($0.array()[0]) : nil },
        versionDigest: { Hash64.hash($0, ByteRange(offset: 0, count: $0.byteCount)) }
    ) { _, _ in .takeIncoming }

    /// Writes entries, which must ascend, to table 7 of tree 1.
    init(
        _ entries: [Entry],
        blockSize: Int = 512,
        compression: Compression = .none,
        rule: MergeRule = TableFixture.rule,
        on disk: InMemoryFileSystem = InMemoryFileSystem()
    ) throws {
        self.disk = disk
        self.entries = entries
        try disk.createDirectory("/db")
        try disk.createDirectory("/db/1")
        var options = EngineOptions()
        options.identity = Self.identity
        options.blockSize = blockSize
        var writer = try TableWriter(
            files: disk,
            directory: "/db",
            tree: 1,
            number: 7,
            options: options,
            compression: compression,
            rule: rule
        )
        for entry in entries {
            try writer.add(
                key: entry.key.span.bytes,
                value: entry.value.span.bytes,
                stamp: entry.stamp,
                isWhole: entry.isWhole
            )
        }
        metadata = try writer.finish()
    }

    /// `count` entries with keys of a few shapes: short and long, many with much in common.
    static func entries(
        _ count: Int,
        _ random: inout SeededRandom,
        valueSize: (inout SeededRandom) -> Int
    ) -> [Entry] {
        var keys: Set<[UInt8]> = []
        while keys.count < count {
            let prefix: UInt64 = UInt64(random.below(4)) << 62
            var key: [UInt8] = []
            switch random.below(10) {
            case 0: key = []
            case 1: key = random.bytes(random.below(4))
            case 2:
                key = [UInt8](repeating: 7, count: random.below(900))
                key.append(UInt8(random.below(256)))
            case 3: key = [UInt8](repeating: 0, count: random.below(20))
            case 4, 5: key = random.bytes(16)
            default: key = Array("user/\(random.below(100_000))/name".utf8)
            }
            // Two in a hundred keys have fewer bytes than a prefix has.
            keys.insert(
                random.chance(2, in: 100)
                    ? random.bytes(random.below(8)) : orderedKey(prefix, key.span.bytes)
            )
        }
        return keys.sorted { $0.lexicographicallyPrecedes($1) }.map { key in
            let size = valueSize(&random)
            let value =
                random.chance(1, in: 2)
                ? random.bytes(size) : [UInt8](repeating: UInt8(random.below(256)), count: size)
            return Entry(
                key: key,
                value: value,
                stamp: random.next() >> 1,
                isWhole: random.chance(1, in: 2)
            )
        }
    }

    /// A small table: a few blocks, and keys with gaps between them.
    static func small(
        _ compression: Compression = .none,
        rule: MergeRule = TableFixture.rule
    ) throws -> TableFixture {
        let entries = (0..<24).map { (index: Int) -> Entry in
            let name = Array("key \(100 + 2 * index)".utf8)
            return Entry(
                key: orderedKey(UInt64(index / 8), name.span.bytes),
                value: [UInt8](repeating: UInt8(index + 2), count: index == 3 ? 0 : 20),
                stamp: UInt64(1000 + index)
            )
        }
        return try TableFixture(entries, blockSize: 160, compression: compression, rule: rule)
    }

    /// Opens the table as another disk has it.
    func open(
        _ other: InMemoryFileSystem? = nil,
        cache: BlockCache = BlockCache(capacity: 1 << 20),
        identity: UInt64 = TableFixture.identity
    ) throws(StorageError) -> Table {
        let files = TableFiles(directory: "/db", files: other ?? disk, limit: 4)
        return try Table(metadata, identity: identity, files: files, cache: cache)
    }

    /// The bytes of the file.
    func bytes() throws -> [UInt8] {
        try disk.openForReading(Self.path).read(at: 0, count: try disk.size(of: Self.path))
    }

    /// A disk on which the file has other bytes.
    static func disk(_ bytes: [UInt8]) throws -> InMemoryFileSystem {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/db")
        try disk.createDirectory("/db/1")
        let file = try disk.openForAppending(path, .createNew)
        try file.append(bytes.span.bytes)
        return disk
    }
}

extension Table {
    /// The hash of a key.
    static func hash(of key: [UInt8]) -> UInt64 { hash(key.span.bytes) }

    /// A copy of what the table has of a key.
    func entry(_ key: [UInt8]) throws(StorageError) -> TableFixture.Entry? {
        try find(key.span.bytes) { value, stamp, isWhole in
            TableFixture.Entry(key: key, value: value.array(), stamp: stamp, isWhole: isWhole)
        }
    }

    /// The digests of all values, or nil without a version index.
    func versionDigests() throws -> [UInt64]? {
        guard var cursor = try VersionCursor(self, fromPrefix: 0, throughPrefix: .max) else {
            return nil
        }
        var digests: [UInt64] = []
        while !cursor.isAtEnd {
            digests.append(cursor.versionDigest)
            try cursor.advance()
        }
        return digests
    }

    /// Copies of the entries of a range.
    func walk(
        from key: [UInt8] = [],
        before upper: [UInt8]? = nil,
        readAhead: Int = 4096
    ) throws(StorageError) -> [TableFixture.Entry] {
        var cursor = try TableCursor(
            self,
            from: key.span.bytes,
            before: upper,
            readAhead: readAhead
        )
        var entries: [TableFixture.Entry] = []
        while !cursor.isAtEnd {
            entries.append(cursor.entry)
            try cursor.advance()
        }
        return entries
    }
}

extension TableCursor {
    /// A copy of the entry.
    var entry: TableFixture.Entry {
        withEntry { key, value in
            TableFixture.Entry(
                key: key.array(),
                value: value.array(),
                stamp: stamp,
                isWhole: isWhole
            )
        }
    }
}
