import ClusterPrimitives
import FileSystems
import Foundation
import StorageEngine
import Testing

/// An engine of three trees that is driven beside dictionaries which say what it must hold.
private struct Drive {
    /// One write, as the models remember it.
    private struct Write {
        let tree: UInt32
        let key: String
        let value: [UInt8]?
        let stamp: UInt64
    }

    /// What each tree holds, with the stamp of each key; nil is a deletion or a tombstone.
    private typealias Contents = [UInt32: [String: (value: [UInt8]?, stamp: UInt64)]]

    private static let overwriting: UInt32 = 1
    private static let uniting: UInt32 = 2
    private static let newest: UInt32 = 3

    private let seed: UInt64
    private var random: SeededRandom
    private var disk = InMemoryFileSystem()
    private var engine: Engine
    private var durable: Contents = [:]
    /// Batches that need not survive, in their order.
    private var unsynced: [[Write]] = []
    private var clock: UInt64 = 1
    private var horizon: UInt64 = 0
    private(set) var operations = 0
    private(set) var hasFailed = false

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededRandom(seed: seed)
        engine = try Self.open(disk, &random)
        try makeTrees()
    }

    private static func open(_ disk: InMemoryFileSystem, _ random: inout SeededRandom) throws
        -> Engine
    {
        let segment = random.pick([600, 4096, 40_000])
        let block = random.pick([64, 512, 4096])
        let fragment = random.pick([1, 2000, 100_000])
        let cache = random.pick([0, 3000, 1 << 20])
        let spares = random.pick([0, 1, 2])
        let files = random.pick([1, 3, 100])
        let tables = random.pick([2, 3, 4])
        return try openEngine(disk) { options in
            options.segmentSize = segment
            options.blockSize = block
            options.fragmentSize = fragment
            options.cacheSize = cache
            options.spareSegments = spares
            options.openFiles = files
            options.compaction.minimumTables = tables
            options.compaction.minimumSize = 500
            options.compaction.maximumCompactionBytes = 4000
        }
    }

    private mutating func makeTrees() throws {
        for (number, rule) in [
            (Self.overwriting, MergeRule.overwrite), (Self.uniting, union),
            (Self.newest, newestWins),
        ] where !engine.trees.contains(number) {
            let level = random.below(3)
            try engine.createTree(
                number,
                rule: rule,
                compression: level == 0 ? .none : .zlib(level: level)
            )
        }
    }

    private static func apply(_ write: Write, to contents: inout Contents) {
        let known = contents[write.tree, default: [:]][write.key]
        switch write.tree {
        case uniting:
            let joined = Set((known?.value ?? []) + (write.value ?? [])).sorted()
            contents[write.tree, default: [:]][write.key] = (joined, 0)
        case newest:
            if let known, known.stamp > write.stamp { return }
            if let known, known.stamp == write.stamp,
                !tombstoneLast(known.value).lexicographicallyPrecedes(tombstoneLast(write.value))
            {
                return
            }
            contents[write.tree, default: [:]][write.key] = (write.value, write.stamp)
        default:
            contents[write.tree, default: [:]][write.key] = (write.value, 0)
        }
    }

    private static func tombstoneLast(_ value: [UInt8]?) -> [UInt8] { stored(value) }

    /// The value as tree 3 stores it, of which an empty one is a tombstone.
    private static func stored(_ value: [UInt8]?) -> [UInt8] { value.map { [1] + $0 } ?? [] }

    /// What a reader sees of contents.
    private static func visible(_ contents: Contents) -> [String: [UInt8]] {
        var seen: [String: [UInt8]] = [:]
        for (tree, keys) in contents {
            for (key, entry) in keys {
                if let value = entry.value { seen["\(tree)/\(key)"] = value }
            }
        }
        return seen
    }

    private var expected: Contents {
        var contents = durable
        for write in unsynced.joined() { Self.apply(write, to: &contents) }
        return contents
    }

    private mutating func becameDurable() {
        durable = expected
        unsynced = []
    }

    /// All that the engine shows.
    private func found(_ engine: Engine) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for tree in engine.trees {
            try engine.visit(tree: tree) { prefix, key, value, _ in
                let name = "\(tree)/\(prefix)/\(String(decoding: key.array(), as: UTF8.self))"
                if tree != Self.newest {
                    contents[name] = value.array()
                } else if value.byteCount > 0 {
                    contents[name] = Array(value.array().dropFirst())
                }
                return true
            }
        }
        return contents
    }

    private mutating func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) {
        guard !isTrue, !hasFailed else { return }
        hasFailed = true
        Issue.record("seed \(seed), operation \(operations): \(what())")
    }

    mutating func step() throws {
        operations += 1
        switch random.below(1000) {
        case 0..<560: try write()
        case 560..<800: try look()
        case 800..<880:
            try engine.sync()
            becameDurable()
        case 880..<900: try engine.write()
        case 900..<925:
            // A table may hold what the log has not synced; sync first, as an owner would.
            try engine.sync()
            becameDurable()
            try engine.flush(tree: UInt32(1 + random.below(3)))
        case 925..<950:
            for _ in 0..<random.below(4) {
                guard let job = engine.nextMaintenance() else { break }
                try perform(job)
            }
        case 950..<960: try compact()
        case 960..<965: try engine.writeIdleMark()
        case 965..<970: horizon(to: clock)
        case 970..<975:
            let tree = UInt32(1 + random.below(3))
            try engine.setCompression(
                random.below(2) == 0 ? .none : .zlib(level: 1),
                tree: tree
            )
        case 975..<980: try checkSnapshot()
        case 980..<982: try drop()
        case 982..<990: try check()
        case 990..<994:
            try engine.close()
            becameDurable()
            engine = try Self.open(disk, &random)
            try checkReopened()
        default: try crash()
        }
    }

    private mutating func write() throws {
        var batch = WriteBatch()
        var writes: [Write] = []
        for _ in 0..<random.pick([1, 1, 1, 2, 5]) {
            let tree = UInt32(1 + random.below(3))
            let prefix = UInt64(random.below(5)) &* 0x3000_0000_0000_0000
            let name = String(random.below(25))
            let isDeletion = tree != Self.uniting && random.below(4) == 0
            var value = isDeletion ? nil : random.bytes(random.pick([0, 3, 40, 300]))
            // The rule is idempotent for sorted sets only.
            if tree == Self.uniting { value = value.map { Set($0).sorted() } }
            clock += 1
            let back = min(UInt64(random.below(6)), clock - horizon - 1)
            let stamp = tree == Self.newest ? clock - back : 0
            let key = Array(name.utf8)
            if isDeletion, tree == Self.overwriting {
                batch.delete(tree: tree, prefix: prefix, key: key)
            } else {
                batch.put(
                    tree: tree,
                    prefix: prefix,
                    key: key,
                    value: tree == Self.newest ? Self.stored(value) : value ?? [],
                    stamp: stamp
                )
            }
            writes.append(
                Write(tree: tree, key: "\(prefix)/\(name)", value: value, stamp: stamp)
            )
        }
        if random.below(4) == 0 {
            try engine.write(batch)
            unsynced.append(writes)
            becameDurable()
        } else {
            let position = try engine.append(batch)
            engine.apply(batch, at: position)
            unsynced.append(writes)
        }
    }

    private mutating func look() throws {
        let tree = UInt32(1 + random.below(3))
        let prefix = UInt64(random.below(5)) &* 0x3000_0000_0000_0000
        let name = String(random.below(27))
        let expected = expected[tree]?["\(prefix)/\(name)"]?.value
        var found: [UInt8]?
        if case .found(let value, _) = try engine.get(
            tree: tree,
            prefix: prefix,
            key: Array(name.utf8)
        ) {
            found = value
        }
        if tree == Self.newest {
            found = (found?.isEmpty ?? true) ? nil : found.map { Array($0.dropFirst()) }
        }
        expect(found == expected, "\(tree)/\(prefix)/\(name)")
    }

    private mutating func perform(_ job: MaintenanceJob) throws {
        if case .flush = job {
            try engine.sync()
            becameDurable()
        }
        var reports = random.below(6)
        try engine.perform(job) { _ in
            reports -= 1
            return reports == 0 ? .cancel : .goOn
        }
    }

    private mutating func compact() throws {
        try engine.sync()
        becameDurable()
        try engine.compact(tree: UInt32(1 + random.below(3)))
    }

    private mutating func horizon(to stamp: UInt64) {
        horizon = stamp
        for tree in [Self.overwriting, Self.newest] {
            try? engine.setPurgeHorizon(
                PurgeHorizon(
                    now: 1,
                    ranges: [.init(through: .max, stamp: tree == 1 ? .max : stamp)]
                ),
                tree: tree
            )
        }
    }

    private mutating func checkSnapshot() throws {
        let tree = UInt32(1 + random.below(3))
        let snapshot = try engine.snapshot(tree: tree)
        let before = try snapshot.scan(maximumEntries: 10_000)
        for _ in 0..<random.below(8) { try write() }
        if random.below(2) == 0 { try compact() }
        while let job = engine.nextMaintenance() { try perform(job) }
        let after = try snapshot.scan(maximumEntries: 10_000)
        expect(before == after, "the snapshot of tree \(tree) changed")
    }

    private mutating func drop() throws {
        try engine.sync()
        becameDurable()
        let tree = UInt32(1 + random.below(3))
        try engine.dropTree(tree)
        durable[tree] = nil
        try makeTrees()
    }

    mutating func check() throws {
        let expected = Self.visible(expected)
        let found = try found(engine)
        let keys = Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }
        expect(keys.isEmpty, "other values of \(keys.sorted().prefix(5))")
    }

    private mutating func checkReopened() throws {
        let (damage, unknown) = (engine.damage, engine.unknownFiles)
        expect(damage.isEmpty, "\(damage)")
        expect(unknown.isEmpty, "\(unknown)")
        try check()
        horizon(to: horizon)
    }

    /// The machine stops; what is there afterwards is what was durable and a prefix of the rest.
    private mutating func crash() throws {
        disk = disk.crashClone(random: &random)
        engine = try Self.open(disk, &random)
        let found = try found(engine)
        var state = durable
        var isAdmitted = found == Self.visible(state)
        var index = 0
        while !isAdmitted, index < unsynced.count {
            for write in unsynced[index] { Self.apply(write, to: &state) }
            index += 1
            isAdmitted = found == Self.visible(state)
        }
        expect(isAdmitted, "neither what was durable nor a prefix of the rest is left")
        durable = state
        unsynced = []
        try makeTrees()
        horizon(to: horizon)
    }
}

@Suite struct `The engine against a dictionary` {
    /// Operations of all seeds together; more when the environment asks for them.
    private static let operations =
        ProcessInfo.processInfo.environment["STARLING_MODEL_OPERATIONS"].flatMap { Int($0) }
        ?? 20_000

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `holds what was written through flushes, compactions, reopenings and crashes`(
        seed: UInt64
    ) throws {
        var drive = try Drive(seed: seed)
        while drive.operations < Self.operations / 20, !drive.hasFailed { try drive.step() }
        try drive.check()
    }
}
