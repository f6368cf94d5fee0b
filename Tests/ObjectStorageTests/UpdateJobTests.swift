import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import ObjectStorage
import Partitioning
import Replication
import StorageEngine
import Testing

@Suite struct `Update in the store` {
    private static func put(_ text: String) -> RecordUpdate {
        .put(value: Array(text.utf8), expiry: nil)
    }

    private func fixture(
        _ mode: ConflictMode = .siblings,
        _ disk: InMemoryFileSystem = InMemoryFileSystem(),
        life: UInt64 = 1
    ) throws -> StoreFixture {
        try StoreFixture(
            disk,
            topology: StoreFixture.topology(mode: mode),
            actor: ActorID(high: 1, low: life)
        )
    }

    private func values(_ record: [UInt8]) -> [String] {
        guard let set = try? SiblingSet(decoding: record.span.bytes) else { return [] }
        var values: [String] = []
        set.forEachLive(at: WallClockTime(milliseconds: 0), in: record.span.bytes) {
            values.append(String(decoding: record.span.bytes.array($0.value), as: UTF8.self))
        }
        return values.sorted()
    }

    private func dots(_ record: some Collection<UInt8>) throws -> [Dot] {
        let record = Array(record)
        let set = try SiblingSet(decoding: record.span.bytes)
        var dots: [Dot] = []
        set.forEachLive(at: WallClockTime(milliseconds: 0), in: record.span.bytes) {
            dots.append($0.dot)
        }
        return dots
    }

    @Test func `an update can be read once it is durable, and not before`() throws {
        let fixture = try fixture()
        let turn = fixture.update([("a", Self.put("1"))])
        #expect(turn.results.isEmpty)
        #expect(fixture.read("a")?.status == .absent)
        try fixture.store.sync()
        guard case .updated(_, .applied(let record, let answer))? = fixture.finish(turn).first
        else {
            Issue.record("the update was not applied")
            return
        }
        #expect(answer.siblings == 1)
        #expect(fixture.read("a")?.record == Array(record))
    }

    @Test func `updates of one key in one turn see each other and have dots of their own`() throws {
        let fixture = try fixture()
        let turn = fixture.update(
            [
                ("a", Self.put("1")), ("a", Self.put("2")), ("b", Self.put("x")),
                ("a", Self.put("3")),
            ]
        )
        try fixture.store.sync()
        let results = fixture.finish(turn)
        #expect(results.count == 4)
        let record = try #require(fixture.read("a")?.record)
        #expect(values(record) == ["1", "2", "3"])
        #expect(Set(try dots(record)).count == 3)
        #expect(values(try #require(fixture.read("b")?.record)) == ["x"])
    }

    @Test func `updates that wait are made together once the first has ended, over all lanes`()
        throws
    {
        let fixture = try fixture(.counter)
        let first = fixture.update([("a", .increment(1, id: [], .upAndDown))])
        let second = fixture.update([("a", .increment(2, id: [], .upAndDown))])
        let third = fixture.update([("a", .increment(4, id: [], .upAndDown))])
        #expect(second.results.isEmpty && second.staged == nil && second.deferred.isEmpty)
        try fixture.store.sync()
        let results = fixture.finish(first)
        #expect(results.count == 3)
        #expect(fixture.finish(third).isEmpty)
        let record = try #require(fixture.read("a")?.record)
        #expect(try CounterState(decoding: record.span.bytes).value == 7)
    }

    @Test func `of a thousand blind writes at once 32 stay, and the others are refused by name`()
        throws
    {
        let fixture = try fixture()
        let turn = fixture.update((0..<1000).map { ("a", Self.put("\($0)")) })
        try fixture.store.sync()
        let results = fixture.finish(turn)
        #expect(results.count == 1000)
        let applied = results.count { result in
            if case .updated(_, .applied) = result { true } else { false }
        }
        let refused = results.count { result in
            if case .updated(_, .refused(_, .tooManySiblings(33), _)) = result {
                true
            } else {
                false
            }
        }
        #expect(applied == 32)
        #expect(refused == 968)
        let record = try #require(fixture.read("a")?.record)
        #expect(values(record).count == 32)
        // However many more come, nothing of them goes to log or memory.
        let more = fixture.update((0..<1000).map { ("a", Self.put("\($0)")) }, stamp: 100_000)
        #expect(more.staged == nil)
        #expect(fixture.finish(more).count == 1000)
        #expect(fixture.read("a")?.record == record)
    }

