import FileSystems
import Testing

@testable import StorageEngine

@Suite struct `The log` {
    @Test func `a closed log is gone on with, not written anew`() throws {
        var fixture = LogFixture(segmentSize: 1024)
        let disk = try LogFixture.disk()
        var log = try fixture.create(disk)
        var stamp: UInt64 = 0
        var highest: UInt64 = 0
        for _ in 0..<5 {
            for _ in 0..<7 {
                stamp += 1
                let position = try log.append(numbered(stamp, records: 2))
                #expect(position.sequence > highest)
                highest = position.sequence + 1
                try log.sync(through: position)
                log.applied(position)
            }
            try log.mark()
            try log.close()
            let before = try disk.content("/db/log/000001.log")
            let (reopened, contents) = try fixture.reopen(disk)
            #expect(contents.isClean)
            #expect(try contents.stamps() == Array(1...stamp))
            #expect(reopened.segments.lowerBound == 1)
            #expect(try disk.content("/db/log/000001.log") == before)
            log = reopened
        }
    }

    @Test func `an idle mark, and no mark after a mark`() throws {
        let fixture = LogFixture()
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        #expect(try !log.mark())
        try log.put(numbered(1))
        #expect(try !fixture.read(disk).isClean)
        #expect(try log.mark())
        #expect(try !log.mark())
        #expect(try fixture.read(disk).isClean)
        _ = try log.append(numbered(2))
        try log.write(syncing: false)
        #expect(try !fixture.read(disk).isClean)
    }

    @Test func `numbers do not repeat when records were lost before they were written`() throws {
        var fixture = LogFixture()
        let disk = try LogFixture.disk()
        var log = try fixture.create(disk)
        var highest: UInt64 = 0
        for round in 1...4 as ClosedRange<UInt64> {
            let lost = try log.append(numbered(round, records: 3))
            #expect(lost.sequence > highest)
            highest = lost.sequence + 2
            log = try fixture.reopen(disk).log
        }
    }

    @Test func `waiters whose batch is durable make no call to the disk`() throws {
        let fixture = LogFixture()
        let faults = FaultyFileSystem(try LogFixture.disk())
        let log = try fixture.create(faults)
        let first = try log.append(numbered(1))
        let second = try log.append(numbered(2))
        try log.sync(through: second)
        faults.add(FaultRule(.sync, .inputOutputError))
        faults.add(FaultRule(.append, .inputOutputError))
        try log.sync(through: first)
        try log.write(through: first)
        try log.write(syncing: true)
        #expect(log.statistics.syncs == 1)
        #expect(log.statistics.writes == 1)
    }

    @Test func `after a failed sync no write is taken, for good`() throws {
        let fixture = LogFixture()
        let faults = FaultyFileSystem(try LogFixture.disk())
        let log = try fixture.create(faults)
        try log.put(numbered(1))
        let synced = try log.append(numbered(2))
        faults.add(FaultRule(.sync, times: 1, .inputOutputError))
        #expect(kind { _ = try log.sync(through: synced) } != nil)
        for _ in 0..<2 {
            #expect(kind { try log.sync(through: synced) } == "poisoned")
            #expect(kind { _ = try log.append(numbered(3)) } == "poisoned")
        }
        #expect(!log.needsSpare)
        #expect(try !log.mark())
    }

    @Test func `a failed write other than for want of room poisons, and so does a full sync`()
        throws
    {
        for rule in [
            FaultRule(.append, times: 1, .inputOutputError), FaultRule(.sync, times: 1, .noSpace),
        ] {
            let fixture = LogFixture()
            let faults = FaultyFileSystem(try LogFixture.disk())
            let log = try fixture.create(faults)
            faults.add(rule)
            #expect(kind { try log.put(numbered(1)) } != nil)
            guard case .poisoned = log.refusal else {
                Issue.record("\(rule)")
                return
            }
        }
    }

