import FileSystems
import Testing

@testable import StorageEngine

@Suite struct `The log and damage` {
    private let path = "/db/log/000001.log"

    /// A closed log of one segment with the stamps 1 to 6.
    private func closedLog(_ fixture: LogFixture) throws -> InMemoryFileSystem {
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        for stamp in 1...6 as ClosedRange<UInt64> { try log.put(numbered(stamp, records: 2)) }
        try log.mark()
        try log.close()
        return disk
    }

    @Test func `no byte below the mark can be turned unseen, and sound batches are kept`() throws {
        let fixture = LogFixture()
        let base = try closedLog(fixture)
        let whole = try fixture.read(base)
        #expect(whole.isClean)
        let batches = whole.segments[0].batches
        let end = Int(whole.end.offset)
        for byte in 0..<end {
            let disk = try base.clone()
            try disk.flipBit(byte * 8 + byte % 8, in: path)
            let contents = try fixture.read(disk)
            let found = try contents.stamps()
            let hit = batches.firstIndex {
                byte >= $0.position.offset && byte < $0.end.offset
            }
            let isPadding = hit.map { byte >= batches[$0].payload.end } ?? false
            if isPadding {
                #expect(contents.damage.isEmpty && found == Array(1...6), "byte \(byte)")
                continue
            }
            #expect(!contents.isClean, "byte \(byte)")
            let damage = try #require(contents.damage.first, "byte \(byte)")
            #expect(contents.damage.count == 1 && damage.file == path, "byte \(byte)")
            guard let hit else {
                // The header of the segment: its batches tell where they belong.
                #expect(damage.offset == 0 && damage.length == 40, "byte \(byte)")
                #expect(found == Array(1...6), "byte \(byte)")
                continue
            }
            #expect(damage.offset == Int(batches[hit].position.offset), "byte \(byte)")
            #expect(
                damage.length == Int(batches[hit].end.offset - batches[hit].position.offset),
                "byte \(byte)"
            )
            let stamp = UInt64(hit + 1)
            #expect(found == (1...6).filter { $0 != stamp }, "byte \(byte)")
            let isPayload = byte >= batches[hit].payload.offset
            let prefixes: ClosedRange<UInt64>? = isPayload ? stamp...stamp : nil
            #expect(damage.prefixes == prefixes, "byte \(byte)")
        }
    }

    @Test func `damage above the mark cuts the tail, whole batches behind it too`() throws {
        let fixture = LogFixture()
        let base = try LogFixture.disk()
        let log = try fixture.create(base)
        for stamp in 1...3 as ClosedRange<UInt64> { try log.put(numbered(stamp)) }
        try log.mark()
        let end = Int(log.end.offset)
        for stamp in 4...6 as ClosedRange<UInt64> { _ = try log.append(numbered(stamp)) }
        try log.write(syncing: false)
        let batches = try fixture.read(base).segments[0].batches
        #expect(batches.count == 6)
        let size = try base.size(of: path)
        for byte in end..<size {
            let disk = try base.clone()
            try disk.flipBit(byte * 8 + byte % 8, in: path)
            let contents = try fixture.read(disk)
            let hit = try #require(batches.firstIndex { byte < $0.end.offset })
            let isPadding = byte >= batches[hit].payload.end
            let kept = (1...6).prefix(isPadding ? 6 : hit)
            #expect(contents.damage.isEmpty, "byte \(byte)")
            #expect(try contents.stamps() == kept.map(UInt64.init), "byte \(byte)")
        }
    }

    @Test func `a log cut at any byte below the mark is reported, above it shorter`() throws {
        let fixture = LogFixture()
        let base = try closedLog(fixture)
        let size = try base.size(of: path)
        for length in 0..<size {
            let disk = try base.clone()
            try disk.truncate(path, to: length)
            let contents = try fixture.read(disk)
            // Without the header of the mark nothing says that the log was synced so far.
            let stamps = try contents.stamps()
            #expect(stamps == (1...6).prefix(stamps.count).map(UInt64.init), "length \(length)")
            #expect(!contents.isClean || stamps.count == 6 || length < size, "length \(length)")
        }
    }

    @Test func `a missing segment is reported, and what lies behind it kept`() throws {
        let fixture = LogFixture(segmentSize: 512)
        let disk = try LogFixture.disk()
        let log = try fixture.create(disk)
        for stamp in 1...20 as ClosedRange<UInt64> { try log.put(numbered(stamp)) }
        try log.mark()
        let whole = try fixture.read(disk)
        let lost = try #require(whole.segments.dropFirst().first)
        #expect(whole.segments.count > 3)
        try disk.remove(FileNames.segment(lost.number, in: "/db"))
        let contents = try fixture.read(disk)
        #expect(contents.damage.count == 1)
        #expect(contents.damage.first?.file == FileNames.segment(lost.number, in: "/db"))
        #expect(contents.damage.first?.length == nil)
        #expect(try contents.stamps().count == 20 - lost.batches.count)
    }

    @Test func `another engine's or segment's bytes are not taken for the log's`() throws {
        let fixture = LogFixture()
        let disk = try closedLog(fixture)
        var other = fixture
        other.options.identity = 1
        #expect(try other.read(disk).stamps().isEmpty)
        #expect(try other.read(disk).damage.count == 1)
        try disk.rename(path, to: "/db/log/000002.log")
        #expect(try fixture.read(disk, from: 2).stamps().isEmpty)
        #expect(try fixture.read(disk, from: 2).damage.count == 1)
    }

    @Test func `writes that go astray, or with a bit turned, are seen`() throws {
        let effects: [FaultRule.Effect] = [
            .misdirectedWrite(by: 128), .misdirectedWrite(by: -64), .flipBitOnWrite(700),
        ]
        for effect in effects {
            let fixture = LogFixture()
            let faults = FaultyFileSystem(try LogFixture.disk())
            let log = try fixture.create(faults)
            for stamp in 1...5 as ClosedRange<UInt64> {
                if stamp == 3 { faults.add(FaultRule(.append, times: 1, effect)) }
                try log.put(numbered(stamp))
            }
            try log.mark()
            faults.removeRules()
            let contents = try fixture.read(faults)
            #expect(!contents.damage.isEmpty, "\(effect)")
            #expect(try !contents.stamps().contains(3), "\(effect)")
        }
    }
}

extension InMemoryFileSystem {
    /// A disk with the same log, all synced.
    fileprivate func clone() throws -> InMemoryFileSystem {
        let copy = try LogFixture.disk()
        for name in try list("/db/log") {
            let file = try copy.openForAppending("/db/log/\(name)", .createNew)
            let bytes = try content("/db/log/\(name)")
            try file.append(bytes.span.bytes)
            try file.sync()
        }
        try copy.syncDirectory("/db/log")
        return copy
    }
}
