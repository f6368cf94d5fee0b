import ByteCoding
import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `Digests of versions` {
    /// A key of a prefix, by its digest, and the digest of its version.
    struct Digest: Hashable {
        let prefix: UInt64
        let key: UInt64
        let version: UInt64
    }

    private static let rule = MergeRule(
        name: "newest",
        newestStampWins: true,
        droppableFrom: { $0.isEmpty ? 0 : nil },
        versionDigest: { Hash64.hash($0, ByteRange(offset: 0, count: $0.byteCount)) }
    ) { existing, incoming in
        let isLess = existing.array().lexicographicallyPrecedes(incoming.array())
        return isLess ? .takeIncoming : .keepExisting
    }

    private static let joining = MergeRule(
        name: "union",
        versionDigest: { Hash64.hash($0, ByteRange(offset: 0, count: $0.byteCount)) },
        join: union.join
    )

    private func open(
        _ disk: any FileSystem,
        _ rule: MergeRule,
        _ change: (inout EngineOptions) -> Void = { _ in }
    ) throws -> Engine {
        try Engine.open(
            directory: "/db",
            on: disk,
            options: engineOptions(change),
            rules: [rule]
        )
    }

    private func visited(
        _ engine: Engine,
        _ range: ClosedRange<UInt64> = 0 ... .max
    ) throws -> [Digest] {
        var found: [Digest] = []
        try engine.visitVersions(
            tree: 1,
            from: range.lowerBound,
            through: range.upperBound
        ) { prefix, key, version in
            found.append(Digest(prefix: prefix, key: key, version: version))
            return true
        }
        return found
    }

    /// What the digests must be, from the values.
    private func expected(
        _ engine: Engine,
        _ rule: MergeRule,
        _ range: ClosedRange<UInt64> = 0 ... .max
    ) throws -> [Digest] {
        let digest = try #require(rule.versionDigest)
        var found: [Digest] = []
        try engine.visit(
            tree: 1,
            from: .from(prefix: range.lowerBound),
            through: range.upperBound
        ) { prefix, key, value, _ in
            let ordered = orderedKey(prefix, key)
            found.append(
                Digest(
                    prefix: prefix,
                    key: Table.hash(ordered.span.bytes),
                    version: digest(value)
                )
            )
            return true
        }
        return found
    }

    @Test(arguments: [true, false], 1...6 as ClosedRange<UInt64>)
    func `are those of the values, over runs, parts and memory`(
        newestWins: Bool,
        seed: UInt64
    ) throws {
        let rule = newestWins ? Self.rule : Self.joining
        let disk = InMemoryFileSystem()
        let engine = try open(disk, rule) {
            $0.fragmentSize = 1500
            $0.compaction.minimumSize = 1 << 12
        }
        try engine.createTree(1, rule: rule)
        var random = SeededRandom(seed: seed)
        for step in 0..<600 {
            let prefix = random.chance(1, in: 20) ? UInt64.max : UInt64(random.below(30))
            let value = random.chance(1, in: 8) ? [] : random.bytes(1 + random.below(30))
            try engine.put(
                batch(
                    1,
                    prefix,
                    String(random.below(6)),
                    value,
                    stamp: UInt64(random.below(50))
                )
            )
            if step % 97 == 96 { try engine.flush(tree: 1) }
            if step % 200 == 150 {
                // Ends in the middle of its range, so that parts are cut.
                var reports = 0
                try engine.compact(tree: 1) { _ in
                    reports += 1
                    return .cancel
                }
            }
            if step % 50 == 49 {
                let ranges: [ClosedRange<UInt64>] = [
                    0 ... .max, 3...3, 5...17, 29 ... .max, 40...50,
                ]
                for range in ranges {
                    let found = try visited(engine, range)
                    let wanted = try expected(engine, rule, range)
                    #expect(
                        found.map(\.prefix) == found.map(\.prefix).sorted(),
                        "seed \(seed), step \(step)"
                    )
                    #expect(
                        Set(found) == Set(wanted) && found.count == wanted.count,
                        "seed \(seed), step \(step), prefixes \(range)"
                    )
                }
            }
        }
    }

    @Test func `end when the visitor says so`() throws {
        let engine = try open(InMemoryFileSystem(), Self.rule)
        try engine.createTree(1, rule: Self.rule)
        for index in 0..<20 { try engine.put(batch(1, UInt64(index), "a", [1])) }
        try engine.flush(tree: 1)
        var count = 0
        try engine.visitVersions(tree: 1) { _, _, _ in
            count += 1
            return count < 7
        }
        #expect(count == 7)
    }

    @Test func `read no value of tables whose keys they have alone or newest`() throws {
        let disk = CountingFileSystem(InMemoryFileSystem())
        let engine = try open(disk, Self.rule) { $0.segmentSize = 4 << 20 }
        try engine.createTree(1, rule: Self.rule)
        for round in 0..<2 as Range<UInt64> {
            for index in 0..<200 {
                try engine.put(
                    batch(
                        1,
                        UInt64(index),
                        "key",
                        [UInt8](repeating: UInt8(round), count: 4000),
                        stamp: round
                    )
                )
            }
            try engine.flush(tree: 1)
        }
        #expect(engine.statistics().trees[0].tableBytes > 1_500_000)
        disk.reset()
        let found = try visited(engine)
        let read = disk.bytesRead
        #expect(found.count == 200)
        #expect(read < 300_000, "\(read) bytes")
        #expect(try Set(found) == Set(expected(engine, Self.rule)))
        #expect(disk.bytesRead > 700_000)
    }

    @Test func `are refused without a digest, and fail where records are lost`() throws {
        let plain = try openEngine(InMemoryFileSystem())
        try plain.createTree(1, rule: largestWins)
        #expect(throws: StorageError.noVersionIndex(tree: 1)) { _ = try visited(plain) }
        #expect(throws: StorageError.unknownTree(2)) {
            try plain.visitVersions(tree: 2) { _, _, _ in true }
        }

        let disk = InMemoryFileSystem()
        let engine = try open(disk, Self.rule)
        try engine.createTree(1, rule: Self.rule)
        for index in 0..<60 {
            try engine.put(batch(1, UInt64(index), "a", [UInt8](repeating: 1, count: 50)))
        }
        try engine.flush(tree: 1)
        let name = try #require(try disk.list("/db/1").first)
        // The first block of entries is lost by a scrub.
        try disk.flipBit(100 * 8, in: "/db/1/\(name)")
        let report = try engine.scrub(tree: 1)
        let lost = try #require(report.lost.first)
        #expect(throws: StorageError.lost(tree: 1, range: lost)) { _ = try visited(engine) }
        let upper = try #require(lost.upper)
        let behind = prefix(ofOrderedKey: upper.span.bytes) + 1
        #expect(
            try visited(engine, behind ... .max) == expected(engine, Self.rule, behind ... .max)
        )
        try engine.clearLostRanges(report.lost, tree: 1)
        #expect(try visited(engine) == expected(engine, Self.rule))
    }

    @Test func `fail at a damaged block of the index and never leave a key out`() throws {
        let base = InMemoryFileSystem()
        let engine = try open(base, Self.rule)
        try engine.createTree(1, rule: Self.rule)
        for index in 0..<30 { try engine.put(batch(1, UInt64(index), "a", [1, UInt8(index)])) }
        try engine.flush(tree: 1)
        try engine.close()
        let path = "/db/1/\(try #require(try base.list("/db/1").first))"
        let wanted = try Set(expected(open(base, Self.rule), Self.rule))
        for byte in Swift.stride(from: 0, to: try base.size(of: path), by: 7) {
            let disk = try base.copy()
            try disk.flipBit(byte * 8, in: path)
            do throws(StorageError) {
                let damaged: Engine
                do { damaged = try open(disk, Self.rule) } catch { continue }
                var found: Set<Digest> = []
                try damaged.visitVersions(tree: 1) { prefix, key, version in
                    found.insert(Digest(prefix: prefix, key: key, version: version))
                    return true
                }
                #expect(found == wanted, "byte \(byte)")
            } catch {
                guard case .corruption = error else {
                    Issue.record("byte \(byte): \(error)")
                    continue
                }
            }
        }
    }
}
