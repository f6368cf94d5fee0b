import ByteCoding
import Causality
import ClusterPrimitives
import Testing

extension MapState {
    /// The bytes of a state; none for that of a key never written.
    var held: [UInt8] {
        guard self != MapState() else { return [] }
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    func merged(_ other: MapState) -> MapState {
        var result = self
        result.merge(other)
        return result
    }

    @discardableResult
    mutating func take(_ outcome: DeltaOutcome<MapState>) -> MapState? {
        guard case .changed(let delta) = outcome else { return nil }
        merge(delta)
        return delta
    }

    @discardableResult
    mutating func change(
        _ name: String,
        _ update: MapUpdate,
        by owner: ActorID,
        at stamp: Version = Drawn.stamp(1)
    ) -> MapState? {
        take(
            self.update(
                Array(name.utf8),
                update,
                seen: history,
                actor: owner,
                version: stamp
            )
        )
    }

    func text(_ name: String) -> String? {
        register(Array(name.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
}

private func field(_ name: String, _ kind: MapFieldKind) -> MapFieldName {
    MapFieldName(Array(name.utf8), kind)
}

@Suite struct `Map` {
    private static let stamp = Drawn.stamp(1)

    @Test func `joins its fields one by one`() {
        var (one, two) = (MapState(), MapState())
        one.change("name", .write([65]), by: someone(1), at: Drawn.stamp(1))
        two.change("name", .write([66]), by: someone(2), at: Drawn.stamp(2))
        one.change("visits", .increment(3), by: someone(1))
        two.change("visits", .increment(-1), by: someone(2))
        two.change("tags", .add([[1], [2]]), by: someone(2))
        one.change("seen", .stampAdded([[7]]), by: someone(1))
        let both = one.merged(two)
        #expect(both == two.merged(one))
        #expect(both.text("name") == "B")
        #expect(both.counter(Array("visits".utf8)) == 2)
        #expect(both.set(Array("tags".utf8)) == [[1], [2]])
        #expect(both.lastWriterSet(Array("seen".utf8)) == [[7]])
        #expect(both.fields.count == 4 && !both.isAbsent)
    }

    @Test func `an update wins over a removal that missed it, without what the removal saw`() {
        var one = MapState()
        // The part that is removed has the greatest stamp, and yet does not come back.
        one.change("r", .write([1]), by: someone(1), at: Drawn.stamp(99))
        one.change("c", .increment(5), by: someone(1))
        one.change("s", .add([[1]]), by: someone(1))
        var two = one
        let removal = one.take(one.removeAll(seen: one.history, version: Self.stamp))
        #expect(one.isAbsent && one.fields.isEmpty)
        let updates = [
            two.change("c", .increment(2), by: someone(2)),
            two.change("s", .add([[2]]), by: someone(2)),
            two.change("r", .write([2]), by: someone(2), at: Drawn.stamp(3)),
        ]
        for update in updates {
            if let update { one.merge(update) }
        }
        if let removal { two.merge(removal) }
        #expect(one == two)
        #expect(one.counter(Array("c".utf8)) == 2)
        #expect(one.set(Array("s".utf8)) == [[2]])
        #expect(one.register(Array("r".utf8)) == [2])
    }

    @Test func `a counter moved by its own actor while it is removed keeps the new part only`() {
        var one = MapState()
        one.change("c", .increment(5), by: someone(1))
        let two = one
        let removal = two.remove(
            field("c", .counter),
            seen: two.history,
            version: Self.stamp
        )
        one.change("c", .increment(3), by: someone(1))
        one.take(removal)
        #expect(one.counter(Array("c".utf8)) == 3)
        #expect(!one.isDroppable)
    }

    @Test func `a removal that is behind its context says so`() {
        var one = MapState()
        one.change("r", .write([1]), by: someone(1))
        let outcome = MapState().removeAll(seen: one.history, version: Self.stamp)
        #expect(outcome == .behind)
        #expect(one.removeAll(seen: DotCloud(), version: Self.stamp) == .unchanged)
    }

    @Test func `finds each field among those of like names and other kinds, and no other`() {
        let names: [[UInt8]] = [
            [0], [0, 0], [0, 1], [1], [1, 0], [1, 255], [2], [255], [255, 0], [255, 255],
        ]
        for seed in 0..<UInt64(drawnRuns(60)) {
            var random = SeededRandom(seed: seed)
            var map = MapState()
            var values: [MapFieldName: UInt8] = [:]
            for step in 1...UInt8(random.number(in: 1...40)) {
                let key = MapFieldName(random.pick(names), random.pick(MapFieldKind.allCases))
                guard values[key] == nil else { continue }
                values[key] = step
                let update: MapUpdate =
                    switch key.kind {
                    case .register: .write([step])
                    case .counter: .increment(Int64(step))
                    case .set: .add([[step]])
                    case .lastWriterSet: .stampAdded([[step]])
                    }
                let delta = map.update(
                    key.name,
                    update,
                    seen: map.history,
                    actor: someone(1),
                    version: Self.stamp
                )
                map.take(delta)
            }
            #expect(Set(map.fields) == Set(values.keys), "seed \(seed)")
            for name in names {
                func value(_ kind: MapFieldKind) -> UInt8? { values[MapFieldName(name, kind)] }
                #expect(map.register(name)?.first == value(.register), "seed \(seed)")
                #expect(map.counter(name) == value(.counter).map(Int64.init), "seed \(seed)")
                #expect(map.set(name).first?.first == value(.set), "seed \(seed)")
                #expect(
                    map.lastWriterSet(name).first?.first == value(.lastWriterSet),
                    "seed \(seed)"
                )
            }
        }
    }

    @Test func `refuses names and values that are too long`() {
        let map = MapState()
        func outcome(_ name: [UInt8], _ update: MapUpdate) -> DeltaOutcome<MapState> {
            map.update(name, update, seen: DotCloud(), actor: someone(1), version: Self.stamp)
        }
        #expect(outcome([], .increment(1)) == .invalid)
        #expect(outcome([UInt8](repeating: 1, count: 1025), .increment(1)) == .invalid)
        let long = [UInt8](repeating: 1, count: ReplicatedLimits.valueSize + 1)
        #expect(outcome([1], .write(long)) == .invalid)
        #expect(outcome([1], .add([long])) == .invalid)
        #expect(outcome([1], .increment(0)) == .unchanged)
    }
}

/// Replicas of a map, and the events that each has heard of and knows to be gone.
private struct MapRun {
    struct Event {
        var field: MapFieldName
        var owner: ActorID
        var amount: Int64
        var stamp: Version
    }

    struct Copy {
        var map = MapState()
        var known: UInt64 = 0
        var gone: UInt64 = 0

        mutating func merge(_ other: Copy) {
            map.merge(other.map)
            known |= other.known
            gone |= other.gone
        }
    }

    static let fields = [
        field("a", .register), field("a", .counter), field("a", .set), field("b", .counter),
        field("b", .register),
    ]

    var random: SeededRandom
    var replicas = [Copy](repeating: Copy(), count: 3)
    var client = Copy()
    var messages: [Copy] = []
    var events: [Event] = []
    var owners = (1...3).map { someone(UInt64($0)) }
    var lives: UInt64 = 3
    /// Whether last-writer sets are changed too, of which the model knows nothing.
    let hasStamps: Bool

    init(seed: UInt64, hasStamps: Bool = false) {
        random = SeededRandom(seed: seed)
        self.hasStamps = hasStamps
    }

    func indices(_ mask: UInt64, _ field: MapFieldName) -> [Int] {
        events.indices.filter { mask & (1 << UInt64($0)) != 0 && events[$0].field == field }
    }

    mutating func step() -> String? {
        let place = random.below(3)
        switch random.below(10) {
        case 0, 1, 2, 3: update(at: place)
        case 4, 5: remove(at: place)
        case 6: client = replicas[place]
        case 7: messages.append(replicas[place])
        case 8: if !messages.isEmpty { replicas[place].merge(random.pick(messages)) }
        default:
            if random.chance(1, in: 3) {
                lives += 1
                owners[place] = someone(lives)
            } else if hasStamps {
                let update: MapUpdate =
                    random.chance(1, in: 2) ? .stampAdded([[1]]) : .stampRemoved([[1], [2]])
                let stamp = Drawn.stamp(UInt64(random.number(in: 1...50)))
                let delta = replicas[place].map.change("l", update, by: owners[place], at: stamp)
                if let delta { messages.append(Copy(map: delta)) }
            }
        }
        return check(replicas[place])
    }

    private mutating func update(at place: Int) {
        guard events.count < 60 else { return }
        let field = random.pick(Self.fields)
        let bit: UInt64 = 1 << UInt64(events.count)
        let event = Event(
            field: field,
            owner: owners[place],
            amount: Int64(random.number(in: -3...5)),
            stamp: Drawn.stamp(UInt64(random.number(in: 1...50)), node: UInt16(events.count))
        )
        if field.kind == .counter && event.amount == 0 { return }
        let copy = replicas[place]
        var known = bit
        var gone: UInt64 = 0
        let update: MapUpdate
        switch field.kind {
        case .register:
            update = .write(Array("\(events.count)".utf8))
            for index in indices(copy.known & ~copy.gone, field) { gone |= 1 << UInt64(index) }
        case .counter:
            update = .increment(event.amount)
            // A cell holds all that its actor ever did, and what of it is gone.
            for index in indices(copy.known, field) where events[index].owner == event.owner {
                known |= 1 << UInt64(index)
                gone |= copy.gone & (1 << UInt64(index))
            }
        default:
            update = .add([Array("\(events.count)".utf8)])
        }
        let outcome = copy.map.update(
            field.name,
            update,
            seen: copy.map.history,
            actor: event.owner,
            version: event.stamp
        )
        events.append(event)
        if case .changed(let delta) = outcome {
            send(Copy(map: delta, known: known, gone: gone), from: place)
        }
    }

    private mutating func remove(at place: Int) {
        let field = random.pick(Self.fields)
        let copy = replicas[place]
        let seen = client.known | client.gone
        guard
            case .changed(let delta) = copy.map.remove(
                field,
                seen: client.map.history,
                version: Drawn.stamp(1)
            )
        else { return }
        var known: UInt64 = 0
        var gone: UInt64 = 0
        let isCounter = field.kind == .counter
        let held = indices(isCounter ? copy.known : copy.known & ~copy.gone, field)
        for index in held {
            // Of a counter, what an actor did is removed if its latest increment was seen.
            let last =
                isCounter
                ? held.last { events[$0].owner == events[index].owner } ?? index : index
            if seen & (1 << UInt64(last)) != 0 {
                gone |= 1 << UInt64(index)
                if isCounter { known |= 1 << UInt64(index) }
            }
        }
        send(Copy(map: delta, known: known, gone: gone), from: place)
    }

    private mutating func send(_ delta: Copy, from place: Int) {
        replicas[place].merge(delta)
        messages.append(delta)
    }

    private func check(_ copy: Copy) -> String? {
        for field in Self.fields {
            let live = indices(copy.known & ~copy.gone, field)
            let isSame =
                switch field.kind {
                case .register:
                    copy.map.register(field.name)
                        == live.max { events[$0].stamp < events[$1].stamp }
                        .map { Array("\($0)".utf8) }
                case .counter:
                    (copy.map.counter(field.name) ?? 0)
                        == live.reduce(0) { $0 + events[$1].amount }
                default:
                    copy.map.set(field.name).map { String(decoding: $0, as: UTF8.self) }
                        == live.map(String.init).sorted()
                }
            if !isSame { return "\(field) is not that of \(live)" }
        }
        return nil
    }
}

@Suite struct `Map and the plain model` {
    @Test func `agree on every field, whatever is lost, repeated and reordered`() {
        for seed in 0..<UInt64(drawnRuns(200)) {
            var run = MapRun(seed: seed)
            for step in 0..<70 {
                if let failure = run.step() {
                    Issue.record("seed \(seed), step \(step): \(failure)")
                    return
                }
            }
        }
    }

    @Test func `join by the laws, in one encoding that is read byte for byte`() throws {
        for seed in 0..<UInt64(drawnRuns(60)) {
            var run = MapRun(seed: seed &+ 3000, hasStamps: true)
            for _ in 0..<60 { _ = run.step() }
            let states = run.messages.map(\.map).filter { $0 != MapState() }
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
                #expect(RecordMode.map.joined(a.held, b.held) == ab.held)
                #expect(try MapState(decoding: ab.held.span.bytes) == ab)
                var bytes = ab.held
                bytes[run.random.below(bytes.count)] ^= UInt8(1 << run.random.below(8))
                _ = RecordMode.map.joined(a.held, bytes)
                guard let map = try? MapState(decoding: bytes.span.bytes) else { continue }
                _ = (map.fields, map.isAbsent, map.register([97]), map.counter([97]))
                #expect(map.held == bytes)
            }
        }
    }
}