    @Test func `a full disk loses what was not written, and the log goes on when there is room`()
        throws
    {
        for room in [0, 10, 60, 150, 400] {
            var fixture = LogFixture(segmentSize: 1024)
            let faults = FaultyFileSystem(try LogFixture.disk())
            let log = try fixture.create(faults)
            try log.put(numbered(1))
            faults.add(FaultRule(.append, times: 2, .shortWrite(bytes: room)))
            let lost = try log.append(numbered(2))
            let alsoLost = try log.append(numbered(3))
            #expect(log.oldestOutstanding == 1)
            for position in [lost, alsoLost, lost] {
                #expect(kind { try log.sync(through: position) } == "diskFull")
                log.abandon(position)
            }
            #expect(log.refusal == nil)
            #expect(kind { try log.put(numbered(4)) } != nil)
            for stamp in 5...30 as ClosedRange<UInt64> { try log.put(numbered(stamp)) }
            // Their positions were given again, their numbers were not.
            #expect(kind { _ = try log.sync(through: lost) } != nil)
            #expect(try log.mark())
            try log.close()
            let (_, contents) = try fixture.reopen(faults)
            #expect(contents.isClean)
            #expect(try contents.stamps() == [1] + Array(5...30))
        }
    }

    @Test func `a batch that was taken back never comes back behind a later one`() throws {
        let fixture = LogFixture()
        let memory = try LogFixture.disk()
        let faults = FaultyFileSystem(memory)
        let log = try fixture.create(faults)
        try log.put(numbered(1))
        // All bytes reach the disk, and the call fails all the same.
        faults.add(FaultRule(.append, times: 1, .shortWrite(bytes: .max)))
        _ = try log.append(numbered(2))
        #expect(kind { try log.put(numbered(3)) } == "diskFull")
        #expect(try fixture.read(memory).stamps() == [1, 2, 3])
        try log.put(numbered(4))
        #expect(try fixture.read(memory).stamps() == [1, 4])
        try log.mark()
        #expect(try fixture.read(memory).stamps() == [1, 4])
        #expect(try fixture.read(memory).isClean)
    }

    @Test func `what was written and not synced outlives a full disk`() throws {
        let fixture = LogFixture()
        let faults = FaultyFileSystem(try LogFixture.disk())
        let log = try fixture.create(faults)
        let written = try log.append(numbered(1))
        try log.write(through: written)
        faults.add(FaultRule(.append, times: 1, .noSpace))
        let lost = try log.append(numbered(2))
        #expect(kind { _ = try log.sync(through: lost) } != nil)
        try log.sync(through: written)
        #expect(try fixture.read(faults).stamps() == [1])
    }

    @Test func `a full disk while a segment is begun leaves the one before whole`() throws {
        for (operation, spares) in [
            (FileSystemError.Operation.openForAppending, 0), (.append, 0), (.rename, 1),
            (.append, 1),
        ] {
            var fixture = LogFixture(segmentSize: 1024, spares: spares)
            let faults = FaultyFileSystem(try LogFixture.disk())
            let log = try fixture.create(faults)
            for _ in 0..<spares { try log.prepareSpare() }
            try log.put(numbered(1))
            let big = numbered(2, valueSize: 900)
            faults.add(FaultRule(operation, times: 1, .shortWrite(bytes: 40)))
            #expect(kind { try log.put(big) } != nil)
            #expect(log.end.segment == 1)
            try log.put(numbered(3))
            try log.put(numbered(4, valueSize: 900))
            #expect(log.end.segment == 2)
            #expect(try fixture.reopen(faults).contents.stamps() == [1, 3, 4])
        }
    }

    @Test func `segments are kept as spares and written over`() throws {
        var fixture = LogFixture(segmentSize: 8192, spares: 2)
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        for stamp in 1...10 as ClosedRange<UInt64> { try log.put(numbered(stamp)) }
        #expect(log.needsSpare)
        try log.prepareSpare()
        #expect(log.end.segment == 2, "it goes on in the spare at once")
        try log.prepareSpare()
        try log.prepareSpare()
        #expect(!log.needsSpare)
        #expect(try disk.list("/db/log").filter { $0.hasSuffix(".spare") }.count == 2)
        for stamp in 11...600 as ClosedRange<UInt64> {
            try log.put(numbered(stamp))
            fixture.first = log.end.segment
            try log.trim(before: fixture.first)
        }
        #expect(log.statistics.recycled > 5)
        #expect(try disk.list("/db/log").count == 3)
        let contents = try fixture.read(disk)
        #expect(contents.damage.isEmpty)
        #expect(try contents.stamps().last == 600)
    }

