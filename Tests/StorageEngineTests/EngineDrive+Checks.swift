import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

extension EngineDrive {
    /// Looks a key up and compares; false if the engine said that it could not be read.
    mutating func look() throws {
        let index = random.below(EngineModel.count)
        let tree = EngineModel.tree(of: index)
        let (prefix, key) = (EngineModel.prefix(of: index), EngineModel.key(of: index))
        let mayRead = random.below(4) > 0
        var found: EngineModel.Visible?
        switch random.below(3) {
        case 0:
            found =
                try engine.read(tree: tree, prefix: prefix, key: key.span.bytes) {
                    value,
                    stamp in
                    EngineModel.visible(value.array(), stamp, tree: tree, now: now)
                } ?? nil
        default:
            let lookup = try engine.get(
                tree: tree,
                prefix: prefix,
                key: key,
                disk: mayRead ? .allowed : .forbidden
            )
            switch lookup {
            case .absent: break
            case .found(let value, let stamp):
                found = EngineModel.visible(value, stamp, tree: tree, now: now)
            case .needsDisk:
                expect(!mayRead, "the disk was allowed")
                return
            }
        }
        let expected = current.visible(index, now: now)
        expect(
            found == expected,
            "entry \(index) is \(Self.describe(found)), not \(Self.describe(expected))"
        )
    }

    private static func describe(_ visible: EngineModel.Visible?) -> String {
        visible.map { "\($0.value.prefix(12)) of \($0.value.count) at \($0.stamp ?? 0)" }
            ?? "absent"
    }

    /// Compares all that a reader sees.
    mutating func check() throws {
        let found = try contents(of: engine)
        compare(found, current, "the engine")
    }

    mutating func compare(_ found: [EngineModel.Visible?], _ model: EngineModel, _ what: String) {
        let expected = model.visible(now: now)
        guard found != expected else { return }
        let wrong = expected.indices.filter { found[$0] != expected[$0] }
        let first = wrong.first.map { index in
            "entry \(index) is \(Self.describe(found[index])), not \(Self.describe(expected[index]))"
        }
        expect(false, "\(what) has other values of \(wrong.prefix(9)): \(first ?? "")")
    }

    /// All that an engine shows, by its scan.
    mutating func contents(of engine: Engine) throws -> [EngineModel.Visible?] {
        let now = now
        return try contents(of: engine) { tree, value, stamp in
            EngineModel.visible(value, stamp, tree: tree, now: now)
        }
    }

    /// All that an engine keeps, also what no reader sees.
    mutating func kept(by engine: Engine) throws -> [EngineModel.Visible?] {
        try contents(of: engine) { EngineModel.kept($1, $2, tree: $0) }
    }

    private mutating func contents(
        of engine: Engine,
        as look: (_ tree: UInt32, _ value: [UInt8], _ stamp: UInt64) -> EngineModel.Visible?
    ) throws -> [EngineModel.Visible?] {
        var all = [EngineModel.Visible?](repeating: nil, count: EngineModel.count)
        for tree in engine.trees {
            let entries = try visit(engine, tree: tree) { look(tree, $0, $1) }
            for (index, visible) in entries { all[index] = visible }
        }
        return all
    }

    /// A tree's entries in the order of a scan, each of which must be behind the one before.
    private mutating func visit(
        _ engine: Engine,
        tree: UInt32,
        from position: ScanPosition? = nil,
        through last: UInt64 = .max,
        limit: Int = .max,
        as look: (_ value: [UInt8], _ stamp: UInt64) -> EngineModel.Visible?
    ) throws -> [(Int, EngineModel.Visible)] {
        var entries: [(Int, EngineModel.Visible)] = []
        var next = EngineModel.range(of: tree).lowerBound
        let end = EngineModel.range(of: tree).upperBound
        var isKnown = true
        try engine.visit(tree: tree, from: position, through: last) { prefix, key, value, stamp in
            let key = key.array()
            while next < end,
                EngineModel.prefix(of: next) != prefix || EngineModel.key(of: next) != key
            {
                next += 1
            }
            isKnown = isKnown && next < end
            guard isKnown else { return false }
            if let seen = look(value.array(), stamp) { entries.append((next, seen)) }
            next += 1
            return entries.count < limit
        }
        expect(isKnown, "tree \(tree) has unknown keys, or in another order")
        return entries
    }

