import ByteCoding
import Causality
import ClusterPrimitives
import Testing

extension ObservedRemoveSet {
    /// The bytes of a state; none for that of a key never written.
    var held: [UInt8] {
        guard self != ObservedRemoveSet() else { return [] }
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    func merged(_ other: ObservedRemoveSet) -> ObservedRemoveSet {
        var result = self
        result.merge(other)
        return result
    }

    @discardableResult
    mutating func take(_ outcome: DeltaOutcome<ObservedRemoveSet>) -> ObservedRemoveSet? {
        guard case .changed(let delta) = outcome else { return nil }
        merge(delta)
        return delta
    }

    var names: [String] { elements.map { String(decoding: $0, as: UTF8.self) } }
}

private func names(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

@Suite struct `Add-wins set` {
    private static let stamp = Drawn.stamp(1)

    private static func adding(
        _ elements: [[UInt8]],
        to set: inout ObservedRemoveSet,
        by owner: ActorID
    ) -> ObservedRemoveSet? {
        set.take(set.add(elements, actor: owner, version: stamp))
    }

    @Test func `keeps an addition that a removal has not seen, and no tombstone`() {
        var (one, two) = (ObservedRemoveSet(), ObservedRemoveSet())
        let first = Self.adding(names("a", "b", "a"), to: &one, by: someone(1))
        if let first { two.merge(first) }
        #expect(two.names == ["a", "b"])
        let again = Self.adding(names("a"), to: &two, by: someone(2))
        let removal = one.take(
            one.remove(names("a", "b"), seen: one.history, version: Self.stamp)
        )
        #expect(one.isAbsent)
        if let again { one.merge(again) }
        if let removal { two.merge(removal) }
        #expect(one.names == ["a"])
        #expect(one == two)
        // Three dots of the two writers, and nothing else, are left of it all.
        #expect(one.history.hasNoHoles)
    }

    @Test func `removes nothing that the context has not seen`() {
        var set = ObservedRemoveSet()
        _ = Self.adding(names("a"), to: &set, by: someone(1))
        let before = set.history
        _ = Self.adding(names("a"), to: &set, by: someone(2))
        #expect(set.remove(names("a"), seen: before, version: Self.stamp) == .unchanged)
        #expect(set.remove(names("x"), seen: set.history, version: Self.stamp) == .unchanged)
    }

    @Test func `that is behind the context says so, instead of missing what to remove`() {
        var (one, two) = (ObservedRemoveSet(), ObservedRemoveSet())
        _ = Self.adding(names("a"), to: &one, by: someone(1))
        _ = Self.adding(names("b"), to: &two, by: someone(2))
        #expect(two.remove(names("a"), seen: one.history, version: Self.stamp) == .behind)
    }

    @Test func `deleted is absent, and an addition under way survives`() throws {
        var (one, two) = (ObservedRemoveSet(), ObservedRemoveSet())
        _ = Self.adding(names("a", "b"), to: &one, by: someone(1))
        two.merge(one)
        let deletion = one.take(one.removeAll(seen: one.history, version: Drawn.stamp(7)))
        let all = ByteRange(offset: 0, count: one.held.count)
        let summary = try RecordMode.set.summary(all, of: one.held.span.bytes)
        #expect(summary.droppableFrom == 0)
        #expect(summary.newestVersion == Drawn.stamp(7))
        _ = Self.adding(names("c"), to: &two, by: someone(2))
        if let deletion { two.merge(deletion) }
        #expect(two.names == ["c"])
    }

    @Test func `outlives a purge when its numbers begin above the old ones`() {
        var set = ObservedRemoveSet()
        _ = Self.adding(names("a", "b"), to: &set, by: someone(1))
        set.take(set.removeAll(seen: set.history, version: Self.stamp))
        var purged = ObservedRemoveSet()
        purged.take(
            purged.add(names("new"), actor: someone(1), version: Self.stamp, floor: 1000)
        )
        #expect(purged.merged(set).names == ["new"])
        #expect(purged.merged(set).history.hasNoHoles)
    }

    @Test func `of 100,000 elements that were added in no order is deleted at once`() throws {
        var random = SeededRandom(seed: 1)
        var counters = Array(1...100_000 as ClosedRange<UInt64>)
        random.shuffle(&counters)
        var history = DotCloud()
        history.insert(upTo: Dot(actor: someone(1), counter: 100_000))
        // A set as it is on disk, for adding one by one takes long.
        var writer = ByteWriter()
        writer.version(Self.stamp)
        history.encode(into: &writer)
        writer.varint(UInt64(counters.count))
        for (index, counter) in counters.enumerated() {
            writer.varint(3)
            writer.raw([16, 8, 0].map { UInt8(truncatingIfNeeded: index >> $0) })
            writer.varint(1)
            writer.varint(0)
            writer.varint(counter)
        }
        var set = try ObservedRemoveSet(decoding: writer.bytes.span.bytes)
        let some = Array(set.elements.prefix(50_000))
        set.take(set.remove(some, seen: set.history, version: Self.stamp))
        #expect(set.count == 50_000)
        set.take(set.removeAll(seen: set.history, version: Self.stamp))
        #expect(set.isAbsent && set.history == history)
    }

    @Test func `refuses elements above 64 KiB`() {
        let long = [UInt8](repeating: 0, count: ReplicatedLimits.elementSize + 1)
        let outcome = ObservedRemoveSet().add([long], actor: someone(1), version: Self.stamp)
        #expect(outcome == .invalid)
    }
}

/// Replicas of a set, and the additions that each has heard of and knows to be gone.
private struct SetRun {
    struct Copy {
        var set = ObservedRemoveSet()
        var known: UInt64 = 0
        var gone: UInt64 = 0

        mutating func merge(_ other: Copy) {
            set.merge(other.set)
            known |= other.known
            gone |= other.gone
        }
    }

    var random: SeededRandom
    var replicas = [Copy](repeating: Copy(), count: 3)
    var client = Copy()
    var messages: [Copy] = []
    /// The element of each addition.
    var additions: [Int] = []
    var lives: UInt64 = 3
    var owners = (1...3).map { someone(UInt64($0)) }

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    func live(_ copy: Copy) -> [String] {
        Set(
            additions.indices.filter { copy.known & ~copy.gone & (1 << UInt64($0)) != 0 }
                .map { "\(additions[$0])" }
        ).sorted()
    }

    mutating func step() -> String? {
        let place = random.below(3)
        let element = random.below(4)
        let name = [Array("\(element)".utf8)]
        let stamp = Drawn.stamp(UInt64(random.below(9)))
        var of: UInt64 = 0
        for index in additions.indices where additions[index] == element {
            of |= 1 << UInt64(index)
        }
        switch random.below(9) {
        case 0, 1, 2:
            guard additions.count < 60 else { break }
            let bit: UInt64 = 1 << UInt64(additions.count)
            additions.append(element)
            let outcome = replicas[place].set.add(name, actor: owners[place], version: stamp)
            guard case .changed(let delta) = outcome else { return "an addition was refused" }
            let replaced = of & replicas[place].known & ~replicas[place].gone
            send(Copy(set: delta, known: bit, gone: replaced), from: place)
        case 3, 4:
            let seen = client.known | client.gone
            let known = replicas[place].known | replicas[place].gone
            let outcome = replicas[place].set.remove(
                name,
                seen: client.set.history,
                version: stamp
            )
            let removed = of & seen & replicas[place].known & ~replicas[place].gone
            switch outcome {
            case .behind: if seen & ~known == 0 { return "the replica is not behind" }
            case .unchanged: if removed != 0 { return "there was something to remove" }
            case .changed(let delta):
                if removed == 0 || seen & ~known != 0 { return "it removed too much" }
                send(Copy(set: delta, known: 0, gone: removed), from: place)
            default: return "\(outcome)"
            }
        case 5: client = replicas[place]
        case 6: messages.append(replicas[place])
        case 7: if !messages.isEmpty { replicas[place].merge(random.pick(messages)) }
        default:
            lives += 1
            owners[place] = someone(lives)
            if random.chance(1, in: 3) { replicas[place] = Copy() }
        }
        let copy = replicas[place]
        return copy.set.names == live(copy) ? nil : "\(copy.set.names), not \(live(copy))"
    }

    private mutating func send(_ delta: Copy, from place: Int) {
        replicas[place].merge(delta)
        messages.append(delta)
    }
}

@Suite struct `Add-wins set and the plain model` {
    @Test func `agree on every element, whatever is lost, repeated, reordered and wiped`() {
        for seed in 0..<UInt64(drawnRuns(300)) {
            var run = SetRun(seed: seed)
            for step in 0..<80 {
                if let failure = run.step() {
                    Issue.record("seed \(seed), step \(step): \(failure)")
                    return
                }
            }
        }
    }

    @Test func `join by the laws, in one encoding that is read byte for byte`() throws {
        for seed in 0..<UInt64(drawnRuns(60)) {
            var run = SetRun(seed: seed &+ 7000)
            for _ in 0..<60 { _ = run.step() }
            let states = run.messages.map(\.set).filter { $0 != ObservedRemoveSet() }
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
                #expect(RecordMode.set.joined(a.held, b.held) == ab.held)
                #expect(try ObservedRemoveSet(decoding: ab.held.span.bytes) == ab)
                var bytes = ab.held
                bytes[run.random.below(bytes.count)] ^= UInt8(1 << run.random.below(8))
                _ = RecordMode.set.joined(a.held, bytes)
                guard let set = try? ObservedRemoveSet(decoding: bytes.span.bytes) else {
                    continue
                }
                #expect(set.held == bytes)
            }
        }
    }
}

@Suite struct `Last-writer set` {
    private static func drawn(_ random: inout SeededRandom) -> LastWriterSet {
        var set = LastWriterSet()
        for _ in 0...random.below(4) {
            let version = Drawn.stamp(UInt64(random.number(in: 1...3)))
            let elements = [[UInt8(random.below(3))]]
            let delta =
                random.chance(1, in: 2)
                ? LastWriterSet.adding(elements, version: version)
                : LastWriterSet.removing(elements, version: version)
            if let delta { set.merge(delta) }
        }
        return set
    }

