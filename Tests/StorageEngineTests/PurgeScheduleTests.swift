import ClusterPrimitives
import FileSystems
import Testing

import StorageEngine

@Suite struct `Purge horizons and the log` {
    private static let newest = MergeRule(
        name: "newest",
        newestStampWins: true,
        droppableFrom: { $0.byteCount == 0 ? 0 : nil },
        versionDigest: { UInt64($0.byteCount) },
        join: { _, _ in .keepExisting }
    )

    private func open(_ disk: any FileSystem) throws -> Engine {
        try Engine.open(
            directory: "/db",
            on: disk,
            options: engineOptions { $0.segmentSize = 600 },
            rules: [Self.newest]
        )
    }

    /// An engine whose log has, of tree 1, an older value of "x" but not the newer deletion before
    /// it, and a record of tree 2 that keeps it there.
    private func engineWithOldRecord(_ disk: InMemoryFileSystem) throws -> Engine {
        let engine = try open(disk)
        try engine.createTree(1, rule: Self.newest)
        try engine.createTree(2, rule: .overwrite)
        try engine.write(batch(1, 0, "x", [], stamp: 10))
        try engine.write(batch(1, 0, "a", [UInt8](repeating: 1, count: 600), stamp: 1))
        try engine.write(batch(2, 0, "other", [2]))
        try engine.write(batch(1, 0, "x", [7], stamp: 8))
        try engine.flush(tree: 1)
        try engine.write(batch(1, 0, "w", [9], stamp: 9))
        try engine.write(batch(1, 0, "z", [9], stamp: 9))
        try engine.flush(tree: 1)
        return engine
    }