    /// Compares a range of a tree, from any place on.
    mutating func checkRange() throws {
        let tree = randomTree(&random)
        let range = EngineModel.range(of: tree)
        let index = range.lowerBound + random.below(range.count)
        let (prefix, key) = (EngineModel.prefix(of: index), EngineModel.key(of: index))
        let isExclusive = random.below(2) == 0
        let last = random.below(EngineModel.prefixes.count)
        let limit = random.pick([1, 3, Int.max])
        let now = now
        let found = try visit(
            engine,
            tree: tree,
            from: isExclusive
                ? .after(prefix: prefix, key: key) : .from(prefix: prefix, key: key),
            through: EngineModel.prefixes[last],
            limit: limit
        ) { EngineModel.visible($0, $1, tree: tree, now: now) }
        let expected = range.dropFirst(index - range.lowerBound + (isExclusive ? 1 : 0))
            .filter { EngineModel.prefixNumber(of: $0) <= last }
            .compactMap { index in current.visible(index, now: now).map { (index, $0) } }
            .prefix(limit)
        let isSame =
            found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1)
        expect(isSame, "a range of tree \(tree) from \(index) through prefix \(last)")
    }

    /// Compares the digests of versions with the values.
    mutating func checkVersions() throws {
        let tree = EngineModel.newest
        let first = random.below(EngineModel.prefixes.count)
        let last = EngineModel.prefixes[random.number(in: first...EngineModel.prefixes.count - 1)]
        struct Version: Hashable {
            let prefix: UInt64
            let key: UInt64
            let digest: UInt64
        }
        var expected: [Version] = []
        try engine.visit(
            tree: tree,
            from: .from(prefix: EngineModel.prefixes[first]),
            through: last
        ) { prefix, key, value, _ in
            let ordered = orderedKey(prefix, key)
            expected.append(
                Version(
                    prefix: prefix,
                    key: Table.hash(ordered.span.bytes),
                    digest: EngineModel.digest(of: value.array())
                )
            )
            return true
        }
        var found: [Version] = []
        try engine.visitVersions(
            tree: tree,
            from: EngineModel.prefixes[first],
            through: last
        ) { prefix, key, version in
            found.append(Version(prefix: prefix, key: key, digest: version))
            return true
        }
        expect(found.map(\.prefix) == expected.map(\.prefix), "the prefixes of the versions")
        expect(
            found.count == expected.count && Set(found) == Set(expected),
            "\(found.count) versions for \(expected.count) values, or others"
        )
        count("versions")
    }

    /// Memory in use is that of memtables and of batches on their way.
    mutating func checkMemory() {
        let statistics = engine.statistics()
        let tables = statistics.trees.reduce(0) { $0 + $1.memtableBytes }
        let waiting = pending.reduce(0) { $0 + $1.batch.sizeInBytes }
        expect(
            statistics.memoryInUse == tables + waiting,
            "\(statistics.memoryInUse) bytes in use, memtables \(tables), pending \(waiting)"
        )
    }

    /// A snapshot stays as it is, whatever is written and compacted meanwhile.
    mutating func checkTreeSnapshot() throws {
        let tree = randomTree(&random)
        let snapshot = try engine.snapshot(tree: tree)
        let before = try snapshot.scan(maximumEntries: 10_000)
        for _ in 0..<random.below(8) { try write() }
        if random.below(4) == 0 { try engine.compact(tree: tree) }
        for _ in 0..<4 {
            guard let job = engine.nextMaintenance() else { break }
            try perform(job)
        }
        let after = try snapshot.scan(maximumEntries: 10_000)
        expect(before == after, "the snapshot of tree \(tree) changed")
        for entry in after.entries.prefix(3) {
            let lookup = try snapshot.get(prefix: entry.prefix, key: entry.key)
            expect(lookup == .found(entry.value, stamp: entry.stamp), "a key of the snapshot")
        }
    }
}
