import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

/// An engine that is driven at random beside a model that says what it must hold.
///
/// Batches are appended, written, synced and applied apart and in other orders; what was appended
/// and not synced may be lost from its end by a crash, all else never.
struct EngineDrive {
    /// A batch that was appended and not applied.
    struct Pending {
        let batch: WriteBatch
        let position: AppendedPosition
        let number: UInt64
    }

    /// The writes of a batch, under the number of the batch.
    struct Logged {
        let number: UInt64
        var writes: [ModelWrite]
    }

    static let directory = "/db"
    static let rules = [union, EngineModel.expiring]

    let seed: UInt64
    var random: SeededRandom
    var disk = InMemoryFileSystem()
    var files: FaultyFileSystem
    var options: EngineOptions
    var engine: Engine
    /// What a crash must leave.
    var durable = EngineModel()
    /// What readers see.
    var current = EngineModel()
    /// Batches that need not survive, in the order of the log.
    var unsynced: [Logged] = []
    /// Batches that were taken back from a full disk and that recovery may find, in the order of
    /// their numbers.
    var ghosts: [Logged] = []
    var pending: [Pending] = []
    var batches: UInt64 = 0
    var clock: UInt64 = 1
    /// Of each prefix, the stamp above which all writes are.
    var floors = [UInt64](repeating: 0, count: EngineModel.prefixes.count)
    var now: UInt64 = 1
    /// Whether the disk is full at times.
    var isFull = false
    /// A copy of the engine's directory and what it must hold.
    var backup: EngineModel?
    var operations = 0
    var hasFailed = false
    /// How often what it is about happened.
    var counts: [String: Int] = [:]

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededRandom(seed: seed)
        files = FaultyFileSystem(disk)
        options = Self.options(&random)
        engine = try Engine.open(
            directory: Self.directory,
            on: files,
            options: options,
            rules: Self.rules
        )
        try makeTrees()
    }

    private static func options(_ random: inout SeededRandom) -> EngineOptions {
        engineOptions { options in
            options.segmentSize = random.pick([600, 4096, 40_000])
            options.blockSize = random.pick([64, 512, 4096])
            options.fragmentSize = random.pick([random.pick([1, 300, 300, 300]), 2000, 100_000])
            options.cacheSize = random.pick([0, 3000, 1 << 20])
            options.spareSegments = random.pick([0, 1, 2])
            options.openFiles = random.pick([1, 3, 100])
            options.memoryBudget = random.pick([12_000, 40_000, 64 << 20])
            options.compaction.minimumTables = random.pick([2, 3, 4])
            options.compaction.minimumSize = 500
            options.compaction.maximumCompactionBytes = 4000
        }
    }

    /// Opens the engine of a disk anew, under other options.
    mutating func open() throws {
        files = FaultyFileSystem(disk)
        options = Self.options(&random)
        engine = try Engine.open(
            directory: Self.directory,
            on: files,
            options: options,
            rules: Self.rules
        )
        let damage = engine.damage
        expect(damage.isEmpty, "\(damage)")
    }

    mutating func makeTrees() throws {
        let rules = [MergeRule.overwrite, union, EngineModel.expiring]
        for (number, rule) in zip(EngineModel.trees, rules) where !engine.trees.contains(number) {
            let level = random.below(3)
            try engine.createTree(
                number,
                rule: rule,
                compression: level == 0 ? .none : .zlib(level: level)
            )
        }
    }

    mutating func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) {
        guard !isTrue, !hasFailed else { return }
        hasFailed = true
        Issue.record("seed \(seed), operation \(operations): \(what())")
    }

    mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    func randomTree(_ random: inout SeededRandom) -> UInt32 { random.pick(EngineModel.trees) }

    /// Does one operation.
    mutating func step() throws {
        operations += 1
        switch random.below(1000) {
        case 0..<480: try write()
        case 480..<860: try look()
        case 860..<920: try sync()
        case 920..<930: try engine.write()
        case 930..<938: try engine.flush(tree: randomTree(&random))
        case 938..<952: try maintain()
        case 952: try engine.compact(tree: randomTree(&random))
        case 953..<957: try engine.writeIdleMark()
        case 957..<961: try moveHorizon()
        case 961..<969: now += UInt64(random.below(4))
        case 969..<971: try changeCompression()
        case 971..<973: try checkTreeSnapshot()
        case 973: try drop()
        case 974..<978: try check()
        case 978..<981: try checkVersions()
        case 981..<985: checkMemory()
        case 985: try checkBackup()
        case 986..<988: try fillDisk()
        case 988..<991: try failReads()
        case 991..<993: try reopen()
        case 993..<996: try crash()
        default: try checkRange()
        }
    }

    mutating func maintain() throws {
        for _ in 0..<random.below(4) {
            guard let job = engine.nextMaintenance() else { break }
            try perform(job)
        }
    }

    mutating func perform(_ job: MaintenanceJob) throws {
        var reports = random.below(6)
        try engine.perform(job) { _ in
            reports -= 1
            return reports == 0 ? .cancel : .goOn
        }
    }

    private mutating func changeCompression() throws {
        let compression = random.below(2) == 0 ? Compression.none : .zlib(level: 1)
        try engine.setCompression(compression, tree: randomTree(&random))
    }

    /// Lets another part of the versions be forgotten, and says so to the writers.
    mutating func moveHorizon() throws {
        // Writes that are under way must be above it.
        try settle()
        try setHorizon(isNew: true)
    }

    func setHorizonAgain() throws {
        let ranges = zip(EngineModel.prefixes, floors).map {
            PurgeHorizon.Range(through: $0, stamp: $1)
        }
        try engine.setPurgeHorizon(
            PurgeHorizon(now: now, ranges: ranges),
            tree: EngineModel.newest
        )
    }

    private mutating func setHorizon(isNew: Bool) throws {
        var ranges: [PurgeHorizon.Range] = []
        var first = 0
        for (number, prefix) in EngineModel.prefixes.enumerated() where random.chance(2, in: 3) {
            let stamp = clock - min(clock, UInt64(random.pick([0, 0, 10, 100])))
            for covered in first...number { floors[covered] = max(floors[covered], stamp) }
            ranges.append(PurgeHorizon.Range(through: prefix, stamp: stamp))
            first = number + 1
        }
        try engine.setPurgeHorizon(
            PurgeHorizon(now: now, ranges: ranges),
            tree: EngineModel.newest
        )
        let horizon = random.chance(1, in: 8) ? PurgeHorizon.never : .everything(now: 1)
        try engine.setPurgeHorizon(horizon, tree: EngineModel.overwriting)
        count("horizons")
    }

    /// Drops a tree and makes it anew; what was appended for it and not applied goes with it.
    mutating func drop() throws {
        let tree = randomTree(&random)
        try engine.dropTree(tree)
        let gone = EngineModel.range(of: tree)
        durable.drop(tree)
        current.drop(tree)
        func remove(_ logged: inout [Logged]) {
            for index in logged.indices {
                logged[index].writes.removeAll { gone.contains($0.index) }
            }
        }
        remove(&unsynced)
        remove(&ghosts)
        dropped.formUnion(unappliedWrites(in: gone))
        try makeTrees()
        count("drops")
    }

    /// Numbers of pending batches and entries of trees that were dropped since.
    var dropped: Set<DroppedWrite> = []

    struct DroppedWrite: Hashable {
        let number: UInt64
        let index: Int
    }

    /// The writes of pending batches, by the number of the batch.
    var pendingWrites: [UInt64: [ModelWrite]] = [:]

    private func unappliedWrites(in range: Range<Int>) -> [DroppedWrite] {
        pendingWrites.flatMap { number, writes in
            writes.filter { range.contains($0.index) }.map {
                DroppedWrite(number: number, index: $0.index)
            }
        }
    }
}