    @Test func `an older record that only the log still has does not outlive the purged deletion`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engineWithOldRecord(disk)
        try engine.setPurgeHorizon(.everything(now: 100), tree: 1)
        try engine.compact(tree: 1)
        #expect(engine.statistics().purgedEntries == 1)
        #expect(try engine.value(1, 0, "x") == nil)
        #expect(try open(disk.copy()).value(1, 0, "x") == nil)
    }

    @Test func `a compaction in the background keeps the deletion while the log has such a record`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engineWithOldRecord(disk)
        try engine.setPurgeHorizon(.everything(now: 100), tree: 1)
        for key in ["a", "b", "c"] {
            try engine.write(batch(1, 0, key, [1], stamp: 11))
            try engine.write(batch(1, 0, "z", [1], stamp: 11))
            try engine.flush(tree: 1)
        }
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(engine.statistics().compactions > 0)
        #expect(engine.statistics().purgedEntries == 0)
        #expect(try open(disk.copy()).value(1, 0, "x") == [])

        try engine.flush(tree: 2)
        try engine.write(batch(1, 0, "z", [1], stamp: 12))
        try engine.compact(tree: 1)
        #expect(engine.statistics().purgedEntries == 1)
        #expect(try open(disk.copy()).value(1, 0, "x") == nil)
    }

    /// Writes a key of tree 1 beside others that lie around it, so that all tables overlap.
    private func flush(_ engine: Engine, _ key: String, _ value: [UInt8], stamp: UInt64) throws {
        for other in ["a", "z"] { try engine.write(batch(1, 0, other, [1], stamp: stamp)) }
        try engine.write(batch(1, 0, key, value, stamp: stamp))
        try engine.flush(tree: 1)
    }

    @Test func `a record that a full disk left in an empty segment does not outlive the deletion`()
        throws
    {
        let disk = InMemoryFileSystem()
        let faults = FaultyFileSystem(disk)
        let engine = try open(faults)
        try engine.createTree(1, rule: Self.newest)
        try flush(engine, "x", [], stamp: 10)
        try flush(engine, "y", [1], stamp: 10)
        // All bytes reach the disk, and the call fails all the same.
        faults.add(FaultRule(.append, pathContains: ".log", times: 1, .shortWrite(bytes: .max)))
        #expect(throws: StorageError.self) { try engine.write(batch(1, 0, "x", [7], stamp: 8)) }
        #expect(try open(disk.copy()).value(1, 0, "x") == [])
        try engine.setPurgeHorizon(.everything(now: 100), tree: 1)
        try engine.compact(tree: 1)
        #expect(engine.statistics().purgedEntries == 1)
        #expect(try open(disk.copy()).value(1, 0, "x") == nil)
    }

    @Test func `compact brings the newest horizon into force, whichever trees are in its way`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try open(disk)
        func horizon(_ stamp: UInt64) -> PurgeHorizon {
            PurgeHorizon(now: 100, ranges: [.init(through: .max, stamp: stamp)])
        }
        for tree in 1...3 as ClosedRange<UInt32> { try engine.createTree(tree, rule: Self.newest) }
        try engine.write(batch(2, 0, "other", [1]))
        try flush(engine, "x", [], stamp: 10)
        try engine.setPurgeHorizon(horizon(10), tree: 1)
        try engine.write(batch(3, 0, "other", [1]))
        try flush(engine, "y", [], stamp: 11)
        try engine.setPurgeHorizon(horizon(11), tree: 1)
        try engine.compact(tree: 1)
        #expect(engine.statistics().purgedEntries == 2)
    }

    @Test func `a tree that finds no room does not keep another from making some`() throws {
        let faults = FaultyFileSystem(InMemoryFileSystem())
        let engine = try open(faults)
        for tree in 1...2 as ClosedRange<UInt32> { try engine.createTree(tree, rule: Self.newest) }
        try engine.write(batch(2, 0, "other", [1]))
        try flush(engine, "x", [], stamp: 10)
        try flush(engine, "y", [1], stamp: 11)
        try engine.setPurgeHorizon(.everything(now: 100), tree: 1)
        faults.add(FaultRule(.append, pathContains: "/db/2/", .noSpace))
        try engine.compact(tree: 1)
        #expect(engine.statistics().trees[0].runCount == 1)
        #expect(engine.statistics().trees[0].tableCount == 1)
        #expect(engine.statistics().purgedEntries == 0)
    }

    @Test func `a horizon is in force once the log begins behind the records from before it`() {
        var schedule = PurgeSchedule()
        schedule.give(.everything(now: 5), lastSegment: 7)
        #expect(schedule.inForce == .never)
        #expect(schedule.segmentInTheWay == 7)
        let isInForceAtSeven = schedule.logBegins(with: 7)
        let isInForceAtEight = schedule.logBegins(with: 8)
        #expect(!isInForceAtSeven && isInForceAtEight)
        #expect(schedule.inForce == .everything(now: 5))
        #expect(schedule.segmentInTheWay == nil)
    }

    @Test func `horizons that are given often come into force, each in its turn`() {
        var schedule = PurgeSchedule()
        for segment in 1...100 as ClosedRange<UInt64> {
            schedule.give(.everything(now: segment), lastSegment: segment)
        }
        #expect(schedule.segmentInTheWay == 100)
        _ = schedule.logBegins(with: 50)
        #expect(schedule.inForce == .everything(now: 1))
        _ = schedule.logBegins(with: 101)
        #expect(schedule.inForce == .everything(now: 100))
    }

    @Test func `a narrower horizon holds at once`() {
        var schedule = PurgeSchedule()
        schedule.give(.everything(now: 5), lastSegment: 1)
        _ = schedule.logBegins(with: 2)
        schedule.give(.everything(now: 9), lastSegment: 3)
        schedule.give(.never, lastSegment: 4)
        #expect(schedule.inForce.ranges.isEmpty)
        _ = schedule.logBegins(with: 4)
        #expect(schedule.inForce.ranges.isEmpty)
    }

    @Test func `two horizons together let go what each lets go`() {
        var random = SeededRandom(seed: 5)
        func horizon() -> PurgeHorizon {
            var prefix: UInt64 = 0
            let ranges = (0..<random.below(5)).map { _ in
                prefix += UInt64(random.number(in: 1...8))
                return PurgeHorizon.Range(through: prefix, stamp: UInt64(random.below(9)))
            }
            return PurgeHorizon(now: UInt64(random.below(9)), ranges: ranges)
        }
        for _ in 0..<300 {
            let (one, other) = (horizon(), horizon())
            let both = one.limited(by: other)
            #expect(both.now == min(one.now, other.now))
            for prefix in 0...45 as ClosedRange<UInt64> {
                let stamps = [one, other].compactMap { $0.stamp(at: prefix) }
                #expect(both.stamp(at: prefix) == (stamps.count == 2 ? stamps.min() : nil))
            }
        }
    }
}