    @Test func `a copy in a table is read from the disk before it is changed`() throws {
        let fixture = try fixture()
        fixture.update("a", Self.put("1"))
        try fixture.flush()
        try fixture.store.close()
        let reopened = try self.fixture(.siblings, fixture.disk, life: 2)
        let turn = reopened.update([("a", Self.put("2"))], stamp: 100_000)
        try reopened.store.sync()
        #expect(reopened.finish(turn).count == 1)
        #expect(values(try #require(reopened.read("a")?.record)) == ["1", "2"])
    }

    @Test func `a failed sync leaves the outcome unknown and the dot unused ever after`() throws {
        let fixture = try fixture()
        let turn = fixture.update([("a", Self.put("1"))])
        let results = fixture.finish(turn, isDurable: false)
        guard case .updated(_, .notTaken(.failed))? = results.first else {
            Issue.record("an update whose sync failed was not told as unknown")
            return
        }
        let next = fixture.update([("a", Self.put("2"))])
        try fixture.store.sync()
        guard case .updated(_, .applied(let record, _))? = fixture.finish(next).first else {
            Issue.record("the next update was not applied")
            return
        }
        #expect(try dots(record).map(\.actor) != [ActorID(high: 1, low: 1)])
    }

    @Test func `a store that is distrusted changes only what it is told of the others`() throws {
        let fixture = try fixture(.counter)
        fixture.update("a", .increment(3, id: [], .upAndDown))
        let before = try #require(fixture.read("a")?.record)
        fixture.store.distrust()
        let alone = fixture.update([("a", .increment(1, id: [], .upAndDown))])
        guard case .updated(_, .unreadable)? = alone.results.first else {
            Issue.record("a distrusted copy was changed")
            return
        }
        let told = fixture.update(
            [("a", .increment(1, id: [], .upAndDown))],
            base: before,
            stamp: 100
        )
        try fixture.store.sync()
        guard case .updated(_, .applied(let record, let answer))? = fixture.finish(told).first
        else {
            Issue.record("an update on top of the others' copies was not applied")
            return
        }
        #expect(answer.sum == 4)
        #expect(try CounterState(decoding: record.span.bytes).value == 4)
    }

    @Test func `a distrusted store does not forget what it minted since`() throws {
        let fixture = try fixture()
        fixture.store.distrust()
        for (index, text) in ["1", "2", "3"].enumerated() {
            // The others have heard of none of them yet.
            let turn = fixture.update([("a", Self.put(text))], base: [])
            try fixture.store.sync()
            guard case .updated(_, .applied(let record, let answer))? = fixture.finish(turn).first
            else {
                Issue.record("an update of a distrusted copy was not applied")
                return
            }
            #expect(answer.siblings == index + 1)
            #expect(Set(try dots(record)).count == index + 1)
        }
    }