    @Test func `has what was added after it was last removed`() throws {
        let five = Drawn.stamp(5)
        var set = try #require(LastWriterSet.adding(names("a", "b"), version: five))
        set.merge(try #require(LastWriterSet.removing(names("b"), version: five)))
        #expect(set.elements == names("a"))
        set.merge(try #require(LastWriterSet.adding(names("b"), version: Drawn.stamp(6))))
        #expect(set.contains(Array("b".utf8)))
        #expect(set.count == 2 && set.newestVersion == Drawn.stamp(6))
        set.merge(try #require(LastWriterSet.removing(set.elements, version: Drawn.stamp(7))))
        #expect(set.isAbsent)
    }

    @Test func `joins by the laws, in one encoding that is read byte for byte`() throws {
        var random = SeededRandom(seed: 31)
        for _ in 0..<drawnRuns(1000) {
            let sets = (0..<3).map { _ in Self.drawn(&random) }
            let held = sets.map { set in
                var writer = ByteWriter()
                set.encode(into: &writer)
                return writer.bytes
            }
            func join(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
                RecordMode.lastWriterSet.joined(left, right)
            }
            let ab = join(held[0], held[1])
            #expect(ab == join(held[1], held[0]))
            #expect(join(ab, held[2]) == join(held[0], join(held[1], held[2])))
            #expect(join(ab, held[0]) == ab)
            let first = held[0]
            #expect(try LastWriterSet(decoding: first.span.bytes) == sets[0])
            var bytes = ab
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            _ = join(bytes, ab)
            guard let set = try? LastWriterSet(decoding: bytes.span.bytes) else { continue }
            var writer = ByteWriter()
            set.encode(into: &writer)
            #expect(writer.bytes == bytes)
        }
    }
}
