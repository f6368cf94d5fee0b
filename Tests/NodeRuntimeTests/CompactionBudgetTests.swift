import NodeRuntime
import StorageEngine
import Testing

@Suite struct `How far compactions give way` {
    private static let slow = ForegroundLatency.Comparison(
        latency: .milliseconds(9),
        quiet: .milliseconds(1)
    )

    private static func settings() -> CompactionThrottle.Settings {
        var settings = CompactionThrottle.Settings()
        settings.floor = 1 << 20
        settings.ceiling = 1 << 24
        settings.ordinaryBacklog = 1 << 24
        settings.maximumBacklog = 1 << 26
        return settings
    }

    @Test func `nothing waits while the foreground is well`() {
        let now = ContinuousClock.now
        var budget = CompactionBudget()
        budget.update(backlog: 0, foreground: nil)
        #expect(budget.rate == nil)
        let goesOnAt = budget.charge(1 << 30, at: now)
        #expect(goesOnAt == now)
    }

    @Test func `a foreground that suffers slows compactions down to the floor`() {
        let now = ContinuousClock.now
        var budget = CompactionBudget(settings: Self.settings())
        for _ in 0..<20 { budget.update(backlog: 0, foreground: Self.slow) }
        #expect(budget.rate == 1 << 20)
        let first = budget.charge(1 << 20, at: now)
        #expect(first == now + .seconds(1))
        // A second compaction pays behind the first.
        let second = budget.charge(1 << 19, at: now)
        #expect(second == now + .milliseconds(1500))
        // What was not used is not saved up.
        let later = now + .seconds(60)
        let third = budget.charge(1 << 20, at: later)
        #expect(third == later + .seconds(1))
    }

    @Test func `a large backlog outweighs the foreground`() {
        var budget = CompactionBudget(settings: Self.settings())
        for _ in 0..<20 { budget.update(backlog: 1 << 26, foreground: Self.slow) }
        #expect(budget.rate == nil)
    }

    @Test func `the rate is chosen ten times a second`() {
        let now = ContinuousClock.now
        var budget = CompactionBudget()
        let updates = [0, 99, 100, 101, 250].filter {
            budget.isUpdateDue(at: now + .milliseconds($0))
        }
        #expect(updates == [0, 100, 250])
    }
}

@Suite struct `The foreground's latency` {
    @Test func `cannot be compared before anything is known of quiet times`() {
        let latency = ForegroundLatency()
        #expect(latency.compare() == nil)
        latency.record(.read, .milliseconds(1))
        #expect(latency.compare() == nil)
    }

    @Test func `is compared with quiet times, by the wait that suffers most`() {
        let latency = ForegroundLatency()
        for _ in 0..<10 {
            latency.record(.sync, .milliseconds(4))
            latency.record(.read, .milliseconds(1))
        }
        latency.settle()
        latency.record(.sync, .milliseconds(8))
        latency.record(.read, .milliseconds(2))
        latency.record(.read, .milliseconds(4))
        let expected = ForegroundLatency.Comparison(
            latency: .milliseconds(3),
            quiet: .milliseconds(1)
        )
        #expect(latency.compare() == expected)
        // Each measurement counts once.
        #expect(latency.compare() == nil)
    }

    @Test func `quiet times follow a change of load slowly`() {
        let latency = ForegroundLatency()
        latency.record(.sync, .milliseconds(1))
        latency.settle()
        latency.record(.sync, .milliseconds(33))
        latency.settle()
        latency.record(.sync, .milliseconds(33))
        #expect(latency.compare()?.quiet == .milliseconds(2))
    }
}