    @Test func `damage costs an actor once, and no dot is minted twice behind it`() throws {
        let fixture = try fixture()
        let keys = (0..<40).map { "key-\($0)" }
        for key in keys { fixture.update(key, Self.put("before")) }
        try fixture.flush()
        let tables = try fixture.disk.list("/store/1").filter { $0.hasSuffix(".sst") }
        try fixture.disk.flipBit(8 * 300, in: "/store/1/" + #require(tables.first))
        let key = try #require(keys.first { fixture.read($0)?.status == .unknown })
        for scrubs in 0..<2 {
            var actors: Set<ActorID> = []
            for index in 0..<3 {
                // The others have heard of none of them yet.
                let turn = fixture.update(
                    [(key, Self.put("\(index)"))],
                    base: [],
                    stamp: UInt64(scrubs * 3 + index + 1) * 100_000
                )
                try fixture.store.sync()
                guard
                    case .updated(_, .applied(let record, let answer))? =
                        fixture.finish(turn).first
                else {
                    Issue.record("an update of a damaged copy was not applied")
                    return
                }
                #expect(answer.siblings == scrubs * 3 + index + 1)
                let dots = try dots(record)
                #expect(Set(dots).count == dots.count)
                actors.formUnion(dots.map(\.actor))
            }
            #expect(actors.count == scrubs + 1)
            #expect(!actors.contains(ActorID(high: 1, low: 1)))
            // What a scrub could not save is lost: that is damage of its own.
            _ = try fixture.store.upkeep(.scrub, keyspace: StoreFixture.keyspace)
        }
    }

    @Test func `a keyspace that is not there takes no update`() throws {
        let fixture = try fixture()
        let turn = fixture.update([("a", Self.put("1"))], keyspace: KeyspaceNumber(99))
        guard case .updated(_, .notTaken(.unknownKeyspace))? = turn.results.first else {
            Issue.record("an unknown keyspace took an update")
            return
        }
    }

    @Test
    func `an update whose record the engine does not take leaves the others of its turn alone`()
        throws
    {
        let fixture = try StoreFixture(
            topology: StoreFixture.topology(mode: .siblings),
            maximumValueSize: 2000
        )
        let long = String(repeating: "x", count: 3000)
        func isRefused(_ result: StorageResult?) -> Bool {
            if case .updated(_, .notTaken(.overloaded))? = result { true } else { false }
        }
        let turn = fixture.update(
            [("a", Self.put("1")), ("b", Self.put(long)), ("c", Self.put("2"))]
        )
        #expect(turn.results.count == 1)
        #expect(isRefused(turn.results.first))
        try fixture.store.sync()
        #expect(fixture.finish(turn).count == 3)
        #expect(values(try #require(fixture.read("a")?.record)) == ["1"])
        #expect(fixture.read("b")?.status == .absent)
        #expect(values(try #require(fixture.read("c")?.record)) == ["2"])
        // Those that wait for their key are made together, and the long one is refused alone.
        let waiting = fixture.update(
            [("b", Self.put("1")), ("b", Self.put(long)), ("b", Self.put("2"))]
        )
        try fixture.store.sync()
        #expect(fixture.finish(waiting).count { isRefused($0) } == 1)
        #expect(values(try #require(fixture.read("b")?.record)) == ["1", "2"])
    }

    @Test func `a refused update gives its key back`() throws {
        let fixture = try fixture(.counter)
        let wrong = fixture.update([("a", .add([[1]]))])
        guard case .updated(_, .refused(_, .unreadable, _))? = wrong.results.first else {
            Issue.record("a set's change was made to a counter")
            return
        }
        fixture.update("a", .increment(1, id: [], .upAndDown))
        let record = try #require(fixture.read("a")?.record)
        #expect(try CounterState(decoding: record.span.bytes).value == 1)
    }

    @Test func `where there is no room for waiting updates all of them are told`() throws {
        let fixture = try fixture(.counter)
        var first = fixture.update([("a", .increment(1, id: [], .upAndDown))])
        _ = fixture.update([("a", .increment(2, id: [], .upAndDown))])
        _ = fixture.update([("a", .increment(4, id: [], .upAndDown))])
        try fixture.store.sync()
        let staged = try #require(first.staged)
        fixture.store.finish(
            staged,
            isDurable: true,
            results: &first.results,
            deferred: &first.deferred
        )
        let refused = fixture.store.refuse(try #require(first.deferred.first))
        #expect(refused.count == 2)
        for result in refused {
            guard case .updated(_, .notTaken(.overloaded)) = result else {
                Issue.record("an update without room was not told so")
                continue
            }
        }
        fixture.update("a", .increment(8, id: [], .upAndDown))
        let record = try #require(fixture.read("a")?.record)
        #expect(try CounterState(decoding: record.span.bytes).value == 9)
    }

    @Test(arguments: [ConflictMode.siblings, .counter, .set, .map, .lastWriterSet])
    func `copies that replicas store blind are joined on reading, flushing and compacting`(
        mode: ConflictMode
    ) throws {
        let changes: [RecordUpdate] =
            switch mode {
            case .siblings: [Self.put("1"), Self.put("2")]
            case .set, .lastWriterSet: [.add([[1]]), .add([[2]])]
            case .map: [.change(field: [1], .write([1])), .change(field: [2], .write([2]))]
            default: [.increment(1, id: [], .upAndDown), .increment(2, id: [], .upAndDown)]
            }
        var records: [[UInt8]] = []
        for (index, change) in changes.enumerated() {
            let origin = try fixture(mode, life: UInt64(index + 10))
            origin.update("a", change)
            records.append(try #require(origin.read("a")?.record))
        }
        let joined = mode.records.joined(records[0], records[1])
        let fixture = try fixture(mode)
        for record in records {
            fixture.write("a", record: record)
            try fixture.flush()
        }
        #expect(fixture.read("a")?.record == joined)
        _ = try fixture.store.upkeep(.compact, keyspace: StoreFixture.keyspace)
        #expect(fixture.read("a")?.record == joined)
        let digest = mode.records.digest(
            ByteRange(offset: 0, count: joined.count),
            of: joined.span.bytes
        )
        #expect(fixture.read("a", .digest)?.digest == digest)
    }
}
