import ByteCoding
import Causality
import ClusterPrimitives
import Testing

extension CounterState {
    /// The bytes of a state; none for that of a key never written.
    var held: [UInt8] {
        guard self != CounterState() else { return [] }
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    func merged(_ other: CounterState) -> CounterState {
        var result = self
        result.merge(other)
        return result
    }

    /// Joins what an outcome changes, and returns the delta.
    @discardableResult
    mutating func take(_ outcome: CounterOutcome) -> CounterState? {
        guard case .changed(let delta) = outcome else { return nil }
        merge(delta)
        return delta
    }

    /// Counts one for an id.
    func counting(
        _ id: String,
        _ amount: Int64 = 1,
        by owner: ActorID,
        at milliseconds: UInt64 = 1
    ) -> CounterOutcome {
        increment(
            by: amount,
            id: Array(id.utf8),
            actor: owner,
            version: Drawn.stamp(milliseconds)
        )
    }
}

@Suite struct `Counters` {
    private static let late = Drawn.stamp(1000)

    @Test func `add up what several nodes count at once`() {
        var (one, two) = (CounterState(), CounterState())
        one.take(one.increment(by: 5, actor: someone(1), version: Drawn.stamp(1)))
        two.take(two.increment(by: -7, actor: someone(2), version: Drawn.stamp(1)))
        one.take(one.increment(by: 4, actor: someone(1), version: Drawn.stamp(2)))
        #expect(one.merged(two).value == 2)
        #expect(two.merged(one) == one.merged(two))
        #expect(one.merged(two).merged(two) == one.merged(two))
        #expect(one.increment(by: 0, actor: someone(1), version: Drawn.stamp(3)) == .unchanged)
    }

    @Test func `that only grow refuse to fall`() {
        let counter = CounterState()
        let outcome = counter.increment(by: -1, .growOnly, actor: someone(1), version: Self.late)
        #expect(outcome == .invalid)
    }

    @Test func `count an operation once, whichever node is asked again`() {
        var (one, two) = (CounterState(), CounterState())
        one.take(one.counting("x", by: someone(1)))
        #expect(one.counting("x", by: someone(1)) == .unchanged)
        #expect(one.counting("x", 2, by: someone(1)) == .invalid)
        two.take(two.counting("x", by: someone(2)))
        two.take(two.counting("y", by: someone(2)))
        #expect(one.merged(two).value == 2)
        #expect(one.merged(two) == two.merged(one))
        #expect(one.counting("", by: someone(1)) == .invalid)
        #expect(one.counting(String(repeating: "x", count: 65), by: someone(1)) == .invalid)
    }

    @Test func `that fold an operation neither count an old duplicate again nor lose a new one`() {
        var (one, two, three) = (CounterState(), CounterState(), CounterState())
        let first = one.take(one.counting("x", by: someone(1)))
        let second = two.take(two.counting("x", by: someone(2)))
        guard let first, let second else {
            Issue.record("an increment was refused")
            return
        }
        // Only the two have met; the third has the first entry and not its duplicate.
        two.merge(first)
        three.merge(first)
        let fold = one.fold(
            actor: someone(1),
            replicas: [one, two, three],
            olderThan: Self.late.timestamp,
            version: Self.late
        )
        guard let fold else {
            Issue.record("nothing was folded")
            return
        }
        three.merge(fold)
        #expect(three.value == 1 && three.unfoldedCount == 1)
        // The duplicate's old message comes after all that.
        three.merge(second)
        #expect(three.value == 1)
        two.merge(fold)
        #expect(two.value == 1)
        one.merge(fold)
        #expect(one.merged(first).merged(second).value == 1)
    }

    @Test func `fold nothing that a replica lacks, that is young, or that comes after such`() {
        var (one, two) = (CounterState(), CounterState())
        let first = one.take(one.counting("x", by: someone(1), at: 10))
        one.take(one.counting("y", by: someone(1), at: 20))
        func fold(_ replicas: [CounterState], _ milliseconds: UInt64) -> Int? {
            one.fold(
                actor: someone(1),
                replicas: replicas,
                olderThan: Drawn.stamp(milliseconds).timestamp,
                version: Self.late
            ).map { one.merged($0).unfoldedCount }
        }
        #expect(fold([one, two], 100) == nil)
        if let first { two.merge(first) }
        #expect(fold([one, two], 100) == 1)
        #expect(fold([one, one], 15) == 1)
        #expect(fold([one, one], 100) == 0)
        #expect(fold([one, one], 5) == nil)
    }

    @Test func `refuse ids while 4,096 wait, and nothing else`() {
        var counter = CounterState()
        for number in 0..<4 { counter.take(counter.counting("\(number)", by: someone(1))) }
        let refused = counter.increment(
            by: 1,
            id: [9],
            actor: someone(1),
            version: Self.late,
            limit: 4
        )
        #expect(refused == .tooManyEntries)
        counter.take(counter.increment(by: 1, actor: someone(1), version: Self.late))
        #expect(counter.value == 5)
        #expect(CounterState.maximumEntries == 4096)
    }

    @Test func `that are deleted keep what the deletion did not see`() {
        var (one, two) = (CounterState(), CounterState())
        one.take(one.increment(by: 5, actor: someone(1), version: Drawn.stamp(1)))
        let entry = one.take(one.counting("x", by: someone(1)))
        two.merge(one)
        let deletions = [one.reset(version: Self.late), two.reset(version: Self.late)]
        two.take(two.increment(by: 3, actor: someone(2), version: Drawn.stamp(2)))
        for deletion in deletions {
            if let deletion {
                one.merge(deletion)
                two.merge(deletion)
            }
        }
        #expect(one.isAbsent && one.value == 0)
        #expect(two.value == 3 && !two.isAbsent)
        if let entry { two.merge(entry) }
        #expect(two.value == 3)
        #expect(one.counting("x", by: someone(1)) == .unchanged, "its id is remembered")
        #expect(one.reset(version: Self.late) == nil)
    }

    @Test func `do not overflow`() {
        var counter = CounterState()
        for _ in 0..<2 {
            counter.take(counter.increment(by: .max, actor: someone(1), version: Self.late))
        }
        #expect(counter.value == .max)
        let outcome = counter.increment(by: .max, actor: someone(1), version: Self.late)
        #expect(outcome == .overflow)
        counter.take(counter.increment(by: .min, actor: someone(2), version: Self.late))
        counter.take(counter.increment(by: .min, actor: someone(3), version: Self.late))
        counter.take(counter.increment(by: .min, actor: someone(4), version: Self.late))
        #expect(counter.value < 0)
    }
}
