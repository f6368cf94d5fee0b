import ClusterPrimitives
import Testing

@testable import NodeCore

@Suite struct `Request table` {
    @Test func `gives a slot again under another id, and the old one finds nothing`() {
        var table = RequestTable<String>(lane: 3, kind: 1)
        let first = table.insert("a", holding: [1])
        table.remove(first)
        let second = table.insert("b", holding: [2])
        #expect(first.slot == second.slot)
        #expect(first != second)
        #expect(second.lane == 3)
        #expect(table[first] == nil)
        #expect(table.held(first) == [])
        table[first] = "late"
        table.hold([9], for: first)
        table.remove(first)
        #expect(table[second] == "b")
        #expect(table.held(second) == [2])
        #expect(table.count == 1)
    }

    @Test func `counts each removal once`() {
        var table = RequestTable<Int>(lane: 0, kind: 0)
        let id = table.insert(1, holding: [])
        table.remove(id)
        table.remove(id)
        table[id] = 2
        #expect(table.count == 0)
        #expect(table[id] == nil)
        let ids = [table.insert(2, holding: []), table.insert(3, holding: [])]
        #expect(Set(ids).count == 2)
        #expect(table.openIDs.map { table[$0] } == [2, 3])
    }

    @Test func `does not know the ids of other tables and lanes`() {
        var writes = RequestTable<Int>(lane: 0, kind: 0)
        var reads = RequestTable<Int>(lane: 0, kind: 1)
        var elsewhere = RequestTable<Int>(lane: 1, kind: 0)
        let write = writes.insert(1, holding: [])
        let read = reads.insert(2, holding: [])
        let other = elsewhere.insert(3, holding: [])
        #expect(writes[read] == nil)
        #expect(reads[write] == nil)
        #expect(writes[other] == nil)
        for raw in [0, 1, UInt64.max, 1 << 63, 0xFFFFFF] {
            #expect(writes[RequestID(rawValue: raw)] == nil)
        }
    }
}

@Suite struct `Request annex` {
    @Test func `holds of a slot what its latest owner has, whatever earlier ones do`() {
        var table = RequestTable<Int>(lane: 3, kind: 1)
        var annex = RequestAnnex<[String]>()
        let first = table.insert(1, holding: [])
        annex[first] = ["a"]
        annex[first]?.append("b")
        #expect(annex[first] == ["a", "b"])
        table.remove(first)
        let second = table.insert(2, holding: [])
        #expect(first.slot == second.slot)
        #expect(annex[second] == nil)
        annex[second] = ["c"]
        annex[first]?.append("late")
        #expect(annex[first].take() == nil)
        annex[first] = nil
        annex.remove(first)
        #expect(annex[second] == ["c"])
        #expect(annex[first] == nil)
        #expect(annex[second].take() == ["c"])
        #expect(annex[second] == nil)
    }

    @Test func `knows nothing of slots it has not reached`() {
        var annex = RequestAnnex<Int>()
        for raw in [0, 7, UInt64.max] {
            let id = RequestID(rawValue: raw)
            #expect(annex[id] == nil)
            annex[id]? += 1
            annex.remove(id)
            #expect(annex[id] == nil)
        }
    }
}

@Suite struct `Deadline wheel` {
    private static func instant(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(milliseconds) * 1_000_000)
    }

    private static func id(_ number: Int) -> RequestID {
        RequestID(lane: 0, generation: 1, slot: number)
    }

    @Test func `is never early, and late by two ticks at most`() {
        for seed in 0..<20 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var wheel = DeadlineWheel()
            var now = 1_000_000 + random.below(10_000)
            var due: [Int: Int] = [:]
            for number in 0..<500 {
                let deadline = now + random.pick([0, 1, 8, 50, 2000, 4096, 4200, 60_000])
                due[number] = deadline
                wheel.insert(
                    Self.id(number),
                    .deadline,
                    due: Self.instant(deadline),
                    now: Self.instant(now)
                )
                now += random.below(20)
                for entry in wheel.due(by: Self.instant(now)) {
                    let expected = due.removeValue(forKey: entry.id.slot)
                    #expect(expected.map { $0 <= now && now - $0 <= 36 } == true, "seed \(seed)")
                }
            }
            let last = due.values.max() ?? now
            while now < last + 8 {
                now += 8
                for entry in wheel.due(by: Self.instant(now)) {
                    let expected = due.removeValue(forKey: entry.id.slot)
                    #expect(expected.map { $0 <= now && now - $0 <= 36 } == true, "seed \(seed)")
                }
            }
            #expect(due.isEmpty, "seed \(seed)")
        }
    }

    @Test func `gives entries in the order of their ticks, also after a pause of many laps`() {
        for pause in [100, 5000, 100_000] {
            var random = SeededRandom(seed: 3)
            var wheel = DeadlineWheel()
            for number in 0..<300 {
                let deadline = Self.instant(1000 + random.below(pause))
                wheel.insert(Self.id(number), .patience, due: deadline, now: Self.instant(1000))
            }
            let ticks = wheel.due(by: Self.instant(1016 + pause)).map(\.tick)
            #expect(ticks.count == 300)
            #expect(ticks == ticks.sorted(), "after \(pause) ms")
        }
    }

    @Test func `keeps what is due more than a lap ahead`() {
        var wheel = DeadlineWheel()
        let now = Self.instant(1000)
        // One lap is 512 ticks of 8 ms.
        wheel.insert(Self.id(1), .deadline, due: Self.instant(1000 + 4096 * 3), now: now)
        #expect(wheel.due(by: Self.instant(1000 + 4096)).isEmpty)
        #expect(wheel.due(by: Self.instant(1000 + 4096 * 3 - 1)).isEmpty)
        #expect(wheel.due(by: Self.instant(1000 + 4096 * 3 + 16)).count == 1)
        #expect(wheel.due(by: Self.instant(1_000_000)).isEmpty)
    }

    @Test func `does not lose what is due already, nor go back with the clock`() {
        var wheel = DeadlineWheel()
        wheel.insert(Self.id(1), .deadline, due: Self.instant(0), now: Self.instant(5000))
        #expect(wheel.due(by: Self.instant(4000)).isEmpty)
        #expect(wheel.due(by: Self.instant(5016)).count == 1)
        wheel.insert(
            Self.id(2),
            .deadline,
            due: MonotonicInstant(nanoseconds: .max),
            now: Self.instant(5016)
        )
        #expect(wheel.due(by: Self.instant(1_000_000_000)).isEmpty)
    }

    @Test func `forgets entries of requests that are gone once they are many`() {
        var wheel = DeadlineWheel()
        for number in 0..<1000 {
            wheel.insert(
                Self.id(number),
                .deadline,
                due: Self.instant(61_000),
                now: Self.instant(1000)
            )
        }
        #expect(wheel.count == 1000)
        wheel.keep { $0.slot % 100 == 0 }
        #expect(wheel.count == 10)
        #expect(wheel.due(by: Self.instant(61_016)).count == 10)
        #expect(wheel.count == 0)
    }
}