    @Test func `a log that is hardly synced wants no spares and keeps none`() throws {
        let fixture = LogFixture(segmentSize: 4096, spares: 2)
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        for stamp in 1...200 as ClosedRange<UInt64> {
            let position = try log.append(numbered(stamp))
            try log.write(through: position)
            log.applied(position)
            #expect(!log.needsSpare)
        }
        try log.write(syncing: true)
        #expect(log.end.segment > 2)
        try log.trim(before: log.end.segment)
        #expect(try disk.list("/db/log").count == 1)
        #expect(log.statistics.recycled == 0)
    }

    @Test func `a batch that is neither applied nor given up keeps its segment`() throws {
        let fixture = LogFixture(segmentSize: 512)
        let log = try fixture.create(try LogFixture.disk())
        let first = try log.append(numbered(1))
        for stamp in 2...20 as ClosedRange<UInt64> { try log.put(numbered(stamp)) }
        #expect(log.oldestOutstanding == 1)
        log.abandon(first)
        #expect(log.oldestOutstanding == log.end.segment)
    }

    @Test func `keys that a record cannot hold are refused`() throws {
        let log = try LogFixture().create(try LogFixture.disk())
        var batch = WriteBatch()
        batch.put(tree: 1, prefix: 0, key: [UInt8](repeating: 0, count: 65_528), value: [])
        #expect(kind { _ = try log.append(batch) } != nil)
    }

    @Test func `many threads append and sync, and each that returns is on the disk`() async throws {
        let fixture = LogFixture(segmentSize: 8192, spares: 1)
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 as Range<UInt64> {
                group.addTask {
                    for index in 0..<150 {
                        let position = try log.append(
                            numbered(writer * 1000 + UInt64(index), records: 2)
                        )
                        let durable = try log.sync(through: position)
                        #expect(durable >= position.end)
                        log.applied(position)
                    }
                }
            }
            group.addTask {
                for _ in 0..<30 { try log.prepareSpare() }
            }
            try await group.waitForAll()
        }
        #expect(log.oldestOutstanding == log.end.segment)
        let stamps = try fixture.read(disk).stamps()
        #expect(stamps.count == 600)
        for writer in 0..<4 as Range<UInt64> {
            let own = stamps.filter { $0 / 1000 == writer }
            #expect(own == (0..<150).map { writer * 1000 + $0 })
        }
    }
}

@Suite struct `The log under a full disk and several threads` {
    @Test func `each batch is acknowledged and there, or refused`() async throws {
        var fixture = LogFixture(segmentSize: 4096, spares: 1)
        let faults = FaultyFileSystem(try LogFixture.disk())
        let log = try fixture.create(faults)
        let acknowledged = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for writer in 0..<4 as Range<UInt64> {
                group.addTask {
                    var own: [UInt64] = []
                    for index in 0..<150 as Range<UInt64> {
                        if writer == 0, index % 10 == 5 {
                            let effect = FaultRule.Effect.shortWrite(bytes: Int(index) * 3)
                            faults.add(FaultRule(.append, times: 1, effect))
                        }
                        let stamp = writer * 1000 + index
                        do {
                            try log.put(numbered(stamp, records: 2))
                            own.append(stamp)
                        } catch let error as StorageError {
                            guard case .diskFull = error else { throw error }
                        }
                    }
                    return own
                }
            }
            return try await group.reduce(into: [UInt64]()) { $0 += $1 }
        }
        #expect(log.statistics.takenBack > 0)
        #expect(log.oldestOutstanding == log.end.segment)
        try log.mark()
        try log.close()
        let (_, contents) = try fixture.reopen(faults)
        #expect(contents.isClean && contents.damage.isEmpty)
        #expect(try contents.stamps().sorted() == acknowledged.sorted())
    }
}

/// How a call fails: the name of the error's case; nil if it goes well.
private func kind(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as StorageError {
        return String("\(Mirror(reflecting: error).children.first?.label ?? "")")
    } catch {
        return "\(error)"
    }
}
