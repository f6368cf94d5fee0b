import Causality
import ClusterPrimitives
import FileSystems
import ObjectStorage
import Partitioning
import Replication
import StorageEngine
import Testing

@Suite struct `Upkeep of a store` {
    private static let keyspace = StoreFixture.keyspace

    /// Writes keys over several tables.
    private static func fill(_ fixture: StoreFixture, tables: Int = 3) throws {
        for table in 0..<tables {
            for key in 0..<40 {
                let value = String(repeating: "v\(table) ", count: 20)
                fixture.write("key-\(key)", UInt64(table + 1) << 16, value)
            }
            try fixture.flush()
        }
    }

    /// Paths of a keyspace's tables.
    private static func tables(of fixture: StoreFixture) throws -> [String] {
        try fixture.disk.list("/store/1").filter { $0.hasSuffix(".sst") }.map { "/store/1/\($0)" }
    }

    @Test func `a flush says what it wrote, and the records are still there`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 10, "one")
        let report = try fixture.store.upkeep(.flush, keyspace: Self.keyspace)
        #expect(report.tablesBefore == 0 && report.tablesAfter == 1)
        #expect(report.bytesWritten > 0 && report.bytesWritten == report.bytesAfter)
        #expect(fixture.read("a")?.record == StoreFixture.record(10, "one"))
        let again = try fixture.store.upkeep(.flush, keyspace: Self.keyspace)
        #expect(again.bytesWritten == 0)
    }

    @Test func `a compaction leaves one table, which says all that several said`() throws {
        let fixture = try StoreFixture()
        try Self.fill(fixture)
        fixture.write("late", 9 << 16, "in memory")
        let report = try fixture.store.upkeep(.compact, keyspace: Self.keyspace)
        #expect(report.tablesBefore == 4 && report.tablesAfter == 1)
        #expect(report.bytesAfter < report.bytesBefore)
        let value = String(repeating: "v2 ", count: 20)
        for key in 0..<40 {
            #expect(fixture.read("key-\(key)")?.record == StoreFixture.record(3 << 16, value))
        }
        #expect(fixture.read("late")?.record == StoreFixture.record(9 << 16, "in memory"))
    }

    @Test func `a verification reads every byte, and finds nothing where nothing is wrong`()
        throws
    {
        let fixture = try StoreFixture()
        try Self.fill(fixture)
        let report = try fixture.store.upkeep(.verify, keyspace: Self.keyspace)
        #expect(report.tablesBefore == 3 && report.damage.isEmpty)
        #expect(report.bytesRead == report.bytesBefore)
        #expect(report.bytesAfter == report.bytesBefore)
    }

    @Test func `damage is found, told with its tokens, and scrubbed to what is whole`() throws {
        let disk = InMemoryFileSystem()
        let fixture = try StoreFixture(disk)
        try Self.fill(fixture, tables: 1)
        let path = try #require(try Self.tables(of: fixture).first)
        try disk.flipBit(8 * 300, in: path)

        let found = try fixture.store.upkeep(.verify, keyspace: Self.keyspace)
        let damage = try #require(found.damage.first { $0.tokens != nil })
        #expect(damage.file == path && damage.expected != damage.found)
        let tokens = try #require(damage.tokens)

        let scrubbed = try fixture.store.upkeep(.scrub, keyspace: Self.keyspace)
        #expect(scrubbed.salvagedTables.count == 1 && scrubbed.skippedTables.isEmpty)
        #expect(scrubbed.quarantinedFiles == [path + ".damaged"])
        let loss = try #require(scrubbed.lost.first)
        #expect(loss.tokens == tokens)
        #expect(try disk.list("/store/1").contains { $0.hasSuffix(".sst.damaged") })

        var unknown = 0
        for key in 0..<40 {
            let name = "key-\(key)"
            let read = try #require(fixture.read(name))
            let token = Token(ofKey: Array(name.utf8)).rawValue
            if read.status == .unknown {
                unknown += 1
                #expect(loss.tokens.contains(token), "\(name)")
            } else {
                #expect(read.status == .found, "\(name)")
            }
        }
        #expect(unknown > 0 && unknown < 40)
        let clean = try fixture.store.upkeep(.verify, keyspace: Self.keyspace)
        #expect(clean.damage.isEmpty)
    }

    @Test func `a keyspace that is not there fails alone`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 10, "one")
        let gone = KeyspaceNumber(9)
        for kind in StoreUpkeep.allCases {
            #expect(throws: StorageError.unknownTree(9), "\(kind)") {
                try fixture.store.upkeep(kind, keyspace: gone)
            }
        }
        let results = fixture.store.run(
            UpkeepJob(kind: .flush, keyspaces: [gone, Self.keyspace])
        )
        guard case .failed(.unknownKeyspace, _) = results[0].outcome,
            case .done(let report) = results[1].outcome
        else {
            Issue.record("\(results)")
            return
        }
        #expect(report.bytesWritten > 0)
    }

    @Test(arguments: StoreUpkeep.allCases)
    func `ends when it is told to, and says so`(_ kind: StoreUpkeep) throws {
        let fixture = try StoreFixture()
        try Self.fill(fixture)
        var questions = 0
        let results = fixture.store.run(UpkeepJob(kind: kind, keyspaces: [Self.keyspace])) {
            questions += 1
            return questions == 1
        }
        guard case .failed(.stopping, _)? = results.first?.outcome else {
            Issue.record("\(results)")
            return
        }
        #expect(fixture.read("key-1")?.status == .found)
    }

    @Test func `a compression makes tables smaller, and is taken on by later ones`() throws {
        let disk = InMemoryFileSystem()
        let plain = try StoreFixture(disk)
        try Self.fill(plain)
        let before = try plain.store.upkeep(.verify, keyspace: Self.keyspace).bytesBefore
        try plain.store.adopt(StoreFixture.topology(compression: .zlib(level: 6)))
        let report = try plain.store.upkeep(.compact, keyspace: Self.keyspace)
        #expect(report.bytesAfter * 6 < before, "\(report.bytesAfter) of \(before)")
        try plain.store.close()
        let again = try StoreFixture(disk, topology: StoreFixture.topology(compression: .none))
        let value = String(repeating: "v2 ", count: 20)
        #expect(again.read("key-7")?.record == StoreFixture.record(3 << 16, value))
    }
}

