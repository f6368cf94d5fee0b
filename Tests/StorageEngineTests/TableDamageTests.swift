import ByteCoding
import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `Damaged tables` {
    /// Whether an error is one that damage may cause.
    private func isDamage(_ error: any Error) -> Bool {
        switch error as? StorageError {
        case .corruption, .foreignFile, .unsupportedFormat: true
        default: false
        }
    }

    private func open(
        _ fixture: TableFixture,
        _ disk: InMemoryFileSystem,
        _ label: String
    ) -> Table? {
        do {
            return try fixture.open(disk)
        } catch {
            #expect(isDamage(error), "\(label): \(error)")
            return nil
        }
    }

    private func isAnswered(
        _ entry: TableFixture.Entry,
        _ table: Table,
        _ label: String
    ) -> Bool {
        #expect(table.mayContain(hash: Table.hash(of: entry.key)), "\(label)")
        do {
            let found = try table.entry(entry.key)
            #expect(found == entry, "\(label)")
            return true
        } catch {
            #expect(isDamage(error), "\(label): \(error)")
            return false
        }
    }

    /// Asks a table for all it has; each answer must be right or an error.
    ///
    /// - Returns: how many lookups were refused; nil if the table could not be opened.
    private func check(_ fixture: TableFixture, _ bytes: [UInt8], _ label: String) throws -> Int? {
        let disk = try TableFixture.disk(bytes)
        guard let table = open(fixture, disk, label) else { return nil }
        let refused = fixture.entries.count { !isAnswered($0, table, label) }
        try checkWalk(table, fixture, label)
        checkVersions(table, fixture, label)
        return refused
    }

    /// Walks a table over its damage; what is not walked must be in a range that was said to be
    /// unknown.
    private func checkWalk(_ table: Table, _ fixture: TableFixture, _ label: String) throws {
        let start: [UInt8] = []
        let unknown = Unknown()
        var walked: [TableFixture.Entry] = []
        var cursor = try TableCursor(
            table,
            from: start.span.bytes,
            before: nil,
            readAhead: 300,
            onDamage: { _, lower, upper in unknown.add(lower, upper) }
        )
        while !cursor.isAtEnd {
            walked.append(cursor.entry)
            while !goesOn(&cursor) {
                let range = cursor.skipDamage()
                unknown.add(range.lower, range.upper)
            }
        }
        let expected = fixture.entries.filter { !unknown.contains($0.key) }
        #expect(walked == expected, "\(label)")
    }

    /// The ranges of keys that a walk left out.
    private final class Unknown {
        private var ranges: [(lower: [UInt8], upper: [UInt8])] = []

        func add(_ lower: [UInt8], _ upper: [UInt8]) { ranges.append((lower, upper)) }

        func contains(_ key: [UInt8]) -> Bool {
            ranges.contains { range in
                !key.lexicographicallyPrecedes(range.lower)
                    && key.lexicographicallyPrecedes(range.upper)
            }
        }
    }

    private func goesOn(_ cursor: inout TableCursor) -> Bool {
        do {
            try cursor.advance()
            return true
        } catch {
            return false
        }
    }

    private func isRefused(_ key: [UInt8], _ table: Table) -> Bool {
        do {
            return try table.entry(key) == nil
        } catch {
            return true
        }
    }

    private func checkVersions(_ table: Table, _ fixture: TableFixture, _ label: String) {
        do {
            guard let digests = try table.versionDigests() else { return }
            #expect(digests == fixture.entries.map { Hash64.hash($0.value) }, "\(label)")
        } catch {
            #expect(isDamage(error), "\(label): \(error)")
        }
    }

    @Test(arguments: [.none, .zlib(level: 6)] as [Compression])
    func `no byte can be turned and give a wrong answer, or take more than its block`(
        _ compression: Compression
    ) throws {
        let fixture = try TableFixture.small(compression)
        let bytes = try fixture.bytes()
        var refusals = 0
        for offset in bytes.indices {
            for mask in [1 << UInt8(offset % 8), 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[offset] ^= mask
                let refused = try check(fixture, damaged, "byte \(offset) ^ \(mask)")
                let most = try #require(refused, "byte \(offset) keeps the table from opening")
                #expect(most <= 8, "byte \(offset)")
                refusals += most
                let table = try fixture.open(try TableFixture.disk(damaged))
                let found = try table.verify { _ in true }
                #expect(!found.isEmpty, "byte \(offset) is not noticed")
                #expect(found.allSatisfy(\.isHarmless) == (most == 0), "byte \(offset)")
            }
        }
        #expect(refusals > 0)
    }

    @Test func `a file cut at any length answers what is left and refuses the rest`() throws {
        let fixture = try TableFixture.small()
        let bytes = try fixture.bytes()
        var last = fixture.entries.count
        for length in 0..<bytes.count {
            let refused = try check(fixture, Array(bytes[..<length]), "cut at \(length)")
            let count = try #require(refused, "cut at \(length)")
            #expect(count <= last, "cut at \(length)")
            last = count
        }
        #expect(last == 0)
    }

    @Test func `a file with bytes behind its end answers everything`() throws {
        let fixture = try TableFixture.small()
        let bytes = try fixture.bytes()
        let table = try fixture.open(try TableFixture.disk(bytes + [1, 2, 3]))
        #expect(table.damage != nil)
        #expect(try table.walk() == fixture.entries)
        #expect(try check(fixture, bytes + bytes, "twice") == 0)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `runs of noise never give a wrong answer`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let entries = TableFixture.entries(120, &random) { $0.below(80) }
        let compression: Compression = seed % 2 == 0 ? .none : .zlib(level: 1)
        let fixture = try TableFixture(entries, blockSize: 300, compression: compression)
        let bytes = try fixture.bytes()
        for round in 0..<60 {
            var damaged = bytes
            for _ in 0...random.below(3) {
                let start = random.below(bytes.count)
                let end = min(bytes.count, start + 1 + random.below(2000))
                damaged.replaceSubrange(start..<end, with: random.bytes(end - start))
            }
            _ = try check(fixture, damaged, "seed \(seed), round \(round)")
        }
    }

    @Test func `without footer, index and filter everything is still answered`() throws {
        for compression in [.none, .zlib(level: 1)] as [Compression] {
            let fixture = try TableFixture.small(compression)
            var bytes = try fixture.bytes()
            let sound = try fixture.open()
            let file = try sound.verify { _ in true }
            #expect(file.isEmpty)
            // Filter and index are the last two blocks: 20 + 68 bytes, and the index.
            let end = try #require(lastBlocks(bytes).dropLast(2).last).upperBound
            for offset in end..<bytes.count { bytes[offset] = 0 }
            let table = try fixture.open(try TableFixture.disk(bytes))
            #expect(table.damage != nil)
            #expect(table.hasVersionIndex)
            #expect(try table.walk() == fixture.entries)
            #expect(try check(fixture, bytes, "all") == 0)
            // The filter was made anew, and denies most that is not there.
            let denied = (0..<100).count { number in
                !table.mayContain(hash: Table.hash(of: Array("none \(number)".utf8)))
            }
            #expect(denied > 80)
        }
    }

    /// Where the blocks of a file lie, by their headers.
    private func lastBlocks(_ bytes: [UInt8]) -> [Range<Int>] {
        var blocks: [Range<Int>] = []
        var offset = 40
        while offset + 20 <= bytes.count - 72 {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 8 + $1]) << (8 * $1) }
            blocks.append(offset..<offset + 20 + length)
            offset += 20 + length
        }
        return blocks
    }

    @Test func `with a rebuilt index the gap lies between the keys on both sides of it`() throws {
        let fixture = try TableFixture.small()
        var bytes = try fixture.bytes()
        let blocks = lastBlocks(bytes)
        let sound = try fixture.open()
        #expect(sound.blockCount >= 4)
        bytes[blocks[1].lowerBound + 30] ^= 1
        bytes[blocks[2].lowerBound + 30] ^= 1
        // With the index, the two blocks are unknown by themselves.
        let indexed = try fixture.open(try TableFixture.disk(bytes))
        #expect(indexed.damage == nil)
        #expect(indexed.blockCount == sound.blockCount)
        bytes[bytes.count - 80] ^= 1
        let table = try fixture.open(try TableFixture.disk(bytes))
        #expect(table.blockCount == sound.blockCount - 1)
        var lost: [Int] = []
        for (index, entry) in fixture.entries.enumerated() {
            let isLost = isRefused(entry.key, table)
            if isLost { lost.append(index) }
            #expect(isRefused(entry.key, indexed) == isLost)
        }
        let first = try #require(lost.first)
        let last = try #require(lost.last)
        #expect(lost == Array(first...last))
        // Just behind the last key before the gap nothing is known, and at the key behind it all.
        let before = fixture.entries[first - 1].key
        #expect(throws: StorageError.self) { try table.entry(before + [0]) }
        #expect(throws: StorageError.self) { try table.walk(from: before + [0]) }
        #expect(try table.walk(before: before + [0]).count == first)
        let behind = fixture.entries[last + 1].key
        #expect(try table.walk(from: behind) == Array(fixture.entries[(last + 1)...]))
        let damages = try table.verify { _ in true }.filter { !$0.isHarmless }
        #expect(damages.count == 1)
        #expect(damages.first?.lower == before + [0])
        #expect(damages.first?.upper == behind)
        #expect(damages.first?.offset == blocks[1].lowerBound)
    }

    @Test func `a damaged block is told with its place and both checksums`() throws {
        let fixture = try TableFixture.small()
        var bytes = try fixture.bytes()
        let block = lastBlocks(bytes)[0]
        bytes[block.upperBound - 1] ^= 1
        let table = try fixture.open(try TableFixture.disk(bytes))
        let error = #expect(throws: StorageError.self) { try table.entry(fixture.entries[0].key) }
        guard case .corruption(let file, let offset, let expected, let found, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(file == TableFixture.path)
        #expect(offset == block.lowerBound)
        #expect(expected != found)
        // What lies outside of the table is absent, whatever is damaged.
        #expect(try table.entry([]) == nil)
        #expect(try table.entry([255, 255]) == nil)
    }

    @Test func `a block that was moved is damage`() throws {
        let fixture = try TableFixture.small()
        var bytes = try fixture.bytes()
        let blocks = lastBlocks(bytes)
        let pair = blocks.indices.dropLast().first { blocks[$0].count == blocks[$0 + 1].count }
        let number = try #require(pair)
        let (first, second) = (blocks[number], blocks[number + 1])
        bytes.replaceSubrange(second, with: Array(bytes[first]))
        let refused = try check(fixture, bytes, "moved")
        #expect(try #require(refused) > 0)
    }

    @Test func `the file of another engine, tree or table is refused`() throws {
        let fixture = try TableFixture.small()
        #expect(try isForeign(fixture, fixture.metadata, identity: 1))
        for (tree, number) in [(2, 7), (1, 8)] as [(UInt32, UInt64)] {
            var metadata = fixture.metadata
            metadata.tree = tree
            metadata.number = number
            #expect(try isForeign(fixture, metadata, identity: TableFixture.identity))
        }
    }

    /// Whether the file of a table is refused where another is expected.
    private func isForeign(
        _ fixture: TableFixture,
        _ metadata: TableMetadata,
        identity: UInt64
    ) throws -> Bool {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/db")
        try disk.createDirectory("/db/\(metadata.tree)")
        let path = "/db/\(metadata.tree)/00000\(metadata.number).sst"
        let file = try disk.openForAppending(path, .createNew)
        let bytes = try fixture.bytes()
        try file.append(bytes.span.bytes)
        let files = TableFiles(directory: "/db", files: disk, limit: 4)
        let cache = BlockCache(capacity: 0)
        do {
            _ = try Table(metadata, identity: identity, files: files, cache: cache)
            return false
        } catch {
            guard case .foreignFile(path, _) = error else { return false }
            return true
        }
    }

    @Test func `a file of a newer version is refused`() throws {
        let fixture = try TableFixture.small()
        var bytes = try fixture.bytes()
        bytes[8] = 2
        let checksum = CRC32C.checksum(Array(bytes[..<36]))
        for index in 0..<4 {
            bytes[36 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index))
        }
        let disk = try TableFixture.disk(bytes)
        #expect(throws: StorageError.unsupportedFormat(file: TableFixture.path, version: 2)) {
            try fixture.open(disk)
        }
    }

    @Test func `a missing file is told, and an unreadable table knows only what lies outside`()
        throws
    {
        let fixture = try TableFixture.small()
        try fixture.disk.remove(TableFixture.path)
        let thrown = #expect(throws: StorageError.self) { try fixture.open() }
        let error = try #require(thrown)
        let table = Table(unreadable: fixture.metadata, error: error)
        #expect(table.damage == error)
        for entry in fixture.entries {
            #expect(table.mayContain(hash: Table.hash(of: entry.key)))
            #expect(throws: error) { try table.entry(entry.key) }
            #expect(throws: error) { try table.walk(from: entry.key) }
        }
        #expect(try table.entry([]) == nil)
        #expect(try table.entry([255]) == nil)
        #expect(try table.walk(from: [255]) == [])
        #expect(try table.walk(before: fixture.metadata.firstKey) == [])
        #expect(try table.verify { _ in true }.count == 1)
    }
}
