import ByteCoding
import Causality
import ClusterPrimitives
import Testing

/// Drawn versions, records and bytes; small ranges, so that ties are common.
enum Drawn {
    static func version(_ random: inout SeededRandom) -> Version {
        Version(
            timestamp: HybridTimestamp(rawValue: UInt64(random.below(3))),
            node: NodeID(UInt16(random.below(2))),
            lane: UInt8(random.below(2))
        )
    }

    static func record(_ random: inout SeededRandom) -> [UInt8] {
        var writer = ByteWriter()
        let isTombstone = random.chance(1, in: 3)
        writer.recordHeader(
            version: version(&random),
            isTombstone: isTombstone,
            expiry: !isTombstone && random.chance(1, in: 2)
                ? WallClockTime(milliseconds: UInt64(random.number(in: 1...3))) : nil
        )
        if !isTombstone { writer.raw(random.bytes(random.below(3))) }
        return writer.bytes
    }
}

@Suite struct `Stored record` {
    private static func decode(_ bytes: [UInt8]) throws(CodingError) -> StoredRecord {
        try StoredRecord(
            decoding: ByteRange(offset: 0, count: bytes.count),
            of: bytes.span.bytes
        )
    }

    private static func encode(_ record: StoredRecord, _ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.recordHeader(
            version: record.version,
            isTombstone: record.isTombstone,
            expiry: record.expiry
        )
        writer.raw(record.value, of: bytes.span.bytes)
        return writer.bytes
    }

    @Test func `has the bytes it always had`() throws {
        var writer = ByteWriter()
        writer.recordHeader(
            version: Version(
                timestamp: HybridTimestamp(rawValue: 0x0102_0304_0506_0708),
                node: NodeID(0x0A0B),
                lane: 0x0C
            ),
            isTombstone: false,
            expiry: WallClockTime(milliseconds: 0x1112_1314_1516)
        )
        writer.raw([0xAA])
        let golden: [UInt8] = [
            8, 7, 6, 5, 4, 3, 2, 1, 0x0B, 0x0A, 0x0C, 0, 2,
            0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0, 0, 0xAA,
        ]
        #expect(writer.bytes == golden)
        #expect(try Self.decode(golden).value == ByteRange(offset: 21, count: 1))
    }

    @Test func `that is accepted comes back byte for byte, whatever was changed`() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<5000 {
            var bytes = Drawn.record(&random)
            if random.chance(1, in: 2) { bytes[random.below(bytes.count)] ^= 1 << 1 }
            if random.chance(1, in: 2) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let record = try? Self.decode(bytes) else { continue }
            #expect(Self.encode(record, bytes) == bytes)
        }
    }

    @Test func `cut before its value is refused`() {
        var writer = ByteWriter()
        writer.recordHeader(
            version: .zero,
            isTombstone: false,
            expiry: WallClockTime(milliseconds: 1)
        )
        for count in 0..<writer.bytes.count {
            let short = Array(writer.bytes.prefix(count))
            #expect(throws: CodingError.self) { try Self.decode(short) }
        }
    }

    @Test func `refuses flags, expiries and values that no writer writes`() {
        let version = [UInt8](repeating: 0, count: 12)
        let refused: [[UInt8]] = [
            version + [4],
            version + [1, 9],
            version + [3, 1, 0, 0, 0, 0, 0, 0, 0],
            version + [2, 0, 0, 0, 0, 0, 0, 0, 0],
            version + [2, 0, 0, 0, 0, 0, 0, 1, 0],
            Array(version.dropLast()) + [1, 0],
        ]
        for bytes in refused { #expect(throws: CodingError.self) { try Self.decode(bytes) } }
    }

    @Test func `is absent when deleted or expired, and from the millisecond it expires`() {
        let wall = WallClockTime(milliseconds: 100)
        func record(_ isTombstone: Bool, _ expiry: UInt64?) -> StoredRecord {
            StoredRecord(
                version: .zero,
                isTombstone: isTombstone,
                expiry: expiry.map(WallClockTime.init(milliseconds:))
            )
        }
        #expect(record(true, nil).isAbsent(at: wall))
        #expect(record(false, 100).isAbsent(at: wall))
        #expect(!record(false, 101).isAbsent(at: wall))
        #expect(!record(false, nil).isAbsent(at: wall))
    }

    @Test func `has a digest that is never that of absence`() {
        let bytes: [UInt8] = []
        #expect(StoredRecord.digest(.empty, of: bytes.span.bytes) != 0)
    }
}

@Suite struct `Versions` {
    @Test func `is totally ordered by time, node and lane`() {
        var random = SeededRandom(seed: 6)
        for _ in 0..<3000 {
            let (a, b, c) = (
                Drawn.version(&random), Drawn.version(&random), Drawn.version(&random)
            )
            #expect([a < b, b < a, a == b].count { $0 } == 1)
            if a < b, b < c { #expect(a < c) }
            let left = (a.timestamp, a.node, a.lane)
            #expect((a < b) == (left < (b.timestamp, b.node, b.lane)))
            #expect(Version.zero <= a)
        }
    }
}

@Suite struct `Last writer wins` {
    private static func merge(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        LastWriterWins.incomingWins(left, right) ? right : left
    }

    @Test func `is commutative, associative and idempotent`() {
        let seed: UInt64 = 7
        var random = SeededRandom(seed: seed)
        for _ in 0..<5000 {
            let (a, b, c) = (
                Drawn.record(&random), Drawn.record(&random), Drawn.record(&random)
            )
            #expect(Self.merge(a, b) == Self.merge(b, a), "seed \(seed): \(a) \(b)")
            #expect(Self.merge(Self.merge(a, b), c) == Self.merge(a, Self.merge(b, c)))
            #expect(Self.merge(a, a) == a)
        }
    }

    @Test func `stays so over bytes that are no records, which lose against records`() {
        var random = SeededRandom(seed: 8)
        for _ in 0..<2000 {
            let garbage = random.bytes(random.below(4))
            let other = random.bytes(random.below(4))
            let record = Drawn.record(&random)
            #expect(Self.merge(record, garbage) == record)
            #expect(Self.merge(garbage, record) == record)
            #expect(Self.merge(garbage, other) == Self.merge(other, garbage))
        }
    }

    @Test func `prefers a deletion to a value of the same version`() {
        func record(_ isTombstone: Bool) -> [UInt8] {
            var writer = ByteWriter()
            writer.recordHeader(version: .zero, isTombstone: isTombstone, expiry: nil)
            if !isTombstone { writer.raw([255]) }
            return writer.bytes
        }
        #expect(Self.merge(record(true), record(false)) == record(true))
        #expect(Self.merge(record(false), record(true)) == record(true))
    }
}
