import ByteCoding
import Causality
import ClusterPrimitives
import Testing

/// Three replicas, clients that retry at any of them, messages that come late, twice or never,
/// restarts and folding, against the plain sum of the operations.
private struct CounterRun {
    struct Operation {
        var id: String
        var amount: Int64
        var isCounted = false
    }

    /// A state, and the operations of which it knows that they are folded and so forgotten.
    struct Copy {
        var state = CounterState()
        var forgotten: Set<Int> = []

        mutating func merge(_ other: Copy) {
            state.merge(other.state)
            forgotten.formUnion(other.forgotten)
        }
    }

    var random: SeededRandom
    var now: UInt64 = 1
    var replicas = [Copy](repeating: Copy(), count: 3)
    /// The lives of each node, the present one last.
    var lives = (0..<3).map { [someone(UInt64($0 + 1))] }
    var nextLife: UInt64 = 4
    var operations: [Operation] = []
    var plain: Int64 = 0
    var messages: [Copy] = []
    var folds = 0
    /// Whether amounts are positive, so that no replica may ever show more than the sum.
    let isGrowing: Bool
    let resets: Bool

    init(seed: UInt64, resets: Bool = false) {
        random = SeededRandom(seed: seed)
        isGrowing = random.chance(2, in: 3)
        self.resets = resets
    }

    var expected: Int64 {
        operations.reduce(plain) { $0 + ($1.isCounted ? $1.amount : 0) }
    }

    mutating func step() {
        now += UInt64(random.below(3))
        let place = random.below(3)
        switch random.below(resets ? 13 : 12) {
        case 0: begin()
        case 1, 2, 3: attempt(at: place)
        case 4:
            let amount = drawAmount()
            plain += amount
            let outcome = replicas[place].state.increment(
                by: amount,
                actor: owner(place),
                version: Drawn.stamp(now)
            )
            send(replicas[place].state.take(outcome), from: place)
        case 5, 6, 7: if !messages.isEmpty { replicas[place].merge(random.pick(messages)) }
        case 8: send(replicas[place].state, from: place)
        case 9, 10: fold(at: place)
        case 11:
            nextLife += 1
            lives[place].append(someone(nextLife))
        default:
            if let delta = replicas[place].state.reset(version: Drawn.stamp(now)) {
                replicas[place].state.merge(delta)
                send(delta, from: place)
            }
        }
    }

    private func owner(_ place: Int) -> ActorID { lives[place][lives[place].count - 1] }

    private mutating func drawAmount() -> Int64 {
        let amount = Int64(random.number(in: 1...9))
        return isGrowing || random.chance(1, in: 2) ? amount : -amount
    }

    private mutating func send(_ state: CounterState?, from place: Int) {
        guard let state, state != CounterState() else { return }
        messages.append(Copy(state: state, forgotten: replicas[place].forgotten))
    }

    private mutating func begin() {
        operations.append(Operation(id: "\(operations.count)", amount: drawAmount()))
    }

    /// A first attempt, or a retry however late at any replica that does not know of a fold.
    private mutating func attempt(at place: Int) {
        let open = operations.indices.filter { !replicas[place].forgotten.contains($0) }
        guard !open.isEmpty else { return }
        let index = random.pick(Array(open))
        let operation = operations[index]
        let outcome = replicas[place].state.counting(
            operation.id,
            operation.amount,
            by: owner(place),
            at: now
        )
        guard outcome != .invalid else { return }
        send(replicas[place].state.take(outcome), from: place)
        operations[index].isCounted = true
    }

