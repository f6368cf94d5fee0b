import ByteCoding
import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `Tables` {
    private static let compressions: [Compression] = [.none, .zlib(level: 1), .zlib(level: 9)]

    @Test(arguments: compressions, [1, 2, 3] as [UInt64])
    func `every entry is found and walked as it was written`(
        _ compression: Compression,
        _ seed: UInt64
    ) throws {
        var random = SeededRandom(seed: seed)
        let entries = TableFixture.entries(800, &random) { $0.below(300) }
        let fixture = try TableFixture(entries, compression: compression)
        let table = try fixture.open()
        #expect(table.damage == nil)
        #expect(try table.walk() == entries, "seed \(seed)")
        for entry in entries {
            #expect(try table.entry(entry.key) == entry, "seed \(seed)")
            #expect(table.mayContain(hash: Table.hash(of: entry.key)), "seed \(seed)")
        }
        #expect(try table.verify { _ in true } == [])
    }

    @Test(arguments: compressions)
    func `values of no bytes and of a mebibyte lie side by side`(
        _ compression: Compression
    ) throws {
        var random = SeededRandom(seed: 11)
        let sizes = [0, 1 << 20, 1, 0, 70_000, 16_384, 127, 128, 1 << 20]
        let entries = sizes.enumerated().map { index, size in
            TableFixture.Entry(
                key: [UInt8(index)],
                value: index % 2 == 0 ? random.bytes(size) : [UInt8](repeating: 9, count: size),
                stamp: UInt64(index)
            )
        }
        let fixture = try TableFixture(entries, blockSize: 8192, compression: compression)
        let table = try fixture.open()
        for entry in entries { #expect(try table.entry(entry.key) == entry) }
        #expect(try table.walk() == entries)
    }

    @Test func `compressible blocks shrink and others are stored as they are`() throws {
        var random = SeededRandom(seed: 5)
        func size(_ compression: Compression, _ make: (inout SeededRandom) -> [UInt8]) throws -> Int
        {
            let entries = (0..<200).map { index in
                TableFixture.Entry(
                    key: Array("key \(1000 + index)".utf8),
                    value: make(&random),
                    stamp: 1
                )
            }
            return Int(
                try TableFixture(entries, blockSize: 4096, compression: compression)
                    .metadata.length
            )
        }
        let plain = try size(.none) { $0.bytes(200) }
        #expect(try size(.zlib(level: 6)) { $0.bytes(200) } == plain)
        let small = try size(.zlib(level: 6)) { _ in [UInt8](repeating: 1, count: 200) }
        #expect(small < plain / 3)
    }

    @Test(arguments: [21, 22, 23] as [UInt64])
    func `a key that was not written is absent, and a walk from it begins behind it`(
        _ seed: UInt64
    ) throws {
        var random = SeededRandom(seed: seed)
        let entries = TableFixture.entries(300, &random) { $0.below(60) }
        let fixture = try TableFixture(entries)
        let table = try fixture.open()
        let present = Set(entries.map(\.key))
        for _ in 0..<300 {
            var key = random.pick(entries).key
            switch random.below(3) {
            case 0: key.append(0)
            case 1: if !key.isEmpty { key.removeLast() }
            default: key = random.bytes(random.below(12))
            }
            if !present.contains(key) { #expect(try table.entry(key) == nil, "seed \(seed)") }
            let behind = entries.filter { !$0.key.lexicographicallyPrecedes(key) }
            let upper = random.pick(entries).key
            let range = behind.filter { $0.key.lexicographicallyPrecedes(upper) }
            #expect(try table.walk(from: key) == behind, "seed \(seed), key \(key)")
            #expect(try table.walk(from: key, before: upper, readAhead: 0) == range)
        }
    }

    private func words(_ key: [UInt8]) -> (UInt64, UInt64) {
        let bytes = key.span.bytes
        return (leadingBytes(of: bytes, from: 0), leadingBytes(of: bytes, from: 8))
    }

    private func prefix(_ key: [UInt8]) -> UInt64 { words(key).0 }

    @Test func `the cursor gives the leading bytes of each key`() throws {
        var random = SeededRandom(seed: 31)
        let entries = TableFixture.entries(200, &random) { _ in 3 }
        let table = try TableFixture(entries).open()
        let start: [UInt8] = []
        var cursor = try TableCursor(table, from: start.span.bytes, before: nil, readAhead: 0)
        for entry in entries {
            let (first, second) = words(entry.key)
            #expect(cursor.first == first)
            #expect(cursor.second == second)
            try cursor.advance()
        }
        #expect(cursor.isAtEnd)
    }

    @Test func `the metadata tells bounds, stamps and what may be dropped`() throws {
        let entries = [
            TableFixture.Entry(key: [1], value: [0], stamp: 5),
            TableFixture.Entry(key: [2], value: [9], stamp: 3),
            TableFixture.Entry(key: [3], value: [4], stamp: 8),
            TableFixture.Entry(key: [4], value: [1, 2], stamp: 7),
        ]
        let fixture = try TableFixture(entries)
        let metadata = fixture.metadata
        #expect(metadata.entryCount == 4)
        #expect(metadata.tombstoneCount == 1)
        #expect(metadata.expiringCount == 2)
        #expect(metadata.lastExpiry == 9)
        #expect(metadata.oldestStamp == 3)
        #expect(metadata.newestStamp == 8)
        #expect(metadata.firstKey == [1])
        #expect(metadata.lastKey == [4])
        let bytes = try fixture.bytes()
        #expect(metadata.length == UInt64(bytes.count))
        #expect(metadata.checksum == CRC32C.checksum(bytes))
    }

    @Test func `the version index has a record of each entry of a range of prefixes`() throws {
        var random = SeededRandom(seed: 41)
        var entries: [TableFixture.Entry] = []
        for prefix in 0..<900 as Range<UInt64> {
            for index in 0..<random.below(3) {
                let key = orderedKey(prefix * 3, Array("\(index)".utf8).span.bytes)
                entries.append(
                    TableFixture.Entry(key: key, value: random.bytes(9), stamp: random.next())
                )
            }
        }
        let table = try TableFixture(entries).open()
        for (first, last) in [(0, .max), (300, 1700), (301, 301), (900, 900), (5000, 6000)]
            as [(UInt64, UInt64)]
        {
            let opened = try VersionCursor(table, fromPrefix: first, throughPrefix: last)
            var cursor = try #require(opened)
            let range = entries.filter { entry in
                let prefix = prefix(entry.key)
                return prefix >= first && prefix <= last
            }
            for entry in range {
                #expect(!cursor.isAtEnd)
                #expect(cursor.prefix == prefix(entry.key))
                #expect(cursor.keyDigest == Table.hash(of: entry.key))
                #expect(cursor.versionDigest == Hash64.hash(entry.value))
                #expect(cursor.stamp == entry.stamp)
                try cursor.advance()
            }
            #expect(cursor.isAtEnd)
        }
    }

    @Test func `a rule without digests makes no version index`() throws {
        let table = try TableFixture.small(rule: .overwrite).open()
        #expect(!table.hasVersionIndex)
        let cursor = try VersionCursor(table, fromPrefix: 0, throughPrefix: .max)
        #expect(cursor == nil)
    }

    @Test func `no more files are open than the limit, the least recently used is closed`() throws {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/db")
        try disk.createDirectory("/db/1")
        let files = TableFiles(directory: "/db", files: disk, limit: 3)
        let cache = BlockCache(capacity: 0)
        var tables: [Table] = []
        for number in 1...8 as ClosedRange<UInt64> {
            var writer = try TableWriter(
                files: disk,
                directory: "/db",
                tree: 1,
                number: number,
                options: EngineOptions(),
                compression: .none,
                rule: .overwrite
            )
            let (key, value): ([UInt8], [UInt8]) = ([1], [UInt8(number)])
            try writer.add(key: key.span.bytes, value: value.span.bytes, stamp: 2)
            let metadata = try writer.finish()
            tables.append(try Table(metadata, identity: 0, files: files, cache: cache))
            #expect(files.openCount <= 3)
        }
        for _ in 0..<3 {
            for (index, table) in tables.enumerated() {
                #expect(try table.entry([1])?.value == [UInt8(index + 1)])
                #expect(files.openCount <= 3)
            }
        }
        files.forget(8)
        #expect(files.openCount == 2)
    }

    @Test func `an abandoned table leaves no file behind`() throws {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/db")
        try disk.createDirectory("/db/1")
        var writer = try TableWriter(
            files: disk,
            directory: "/db",
            tree: 1,
            number: 7,
            options: EngineOptions(),
            compression: .zlib(level: 1),
            rule: .overwrite
        )
        let (key, value): ([UInt8], [UInt8]) = ([1], [2])
        try writer.add(key: key.span.bytes, value: value.span.bytes, stamp: 2)
        #expect(try disk.list("/db/1") == ["000007.tmp"])
        writer.abandon()
        #expect(try disk.list("/db/1") == [])
    }

    private func isCached(_ key: [UInt8], _ table: Table) throws -> Bool {
        try table.findCached(key.span.bytes) { _, _, _ in }
    }

    @Test func `a block that was found stays cached, and a walk adds none`() throws {
        let fixture = try TableFixture.small()
        let cache = BlockCache(capacity: 1 << 20)
        let table = try fixture.open(cache: cache)
        let key = fixture.entries[5].key
        _ = try table.walk()
        #expect(cache.statistics.blockCount == 0)
        #expect(try !isCached(key, table))
        #expect(cache.statistics.misses == 0)
        _ = try table.entry(key)
        #expect(cache.statistics.blockCount == 1)
        #expect(try isCached(key, table))
        _ = try table.entry(key)
        #expect(cache.statistics.hits == 2)
    }

    @Test(arguments: [Compression.none, .zlib(level: 1)])
    func `what is not cached is found all the same`(_ compression: Compression) throws {
        let fixture = try TableFixture.small(compression)
        let cache = BlockCache(capacity: 0)
        let table = try fixture.open(cache: cache)
        for _ in 0..<3 {
            for entry in fixture.entries { #expect(try table.entry(entry.key) == entry) }
        }
        #expect(try table.entry([1, 2, 3]) == nil)
        #expect(cache.statistics.blockCount == 0)
    }

    @Test func `the blocks of a table that is no more leave the cache`() throws {
        let fixture = try TableFixture.small()
        let cache = BlockCache(capacity: 1 << 20)
        do {
            let table = try fixture.open(cache: cache)
            for entry in fixture.entries { _ = try table.entry(entry.key) }
            #expect(cache.statistics.blockCount == table.blockCount)
        }
        #expect(cache.statistics.blockCount == 0)
        #expect(cache.statistics.sizeInBytes == 0)
    }
}
