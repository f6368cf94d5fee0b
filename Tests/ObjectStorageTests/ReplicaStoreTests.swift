import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import ObjectStorage
import Partitioning
import Replication
import StorageEngine
import Testing

@Suite struct `Replica store` {
    @Test func `a write is seen once it is synced and finished, not before`() throws {
        let fixture = try StoreFixture()
        let turn = fixture.submit("a", 1, "one")
        #expect(turn.results.isEmpty)
        #expect(fixture.read("a")?.status == .absent)
        try fixture.store.sync()
        #expect(fixture.read("a")?.status == .absent)
        guard case .written(_, .applied, let version, .zero)? = fixture.finish(turn).last else {
            Issue.record("the write was not applied")
            return
        }
        #expect(version == StoreFixture.version(1))
        let found = try #require(fixture.read("a"))
        #expect(found.status == .found)
        #expect(found.record == StoreFixture.record(1, "one"))
        #expect(found.version == version)
    }

    @Test func `what was acknowledged survives any crash, what was not may`() throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let fixture = try StoreFixture()
            var kept: [String: UInt64] = [:]
            for stamp in 1...UInt64(random.number(in: 1...40)) {
                let key = "key-\(random.below(10))"
                if random.chance(1, in: 8) { try fixture.flush() }
                if fixture.write(key, stamp, "v\(stamp)")?.status == .applied { kept[key] = stamp }
            }
            _ = fixture.submit("unsynced", 1000, "x")
            let after = try StoreFixture(fixture.disk.crashClone(random: &random))
            for (key, stamp) in kept {
                let expected = StoreFixture.record(stamp, "v\(stamp)")
                #expect(after.read(key)?.record == expected, "seed \(seed), \(key)")
            }
            let lost = try #require(after.read("unsynced"))
            #expect(lost.status != .unknown, "seed \(seed)")
        }
    }

    @Test func `one whose disk went back in time answers unknown, and takes writes`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 1, "old")
        fixture.store.distrust()
        #expect(fixture.read("a")?.status == .unknown)
        #expect(fixture.read("never written")?.status == .unknown)
        #expect(fixture.write("a", 2, "new")?.status == .applied)
        #expect(fixture.read("a")?.status == .unknown)
        #expect(fixture.scan(Self.everything)?.status == .unknown)
    }

    @Test func `many reads of one large value in one turn are answered up to a bound`() throws {
        let fixture = try StoreFixture()
        let size = 4 << 20
        fixture.write("a", 1, String(repeating: "v", count: size))
        let key = Array("a".utf8)
        let job = StorageJob(
            origin: JobOrigin(route: .request, target: 0, correlation: 1),
            keyspace: StoreFixture.keyspace,
            token: Token(ofKey: key).ordered,
            work: .read(key: ByteRange(offset: 0, count: key.count), contents: .record)
        )
        var results: [StorageResult] = []
        var deferred: [ReplicaStore.DeferredJob] = []
        _ = fixture.store.submit(
            jobs: Array(repeating: job, count: 1000),
            payload: key,
            results: &results,
            deferred: &deferred
        )
        var bytes = 0
        var refused = 0
        for result in results {
            guard case .read(_, let status, _, _, _, let record) = result else { continue }
            bytes += record.count
            if status == .overloaded { refused += 1 }
        }
        #expect(results.count == 1000 && deferred.isEmpty)
        #expect(bytes <= 40 << 20)
        #expect(refused > 900)
    }

    @Test func `a record that the engine does not take leaves the others of its turn alone`() throws
    {
        let fixture = try StoreFixture(maximumValueSize: 2000)
        let sizes = [10, 3000, 20]
        var payload: [UInt8] = []
        var jobs: [StorageJob] = []
        for (index, size) in sizes.enumerated() {
            let key = Array("key \(index)".utf8)
            let record = StoreFixture.record(5, String(repeating: "v", count: size))
            jobs.append(
                StorageJob(
                    origin: JobOrigin(route: .request, target: 0, correlation: UInt64(index)),
                    keyspace: StoreFixture.keyspace,
                    token: Token(ofKey: key).ordered,
                    work: .write(
                        key: ByteRange(offset: payload.count, count: key.count),
                        record: ByteRange(offset: payload.count + key.count, count: record.count),
                        version: StoreFixture.version(5),
                        purpose: .repair
                    )
                )
            )
            payload += key + record
        }
        var turn = StoreFixture.Turn()
        turn.staged = fixture.store.submit(
            jobs: jobs,
            payload: payload,
            results: &turn.results,
            deferred: &turn.deferred
        )
        try fixture.store.sync()
        var statuses: [UInt64: WriteStatus] = [:]
        for result in fixture.finish(turn) {
            if case .written(let origin, let status, _, _) = result {
                statuses[origin.correlation] = status
            }
        }
        #expect(statuses == [0: .applied, 1: .overloaded, 2: .applied])
        #expect(fixture.read("key 1")?.status == .absent)
        #expect(fixture.read("key 2")?.status == .found)
    }

    @Test func `an older write is shadowed by a newer one in memory`() throws {
        let fixture = try StoreFixture()
        #expect(fixture.write("a", 5, "new")?.status == .applied)
        let outcome = try #require(fixture.write("a", 3, "old"))
        #expect(outcome.status == .shadowed)
        #expect(outcome.shadow == StoreFixture.version(5))
        #expect(fixture.read("a")?.record == StoreFixture.record(5, "new"))
    }

    @Test func `the same write twice is applied twice, not shadowed by itself`() throws {
        let fixture = try StoreFixture()
        #expect(fixture.write("a", 5, "x")?.status == .applied)
        #expect(fixture.write("a", 5, "x")?.status == .applied)
        try fixture.flush()
        #expect(fixture.write("a", 5, "x")?.status == .applied)
    }

    @Test func `an older write is shadowed by a newer one in a table, which the disk must tell`()
        throws
    {
        let fixture = try StoreFixture()
        fixture.write("a", 5, "new")
        try fixture.flush()
        var turn = fixture.submit("a", 3, "old")
        try fixture.store.sync()
        let staged = try #require(turn.staged)
        fixture.store.finish(
            staged,
            isDurable: true,
            results: &turn.results,
            deferred: &turn.deferred
        )
        #expect(turn.results.isEmpty)
        let check = try #require(turn.deferred.first)
        var next: [ReplicaStore.DeferredJob] = []
        guard
            case .written(_, .shadowed, let version, let shadow)? =
                fixture.store.run(check, next: &next).first
        else {
            Issue.record("the table's newer version was not met")
            return
        }
        #expect(version == StoreFixture.version(3))
        #expect(shadow == StoreFixture.version(5))
        // Where there is no room for the look-up, the write is neither applied nor refused.
        guard case .written(_, .failed, _, _)? = fixture.store.refuse(check).first else {
            Issue.record("a check that was not made claims to know")
            return
        }
        #expect(fixture.read("a")?.record == StoreFixture.record(5, "new"))
    }

    @Test func `repairs are merged without a look at the disk`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 5, "new")
        try fixture.flush()
        var turn = fixture.submit("a", 3, "old", purpose: .repair)
        try fixture.store.sync()
        let staged = try #require(turn.staged)
        fixture.store.finish(
            staged,
            isDurable: true,
            results: &turn.results,
            deferred: &turn.deferred
        )
        #expect(turn.deferred.isEmpty)
        guard case .written(_, .applied, _, _)? = turn.results.last else {
            Issue.record("the repair was not applied")
            return
        }
        #expect(fixture.read("a")?.record == StoreFixture.record(5, "new"))
    }

    @Test func `digests are equal for equal records and carry no record`() throws {
        let (first, second) = (try StoreFixture(), try StoreFixture())
        for fixture in [first, second] { fixture.write("a", 5, "x") }
        try second.flush()
        let left = try #require(first.read("a", .digest))
        let right = try #require(second.read("a", .digest))
        #expect(left.digest == right.digest)
        #expect(left.digest != 0)
        #expect(left.record.isEmpty)
        #expect(left.version == StoreFixture.version(5))
        second.write("a", 6, "x")
        #expect(second.read("a", .digest)?.digest != left.digest)
        #expect(first.read("b", .digest)?.digest == 0)
    }

    @Test func `keyspaces that it does not know are refused, never absent`() throws {
        let fixture = try StoreFixture()
        let unknown = KeyspaceNumber(9)
        #expect(fixture.write("a", 1, "x", keyspace: unknown)?.status == .unknownKeyspace)
        #expect(fixture.read("a", keyspace: unknown)?.status == .unknown)
        #expect(fixture.scan(Self.everything, keyspace: unknown)?.status == .unknown)
    }

    @Test func `a dropped keyspace is gone, also for writes under way, and stays gone`() throws {
        let both = try StoreFixture.topology(["users", "orders"])
        let fixture = try StoreFixture(topology: both)
        fixture.write("a", 1, "x")
        fixture.write("a", 1, "y", keyspace: KeyspaceNumber(2))
        let turn = fixture.submit("b", 2, "x")
        let next = try both.dropping("users")
        try fixture.store.adopt(next)
        try fixture.store.sync()
        guard case .written(_, let status, _, _)? = fixture.finish(turn).last else {
            Issue.record("no answer")
            return
        }
        #expect(status == .unknownKeyspace || status == .failed)
        #expect(fixture.read("a")?.status == .unknown)
        #expect(fixture.read("a", keyspace: KeyspaceNumber(2))?.status == .found)
        try fixture.store.close()
        let after = try StoreFixture(fixture.disk, topology: next)
        #expect(after.read("a")?.status == .unknown)
        #expect(after.read("a", keyspace: KeyspaceNumber(2))?.status == .found)
    }

    // MARK: Scans

    private static let everything = ReplicaScan(
        fromToken: 0,
        after: nil,
        throughToken: .max,
        maximumEntries: 1000,
        maximumSize: 1 << 20,
        prefix: []
    )

    @Test(arguments: [UInt32(1), 3, 7, 1000], ["", "key-1", "nothing"])
    func `pages follow one another over memory and tables`(
        _ entries: UInt32,
        _ prefix: String
    ) throws {
        let fixture = try StoreFixture()
        var expected: [String] = []
        for index in 0..<60 {
            let key = "key-\(index)"
            fixture.write(key, UInt64(index + 1), "v")
            if index % 20 == 19, index < 50 { try fixture.flush() }
            if key.hasPrefix(prefix) { expected.append(key) }
        }
        fixture.write("key-3", 100, "newer")
        var scan = Self.everything
        scan.maximumEntries = entries
        scan.prefix = Array(prefix.utf8)
        var found: [(token: UInt64, key: String)] = []
        for _ in 0..<200 {
            let page = try #require(fixture.scan(scan))
            #expect(page.status == .found)
            #expect(page.records.count <= Int(entries))
            for record in page.records {
                #expect(record.token == Token(ofKey: record.key).ordered)
                let key = String(decoding: record.key, as: UTF8.self)
                if key == "key-3" { #expect(record.record == StoreFixture.record(100, "newer")) }
                found.append((record.token, key))
            }
            if page.isComplete { break }
            scan.fromToken = page.coveredToken
            scan.after = page.coveredKey
        }
        #expect(found.map(\.key).sorted() == expected.sorted())
        #expect(found.map(\.token) == found.map(\.token).sorted())
    }

    @Test func `a scan keeps to its tokens and to its size, but for one record`() throws {
        let fixture = try StoreFixture()
        for index in 0..<40 { fixture.write("key-\(index)", 1, String(repeating: "x", count: 100)) }
        var scan = Self.everything
        scan.maximumSize = 1
        #expect(fixture.scan(scan)?.records.count == 1)
        scan.maximumSize = .max
        scan.maximumEntries = .max
        #expect(fixture.scan(scan)?.records.count == 40)
        scan.maximumEntries = 0
        #expect(fixture.scan(scan)?.status == .found)
        scan = Self.everything
        scan.throughToken = UInt64.max / 2
        let half = try #require(fixture.scan(scan))
        #expect(half.isComplete)
        #expect(half.records.allSatisfy { $0.token <= UInt64.max / 2 })
        #expect(half.records.count < 40)
    }

    // MARK: Faults

    @Test func `no turned byte of a table makes a record absent or another`() throws {
        let base = InMemoryFileSystem()
        let written = try StoreFixture(base)
        written.write("a", 5, "value of a")
        try written.flush()
        try written.store.close()
        let tables = try base.list("/store/1").filter { $0.hasSuffix(".sst") }
        let path = "/store/1/" + (try #require(tables.first))
        var unknown = 0
        for byte in 0..<(try base.size(of: path)) {
            try base.flipBit(byte * 8 + byte % 8, in: path)
            if let damaged = try? StoreFixture(base) {
                let found = try #require(damaged.read("a"))
                if found.status == .found {
                    #expect(found.record == StoreFixture.record(5, "value of a"), "byte \(byte)")
                } else {
                    #expect(found.status == .unknown, "byte \(byte)")
                    unknown += 1
                }
                let page = try #require(damaged.scan(Self.everything))
                #expect(page.status == .unknown || page.records.count == 1, "byte \(byte)")
                try? damaged.store.close()
            }
            try base.flipBit(byte * 8 + byte % 8, in: path)
        }
        #expect(unknown > 0)
    }

    @Test func `a failed sync is failed, and nothing is taken after it until a restart`() throws {
        let fixture = try StoreFixture()
        #expect(fixture.write("a", 1, "x")?.status == .applied)
        fixture.faults.add(FaultRule(.sync, pathContains: "/log/", times: 1, .inputOutputError))
        #expect(fixture.write("a", 2, "y")?.status == .failed)
        #expect(fixture.read("a")?.record == StoreFixture.record(1, "x"))
        // The disk is well again, but what it kept of the log is not known.
        let later = try #require(fixture.write("a", 3, "z"))
        #expect(later.status == .failed)
        #expect(fixture.read("a")?.record == StoreFixture.record(1, "x"))
        var random = SeededRandom(seed: 1)
        let after = try StoreFixture(fixture.disk.crashClone(random: &random))
        let found = try #require(after.read("a"))
        #expect([1, 2].map(StoreFixture.version).contains(found.version))
        #expect(after.write("a", 4, "z")?.status == .applied)
    }

    @Test func `an unreadable table answers unknown, and shadow checks fail`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 5, "x")
        try fixture.flush()
        fixture.faults.add(FaultRule(.read, pathContains: ".sst", .inputOutputError))
        #expect(fixture.read("a")?.status == .unknown)
        #expect(fixture.scan(Self.everything)?.status == .unknown)
        #expect(fixture.write("a", 3, "old")?.status == .failed)
        fixture.faults.removeRules()
        #expect(fixture.read("a")?.record == StoreFixture.record(5, "x"))
    }
}
