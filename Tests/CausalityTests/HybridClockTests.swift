import Causality
import ClusterPrimitives
import Testing

@Suite struct `Hybrid clock` {
    private static func wall(_ milliseconds: UInt64) -> WallClockTime {
        WallClockTime(milliseconds: milliseconds)
    }

    @Test func `only goes forward, whatever the wall clock and the others do`() {
        for seed in 0..<200 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var clock = HybridClock(bound: .zero)
            var last = HybridTimestamp.zero
            var persisted = HybridTimestamp.zero
            var wall: UInt64 = 1_700_000_000_000
            for _ in 0..<300 {
                switch random.below(6) {
                case 0: wall = random.next() >> UInt64(16 + random.below(20))
                case 1: wall &+= UInt64(random.below(2000))
                case 2: wall -= min(wall, UInt64(random.below(2000)))
                default: break
                }
                let now = Self.wall(wall)
                if random.chance(1, in: 3), let bound = clock.boundToPersist(at: now) {
                    clock.boundPersisted(bound)
                    persisted = max(persisted, bound)
                }
                if random.chance(1, in: 3) {
                    let foreign = HybridTimestamp(
                        wall: Self.wall(now.milliseconds &+ UInt64(random.below(2000))),
                        counter: UInt16(truncatingIfNeeded: random.next())
                    )
                    let limit = HybridTimestamp(wall: now).advanced(byMilliseconds: 500)
                    let before = clock.latest
                    let isBelieved = clock.merge(foreign, at: now)
                    #expect(isBelieved == (foreign <= limit || foreign <= before), "seed \(seed)")
                    #expect(clock.latest == (isBelieved ? max(before, foreign) : before))
                    last = max(last, isBelieved ? foreign : last)
                }
                if random.chance(1, in: 8) {
                    // A restart: all but the bound is forgotten.
                    clock = HybridClock(bound: persisted)
                    last = min(last, persisted)
                }
                let seen = HybridTimestamp(
                    wall: Self.wall(clock.latest.wall.milliseconds &+ UInt64(random.below(700)))
                )
                let above = clock.believes(seen, at: now) ? seen : .zero
                if let reading = clock.now(at: now, above: above) {
                    #expect(reading > last, "seed \(seed)")
                    #expect(reading > above, "seed \(seed)")
                    #expect(reading <= persisted, "seed \(seed)")
                    last = reading
                }
            }
        }
    }

    @Test func `cannot be read before a bound is on disk`() {
        var clock = HybridClock(bound: .zero)
        let wall = Self.wall(1000)
        let early = clock.now(at: wall)
        #expect(early == nil)
        clock.boundPersisted(HybridTimestamp(wall: Self.wall(1001)))
        let reading = clock.now(at: wall)
        #expect(reading == HybridTimestamp(wall: wall))
        let beyond = clock.now(at: Self.wall(1002))
        #expect(beyond == nil)
    }

    @Test func `asks for a bound a second ahead, before half of it is used`() throws {
        var clock = HybridClock(bound: .zero)
        let first = try #require(clock.boundToPersist(at: Self.wall(10_000)))
        #expect(first == HybridTimestamp(wall: Self.wall(11_000)))
        clock.boundPersisted(first)
        #expect(clock.boundToPersist(at: Self.wall(10_500)) == nil)
        let second = try #require(clock.boundToPersist(at: Self.wall(10_501)))
        #expect(second == HybridTimestamp(wall: Self.wall(11_501)))
        clock.boundPersisted(second)
        clock.boundPersisted(first)
        #expect(clock.bound == second)
    }

    @Test func `counts within a millisecond and carries into the next`() {
        var clock = HybridClock(bound: HybridTimestamp(wall: Self.wall(1000), counter: 0xFFFE))
        clock.boundPersisted(HybridTimestamp(wall: Self.wall(2000)))
        let last = clock.now(at: Self.wall(5))
        let first = clock.now(at: Self.wall(5))
        #expect(last?.description == "1970-01-01T00:00:01.000Z/65535")
        #expect(first?.description == "1970-01-01T00:00:01.001Z/0")
    }

    @Test func `takes a stamp 500 ms ahead and not one more`() {
        var clock = HybridClock(bound: .zero)
        let edge = HybridTimestamp(wall: Self.wall(1500))
        #expect(!HybridClock.isBeyondOffset(edge, at: Self.wall(1000)))
        #expect(HybridClock.isBeyondOffset(edge.next, at: Self.wall(1000)))
        let isBeyondBelieved = clock.merge(edge.next, at: Self.wall(1000))
        #expect(!isBeyondBelieved)
        #expect(clock.latest == .zero)
        let isEdgeBelieved = clock.merge(edge, at: Self.wall(1000))
        #expect(isEdgeBelieved)
        #expect(clock.latest == edge)
        let isOldBelieved = clock.merge(.zero, at: Self.wall(1000))
        #expect(isOldBelieved)
        #expect(clock.latest == edge)
    }

    @Test func `knows that nobody would believe it where it was far ahead in an earlier life`() {
        let bound = HybridTimestamp(wall: WallClockTime(milliseconds: 10_000))
        var clock = HybridClock(bound: bound)
        func lead(_ wall: UInt64) -> UInt64 { clock.lead(at: WallClockTime(milliseconds: wall)) }
        #expect(lead(1000) == 9000)
        #expect(lead(9500) == 500)
        #expect(lead(9501) == 0)
        #expect(lead(20_000) == 0)
        // Where all clocks were set back together, the others' timestamps say so.
        let seen = HybridTimestamp(wall: WallClockTime(milliseconds: 9600))
        clock.merge(seen, at: WallClockTime(milliseconds: 9400))
        #expect(lead(1000) == 0)
    }

    @Test func `at the end of time gives no stamp twice`() {
        var clock = HybridClock(bound: HybridTimestamp(rawValue: .max - 1))
        clock.boundPersisted(HybridTimestamp(rawValue: .max))
        let last = clock.now(at: Self.wall(0))
        let again = clock.now(at: Self.wall(0))
        #expect(last == HybridTimestamp(rawValue: .max))
        #expect(again == nil)
    }

    @Test func `timestamps saturate instead of wrapping`() {
        let last = HybridTimestamp(rawValue: .max)
        #expect(last.next == last)
        #expect(last.advanced(byMilliseconds: 1) == last)
        #expect(HybridTimestamp.zero.advanced(byMilliseconds: .max) == last)
        #expect(Self.wall(.max).milliseconds == (1 << 48) - 1)
        #expect(HybridTimestamp(wall: Self.wall(.max)).wall == Self.wall(.max))
    }
}

@Suite struct `Wall clock time` {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_795_341_731_120, "2026-11-22T10:02:11.120Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
        ] as [(UInt64, String)]
    )
    func `is written as ISO 8601`(_ milliseconds: UInt64, _ text: String) {
        #expect(WallClockTime(milliseconds: milliseconds).description == text)
    }
}
