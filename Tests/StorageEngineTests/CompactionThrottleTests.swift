import ClusterPrimitives
import StorageEngine
import Testing

@Suite struct `Compaction throttle` {
    private let settings = CompactionThrottle.Settings()

    @Test func `a quiet foreground leaves compaction without a limit`() {
        var throttle = CompactionThrottle()
        for latency in [nil, Duration.milliseconds(1), .milliseconds(2)] {
            let rate = throttle.allowedRate(
                backlog: 0,
                latency: latency,
                quietLatency: .milliseconds(1)
            )
            #expect(rate == nil)
        }
    }

    @Test func `a disturbed foreground halves the rate down to the floor`() {
        var throttle = CompactionThrottle()
        var last = settings.ceiling
        for _ in 0..<20 {
            let rate = disturbed(&throttle, backlog: 0) ?? settings.ceiling
            #expect(rate == max(last / 2, settings.floor))
            last = rate
        }
        #expect(last == settings.floor)
    }

    @Test func `the rate recovers step by step until there is no limit`() {
        var throttle = CompactionThrottle()
        for _ in 0..<20 { _ = disturbed(&throttle, backlog: 0) }
        var last = settings.floor
        var calls = 0
        while let rate = throttle.allowedRate(backlog: 0, latency: nil, quietLatency: nil) {
            #expect(rate > last)
            last = rate
            calls += 1
            if calls > 100 { break }
        }
        #expect((60...64).contains(calls))
    }

    @Test func `a growing backlog asks for more and in the end for everything`() {
        var throttle = CompactionThrottle()
        for _ in 0..<20 { _ = disturbed(&throttle, backlog: 0) }
        var last = 0
        let step = settings.maximumBacklog / 64
        for backlog in stride(from: 0, to: settings.maximumBacklog, by: step) {
            let rate = disturbed(&throttle, backlog: backlog) ?? settings.ceiling
            #expect(rate >= last)
            if backlog <= settings.ordinaryBacklog { #expect(rate == settings.floor) }
            last = rate
        }
        #expect(last > settings.ceiling / 2)
        #expect(disturbed(&throttle, backlog: settings.maximumBacklog) == nil)
        #expect(disturbed(&throttle, backlog: .max) == nil)
    }

    @Test func `the disk's free budget is not passed, but for the floor and the backlog`() {
        var throttle = CompactionThrottle()
        func rate(_ budget: Int, backlog: Int = 0) -> Int? {
            throttle.allowedRate(
                backlog: backlog,
                latency: nil,
                quietLatency: nil,
                writeBudget: budget
            )
        }
        #expect(rate(100 << 20) == 100 << 20)
        #expect(rate(0) == settings.floor)
        #expect(rate(-1) == settings.floor)
        #expect(rate(.max) == nil)
        #expect(rate(0, backlog: settings.maximumBacklog) == nil)
    }

    @Test(arguments: UInt64(1)...20)
    func `whatever comes in, the floor is kept and a full backlog is not held up`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var throttle = CompactionThrottle()
        for _ in 0..<500 {
            let backlog = random.below(4) == 0 ? settings.maximumBacklog : random.below(9 << 30)
            let rate = throttle.allowedRate(
                backlog: backlog,
                latency: random.below(5) == 0 ? nil : .microseconds(random.below(100_000)),
                quietLatency: random.below(5) == 0 ? nil : .microseconds(random.below(10_000)),
                writeBudget: random.below(2) == 0 ? nil : random.below(1 << 31)
            )
            #expect((rate ?? .max) >= settings.floor, "seed \(seed)")
            if backlog >= settings.maximumBacklog { #expect(rate == nil, "seed \(seed)") }
        }
    }

    private func disturbed(_ throttle: inout CompactionThrottle, backlog: Int) -> Int? {
        throttle.allowedRate(
            backlog: backlog,
            latency: .milliseconds(5),
            quietLatency: .milliseconds(1)
        )
    }
}

@Suite struct `Write pressure` {
    @Test func `writes are not delayed up to seven eighths of the budget`() {
        for used in [-1, 0, 1, 50, 75, 87] {
            #expect(WritePressure.delay(memoryInUse: used, budget: 100) == .zero)
        }
    }

    @Test func `the delay grows without a jump to ten milliseconds at the limit`() {
        var last = Duration.zero
        for used in 750...1_000 {
            let delay = WritePressure.delay(memoryInUse: used, budget: 1_000)
            #expect(delay >= last)
            #expect(delay - last < .microseconds(200))
            last = delay
        }
        #expect(last == .milliseconds(10))
        #expect(WritePressure.delay(memoryInUse: .max, budget: 1_000) == .milliseconds(10))
    }

    @Test func `without a budget every write waits the longest`() {
        #expect(WritePressure.delay(memoryInUse: 0, budget: 0) == .milliseconds(10))
    }
}
