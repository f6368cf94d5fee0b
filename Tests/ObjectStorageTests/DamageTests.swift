import ClusterPrimitives
import FileSystems
import ObjectStorage
import Replication
import StorageEngine
import Testing

@Suite struct `A damaged store` {
    /// A store with forty keys in one table of many blocks.
    private static func filled() throws -> StoreFixture {
        let fixture = try StoreFixture()
        for key in 0..<40 {
            fixture.write("key-\(key)", 1 << 16, String(repeating: "v\(key) ", count: 30))
        }
        try fixture.flush()
        return fixture
    }

    private static func table(of disk: InMemoryFileSystem) throws -> String {
        let name = try #require(try disk.list("/store/1").first { $0.hasSuffix(".sst") })
        return "/store/1/\(name)"
    }

    /// Closes a store, flips a bit of its table, and opens it again.
    private static func reopened(_ fixture: StoreFixture, flipping bit: Int) throws -> StoreFixture
    {
        try fixture.store.close()
        try fixture.disk.flipBit(bit, in: try table(of: fixture.disk))
        return try StoreFixture(fixture.disk)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `a flipped bit makes some keys unknown, and none absent or wrong`(seed: UInt64) throws {
        let fixture = try Self.filled()
        var random = SeededRandom(seed: seed)
        let size = try fixture.disk.size(of: try Self.table(of: fixture.disk))
        // Data blocks come first.
        let opened = try Self.reopened(fixture, flipping: 8 * 64 + random.below(8 * size / 2))
        var unknown: [Int] = []
        for key in 0..<40 {
            let read = try #require(opened.read("key-\(key)"))
            let expected = StoreFixture.record(1 << 16, String(repeating: "v\(key) ", count: 30))
            switch read.status {
            case .found: #expect(read.record == expected, "seed \(seed), key-\(key)")
            case .unknown: unknown.append(key)
            default: Issue.record("seed \(seed): key-\(key) is \(read.status)")
            }
        }
        #expect(!unknown.isEmpty && unknown.count < 20, "seed \(seed): \(unknown)")

        // A newer value hides what cannot be read, and is answered.
        let key = "key-\(unknown[0])"
        let status = opened.write(key, 2 << 16, "newer", purpose: .repair)?.status
        #expect(status == .applied, "seed \(seed)")
        #expect(opened.read(key)?.record == StoreFixture.record(2 << 16, "newer"))
        try opened.flush()
        #expect(opened.read(key)?.record == StoreFixture.record(2 << 16, "newer"))
    }

    @Test func `damage found on opening is told with file and offset, and foreign files too`()
        throws
    {
        let fixture = try Self.filled()
        let table = try Self.table(of: fixture.disk)
        let foreign = try fixture.disk.openForAppending("/store/1/notes.txt", .createNew)
        try foreign.close()
        // The footer's first byte, by which the table is opened.
        let size = try fixture.disk.size(of: table)
        let opened = try Self.reopened(fixture, flipping: 8 * (size - 1))
        guard case .corruption(let file, _, _, _, _)? = opened.store.damage.first else {
            Issue.record("no damage was told: \(opened.store.damage)")
            return
        }
        #expect(file == table)
        #expect(opened.store.unknownFiles == ["/store/1/notes.txt"])
        // Its blocks are whole, so nothing is lost.
        for key in 0..<40 { #expect(opened.read("key-\(key)")?.status == .found) }
    }

    @Test func `a healthy store finds nothing`() throws {
        let fixture = try Self.filled()
        try fixture.store.close()
        let opened = try StoreFixture(fixture.disk)
        #expect(opened.store.damage.isEmpty && opened.store.unknownFiles.isEmpty)
    }

    @Test func `upkeep goes on beside a damaged table`() throws {
        let fixture = try Self.filled()
        let opened = try Self.reopened(fixture, flipping: 8 * 2000)
        for round in 2..<8 as Range<UInt64> {
            for key in 0..<10 { opened.write("new-\(key)", round << 16, "round \(round)") }
            try opened.flush()
        }
        var failures = 0
        var jobs = 0
        while let job = opened.store.nextMaintenance(), jobs < 100 {
            jobs += 1
            do throws(StorageError) { try opened.store.perform(job) } catch { failures += 1 }
        }
        #expect(jobs < 100 && failures <= 1, "\(failures) of \(jobs) jobs failed")
        #expect(opened.read("new-3")?.record == StoreFixture.record(7 << 16, "round 7"))
    }

    @Test func `a store whose disk is full opens, and answers reads`() throws {
        let fixture = try Self.filled()
        for key in 0..<40 { fixture.write("late-\(key)", 2 << 16, "in the log") }
        // Not closed: as after a crash the log is written anew, for which there has to be room.
        let disk = fixture.disk
        try fixture.store.close()
        let largest = 1 << 30
        disk.setCapacity(largest)
        let used = largest - (try disk.freeSpace(at: "/"))
        disk.setCapacity(used + 1024)
        let opened = try StoreFixture(disk)
        #expect(opened.read("key-1")?.status == .found)
        #expect(opened.read("late-1")?.status == .found)
        disk.setCapacity(nil)
        #expect(opened.write("a", 3 << 16, "room again")?.status == .applied)
    }
}
