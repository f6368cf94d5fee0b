import ClusterPrimitives
import ObjectStorage
import Replication
import StorageEngine
import Testing

@Suite struct `Upkeep of a store` {
    @Test func `a flush says what it wrote, and the records are still there`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 10, "one")
        let report = try fixture.store.upkeep(.flush, keyspace: StoreFixture.keyspace)
        #expect(report.tablesBefore == 0 && report.tablesAfter == 1)
        #expect(report.bytesWritten > 0 && report.bytesWritten == report.bytesAfter)
        #expect(fixture.read("a")?.record == StoreFixture.record(10, "one"))
        let again = try fixture.store.upkeep(.flush, keyspace: StoreFixture.keyspace)
        #expect(again.bytesWritten == 0)
    }

    @Test func `a keyspace that is not there fails alone`() throws {
        let fixture = try StoreFixture()
        fixture.write("a", 10, "one")
        let gone = KeyspaceNumber(9)
        #expect(throws: StorageError.unknownTree(9)) {
            try fixture.store.upkeep(.flush, keyspace: gone)
        }
        let results = fixture.store.run(
            UpkeepJob(kind: .flush, keyspaces: [gone, StoreFixture.keyspace])
        )
        guard case .failed(.unknownKeyspace, _) = results[0].outcome else {
            Issue.record("\(results)")
            return
        }
        guard case .done(let report) = results[1].outcome else {
            Issue.record("\(results)")
            return
        }
        #expect(report.bytesWritten > 0)
    }

    @Test func `ends when it is told to, and says so`() throws {
        let fixture = try StoreFixture()
        let results = fixture.store.run(
            UpkeepJob(kind: .flush, keyspaces: [StoreFixture.keyspace])
        ) { false }
        guard case .failed(.stopping, _)? = results.first?.outcome else {
            Issue.record("\(results)")
            return
        }
    }
}
