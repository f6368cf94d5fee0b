import ByteCoding
import Causality
import ClusterPrimitives
import Foundation

/// How many drawn runs a test makes: a small slice by default, more by `STARLING_CAUSALITY_RUNS`.
func drawnRuns(_ standard: Int) -> Int {
    ProcessInfo.processInfo.environment["STARLING_CAUSALITY_RUNS"].flatMap(Int.init) ?? standard
}

extension Drawn {
    static func actorID(_ random: inout SeededRandom, of count: Int = 3) -> ActorID {
        ActorID(high: UInt64(random.below(2)), low: UInt64(random.below(count)))
    }

    static func stamp(_ milliseconds: UInt64, node: UInt16 = 0) -> Version {
        Version(
            timestamp: HybridTimestamp(wall: WallClockTime(milliseconds: milliseconds)),
            node: NodeID(node),
            lane: 0
        )
    }

    /// Any well-formed set, also one that no run of the system makes.
    static func siblingSet(_ random: inout SeededRandom) -> [UInt8] {
        var ids: [ActorID] = []
        for _ in 0...random.below(3) {
            let id = actorID(&random)
            if !ids.contains(id) { ids.append(id) }
        }
        ids.sort()
        var header = ByteWriter()
        var values = ByteWriter()
        header.uint16(UInt16(ids.count))
        for id in ids {
            let counter = random.number(in: 1...4)
            let count = random.below(counter + 1)
            header.actorID(id)
            header.uint64(UInt64(counter))
            header.uint16(UInt16(count))
            for _ in 0..<count {
                let record = Drawn.record(&random)
                let expires = record[12] & 2 != 0
                let size = expires ? 21 : 13
                values.raw(Array(record.prefix(size)))
                values.prefixed(Array(record.dropFirst(size)))
            }
        }
        header.raw(values.bytes)
        return header.bytes
    }
}

/// A set of siblings with its bytes, as the tests use it.
struct HeldSet: Equatable {
    var bytes: [UInt8] = []

    var decoded: SiblingSet? { try? SiblingSet(decoding: bytes.span.bytes) }

    var context: VersionVector { decoded?.context(in: bytes.span.bytes) ?? VersionVector() }

    func seen(by context: VersionVector?, at wall: WallClockTime) -> SeenSiblings {
        SiblingSet.seen(by: context, of: decoded, in: bytes.span.bytes, at: wall)
    }

    var siblings: [Sibling] {
        guard let set = decoded else { return [] }
        var cursor = SiblingSet.Cursor(set)
        var found: [Sibling] = []
        while let sibling = cursor.next(in: bytes.span.bytes) { found.append(sibling) }
        return found
    }

    /// The values that a reader sees, sorted.
    func values(at milliseconds: UInt64 = 0) -> [String] {
        siblings.filter { !$0.isAbsent(at: WallClockTime(milliseconds: milliseconds)) }
            .map { String(decoding: bytes[$0.value.offset..<$0.value.end], as: UTF8.self) }
            .sorted()
    }

    mutating func merge(_ other: HeldSet) {
        bytes = RecordMode.siblings.joined(bytes, other.bytes)
    }

    func merged(_ other: HeldSet) -> HeldSet {
        var result = self
        result.merge(other)
        return result
    }

    /// Puts a value, nil for a deletion.
    @discardableResult
    mutating func put(
        _ value: String?,
        seen: SeenSiblings = .nothing,
        by id: ActorID,
        at milliseconds: UInt64 = 1,
        expiry: UInt64? = nil,
        floor: UInt64 = 0
    ) -> SiblingPutOutcome {
        let source = Array((value ?? "").utf8)
        var writer = ByteWriter()
        let outcome = SiblingSet.put(
            SiblingWrite(
                version: Drawn.stamp(milliseconds),
                isTombstone: value == nil,
                expiry: expiry.map(WallClockTime.init(milliseconds:)),
                value: ByteRange(offset: 0, count: source.count)
            ),
            of: source.span.bytes,
            over: decoded,
            of: bytes.span.bytes,
            seen: seen,
            by: id,
            floor: floor,
            into: &writer
        )
        if case .written = outcome { bytes = writer.bytes }
        return outcome
    }
}

/// Actors with names that sort as they are numbered.
func someone(_ number: UInt64) -> ActorID { ActorID(high: 7, low: number) }