@Suite struct `The reserve of a disk` {
    @Test func `is kept from values, while deletions and reads go on`() throws {
        let disk = InMemoryFileSystem(capacity: 4 << 20)
        let fixture = try StoreFixture(disk, diskReserve: 64 << 10)
        #expect(fixture.write("a", 10, "one")?.status == .applied)
        disk.setCapacity(64 << 10)
        // The store asks for the room that is left with its upkeep.
        _ = fixture.store.nextMaintenance()
        #expect(fixture.write("a", 20, "two")?.status == .noRoom)
        #expect(fixture.write("b", 20, "two")?.status == .noRoom)
        #expect(fixture.read("a")?.record == StoreFixture.record(10, "one"))
        #expect(fixture.write("a", 30, nil)?.status == .applied)
        #expect(fixture.read("a")?.record == StoreFixture.record(30, nil))

        disk.setCapacity(4 << 20)
        _ = fixture.store.nextMaintenance()
        #expect(fixture.write("a", 40, "three")?.status == .applied)
    }

    @Test func `is there for the deletions of a turn that also puts siblings`() throws {
        let disk = InMemoryFileSystem(capacity: 4 << 20)
        let fixture = try StoreFixture(
            disk,
            topology: StoreFixture.topology(mode: .siblings),
            diskReserve: 64 << 10
        )
        for key in ["a", "b"] { fixture.update(key, .put(value: [1, 2, 3], expiry: nil)) }
        let old = try #require(fixture.read("a")?.record)
        disk.setCapacity(64 << 10)
        _ = fixture.store.nextMaintenance()
        let changes: [(String, RecordUpdate)] = [
            ("a", .put(value: [4, 5], expiry: nil)), ("b", .delete), ("c", .delete),
        ]
        let turn = fixture.update(changes)
        guard case .updated(_, .notTaken(.noRoom))? = turn.results.first else {
            Issue.record("a value took the reserve")
            return
        }
        try fixture.store.sync()
        let results = fixture.finish(turn).dropFirst()
        for (key, result) in zip(["b", "c"], results) {
            guard case .updated(_, .applied(let record, _)) = result else {
                Issue.record("\(key) was not deleted: \(result)")
                continue
            }
            #expect(fixture.read(key)?.record == Array(record))
        }
        #expect(results.count == 2)
        #expect(fixture.read("a")?.record == old)
        // All keys were given back.
        disk.setCapacity(4 << 20)
        _ = fixture.store.nextMaintenance()
        for key in ["a", "b", "c"] {
            let next = fixture.update([(key, .put(value: [6], expiry: nil))])
            try fixture.store.sync()
            guard case .updated(_, .applied)? = fixture.finish(next).first else {
                Issue.record("\(key) is still taken")
                continue
            }
        }
    }
}
