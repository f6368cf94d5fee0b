import ByteCoding
import Causality
import ClusterPrimitives
import Testing

@Suite struct `Records of each mode` {
    private static let stamp = Version(
        timestamp: HybridTimestamp(rawValue: 0x0102_0304_0506_0708),
        node: NodeID(0x0A0B),
        lane: 0x0C
    )
    private static let owner = ActorID(high: 1, low: 2)

    /// One record of each mode, made by the operations of today.
    private static func made(_ mode: RecordMode) -> [UInt8] {
        switch mode {
        case .lww:
            var writer = ByteWriter()
            writer.recordHeader(version: stamp, isTombstone: true, expiry: nil)
            return writer.bytes
        case .siblings:
            var held = HeldSet()
            held.put("v", by: owner)
            return held.bytes
        case .counter:
            var counter = CounterState()
            counter.take(counter.increment(by: 300, actor: owner, version: stamp))
            counter.take(counter.increment(by: -2, id: [9], actor: owner, version: stamp))
            return counter.held
        case .set:
            var set = ObservedRemoveSet()
            for element in [5, 6, 5] as [UInt8] {
                set.take(set.add([[element]], actor: owner, version: stamp))
            }
            return set.held
        case .map:
            var map = MapState()
            map.change("r", .write([7]), by: owner, at: stamp)
            map.change("c", .increment(2), by: owner, at: stamp)
            map.change("s", .add([[8]]), by: owner, at: stamp)
            map.change("l", .stampRemoved([[9]]), by: owner, at: stamp)
            return map.held
        case .lastWriterSet:
            var writer = ByteWriter()
            LastWriterSet.adding([[9]], version: stamp)?.encode(into: &writer)
            return writer.bytes
        }
    }

    private static let stampBytes: [UInt8] = [8, 7, 6, 5, 4, 3, 2, 1, 0x0B, 0x0A, 0x0C, 0]
    private static let ownerBytes: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    private static let zeroStamp = [UInt8](repeating: 0, count: 12)

    @Test func `a counter has the bytes it always had`() {
        let expected =
            Self.stampBytes + [1] + Self.ownerBytes + [0, 0xAC, 2, 0, 0, 0, 1]
            + [0, 0] + Self.stampBytes.prefix(8) + [1, 9, 3]
        #expect(Self.made(.counter) == expected)
    }

    @Test func `a set has the bytes it always had`() {
        let expected =
            Self.stampBytes + [1] + Self.ownerBytes + [3, 0, 0, 0, 0, 0, 0, 0, 0]
            + [2, 1, 5, 1, 0, 3, 1, 6, 1, 0, 2]
        #expect(Self.made(.set) == expected)
    }

    @Test func `a map has the bytes it always had`() {
        var expected = Self.stampBytes + [1] + Self.ownerBytes + [3, 0, 0, 0, 0, 0, 0, 0, 0]
        expected += [4]
        expected += [2, 1, 99, 1, 0, 2, 2, 0, 0, 0]
        expected += [4, 1, 108, 1, 1, 9] + Self.zeroStamp + Self.stampBytes
        expected += [1, 1, 114, 1, 0, 1] + Self.stampBytes + [1, 7]
        expected += [3, 1, 115, 1, 1, 8, 1, 0, 3]
        #expect(Self.made(.map) == expected)
    }

    @Test func `a last-writer set has the bytes it always had`() {
        #expect(Self.made(.lastWriterSet) == [1, 1, 9] + Self.stampBytes + Self.zeroStamp)
    }

    @Test(arguments: RecordMode.allCases)
    func `say what is asked of them without knowing which they are`(mode: RecordMode) throws {
        let record = Self.made(mode)
        let range = ByteRange(offset: 0, count: record.count)
        let summary = try mode.summary(range, of: record.span.bytes)
        let stamp = mode == .siblings ? Drawn.stamp(1) : Self.stamp
        #expect(summary.newestVersion == stamp)
        let wall = WallClockTime(milliseconds: 5)
        #expect(mode.isAbsent(range, of: record.span.bytes, at: wall) == (mode == .lww))
        #expect(summary.droppableFrom == (mode == .lww ? 0 : nil))
        #expect(mode.digest(range, of: record.span.bytes) != 0)
        #expect(mode.digest(.empty, of: record.span.bytes) == 0)
    }

    @Test(arguments: RecordMode.allCases)
    func `win over bytes that are none, and over nothing`(mode: RecordMode) {
        let record = Self.made(mode)
        for garbage in [[], [1], [255, 255, 255]] as [[UInt8]] {
            #expect(mode.joined(record, garbage) == record)
            #expect(mode.joined(garbage, record) == record)
            #expect(mode.joined(garbage, [9]) == mode.joined([9], garbage))
        }
    }
}