    private mutating func fold(at place: Int) {
        // The others' states are read one after the other, and may be old when they arrive.
        if random.chance(1, in: 3) {
            for other in 0..<3 { replicas[other].merge(replicas[random.below(3)]) }
        }
        var copy = replicas[place]
        for replica in replicas { copy.state.merge(replica.state) }
        let before = operations.indices.filter { isHeld($0, copy.state) }
        let delta = replicas[place].state.fold(
            actor: random.pick(lives[place]),
            replicas: replicas.map(\.state),
            olderThan: Drawn.stamp(now + 1 - min(now, UInt64(random.below(12)))).timestamp,
            version: Drawn.stamp(now)
        )
        guard let delta else { return }
        folds += 1
        copy.state.merge(delta)
        replicas[place].forgotten.formUnion(before.filter { !isHeld($0, copy.state) })
        // What the others knew to be folded came with their states.
        for replica in replicas { replicas[place].forgotten.formUnion(replica.forgotten) }
        replicas[place].state.merge(delta)
        send(delta, from: place)
    }

    private func isHeld(_ index: Int, _ state: CounterState) -> Bool {
        let operation = operations[index]
        return state.counting(operation.id, operation.amount, by: someone(0)) == .unchanged
    }
}

@Suite struct `Counters and the plain sum` {
    @Test func `agree, whatever is retried elsewhere, repeated, reordered, lost and folded`() {
        var folds = 0
        for seed in 0..<UInt64(drawnRuns(300)) {
            var run = CounterRun(seed: seed)
            for step in 0..<80 {
                run.step()
                let most = run.replicas.map(\.state.value).max() ?? 0
                if run.isGrowing, most > run.expected {
                    Issue.record("seed \(seed), step \(step): \(most), not \(run.expected)")
                    return
                }
            }
            var all = CounterState()
            for replica in run.replicas { all.merge(replica.state) }
            #expect(all.value == run.expected, "seed \(seed)")
            // All old messages come once more, in another order, to each.
            var messages = run.messages
            run.random.shuffle(&messages)
            for place in 0..<3 {
                for message in messages { run.replicas[place].merge(message) }
                #expect(run.replicas[place].state.merged(all) == all, "seed \(seed)")
            }
            folds += run.folds
        }
        #expect(folds > 300)
    }

    @Test(arguments: [false, true])
    func `join by the laws`(resets: Bool) throws {
        for seed in 0..<UInt64(drawnRuns(100)) {
            var run = CounterRun(seed: seed &+ 5000, resets: resets)
            for _ in 0..<80 { run.step() }
            let states = (run.messages + run.replicas).map(\.state).filter { $0 != CounterState() }
            guard !states.isEmpty else { continue }
            for _ in 0..<20 {
                let (a, b, c) = (
                    run.random.pick(states), run.random.pick(states), run.random.pick(states)
                )
                let ab = a.merged(b)
                #expect(ab == b.merged(a), "seed \(seed)")
                #expect(ab.merged(c) == a.merged(b.merged(c)), "seed \(seed)")
                #expect(a.merged(a) == a)
                #expect(ab.merged(a) == ab && ab.merged(b) == ab)
                #expect(RecordMode.counter.joined(a.held, b.held) == ab.held)
                #expect(try CounterState(decoding: ab.held.span.bytes) == ab)
            }
        }
    }

    @Test func `read what is accepted byte for byte, and trap on nothing`() {
        for seed in 0..<UInt64(drawnRuns(60)) {
            var run = CounterRun(seed: seed &+ 9000, resets: true)
            for _ in 0..<60 { run.step() }
            guard let last = run.messages.last?.state else { continue }
            for _ in 0..<60 {
                var bytes = last.held
                for _ in 0...run.random.below(2) {
                    bytes[run.random.below(bytes.count)] = UInt8(
                        truncatingIfNeeded: run.random.next() >> UInt64(run.random.below(8))
                    )
                }
                if run.random.chance(1, in: 6) { bytes.removeLast() }
                _ = RecordMode.counter.joined(last.held, bytes)
                guard let state = try? CounterState(decoding: bytes.span.bytes) else { continue }
                _ = (state.value, state.isAbsent)
                #expect(state.held == bytes)
            }
        }
    }
}
