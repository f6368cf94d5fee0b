import ByteCoding
import Causality
import ClusterPrimitives
import Testing

@Suite struct `Incarnations` {
    @Test func `a lower start, or the same start with other bits, is an older disk`() {
        let known = Incarnation(start: 5, actor: someone(1))
        #expect(Incarnation(start: 6, actor: someone(2)).standing(against: known) == .newer)
        #expect(known.standing(against: known) == .same)
        #expect(Incarnation(start: 4, actor: someone(3)).standing(against: known) == .rolledBack)
        #expect(Incarnation(start: 5, actor: someone(4)).standing(against: known) == .rolledBack)
    }

    @Test func `a life that another saw is lost where the disk does not remember it`() {
        let earlier = [
            Incarnation(start: 2, actor: someone(2)), Incarnation(start: 4, actor: someone(4)),
        ]
        let lives = NodeLives(Incarnation(start: 5, actor: someone(5)), earlier: earlier)
        for life in earlier + [lives.current] { #expect(!lives.hasLost(life)) }
        for start in 1...7 as ClosedRange<UInt64> {
            #expect(lives.hasLost(Incarnation(start: start, actor: someone(9))))
        }
    }

    @Test func `a life before all that are remembered is taken for one of the disk's own`() {
        let earlier = (100..<356 as Range<UInt64>).map {
            Incarnation(start: $0, actor: someone($0))
        }
        let lives = NodeLives(Incarnation(start: 356, actor: someone(1)), earlier: earlier)
        #expect(earlier.count == NodeLives.maximumEarlier)
        #expect(!lives.hasLost(Incarnation(start: 99, actor: someone(9))))
        #expect(lives.hasLost(Incarnation(start: 100, actor: someone(9))))
    }

    @Test func `comes back from its 24 bytes`() throws {
        let known = Incarnation(start: 5, actor: ActorID(high: .max, low: 3))
        var writer = ByteWriter()
        writer.incarnation(known)
        #expect(writer.bytes.count == Incarnation.size)
        var reader = ByteReader(over: writer.bytes.span.bytes)
        #expect(try reader.incarnation(in: writer.bytes.span.bytes) == known)
        #expect(known.actor.description == "ffffffffffffffff0000000000000003")
    }
}

@Suite struct `Causal histories` {
    private static func vector(_ random: inout SeededRandom) -> VersionVector {
        var vector = VersionVector()
        for _ in 0..<random.below(5) { vector.insert(dot(&random)) }
        return vector
    }

    private static func dot(_ random: inout SeededRandom) -> Dot {
        Dot(actor: Drawn.actorID(&random), counter: UInt64(random.number(in: 1...9)))
    }

    private static var universe: [Dot] {
        var dots: [Dot] = []
        for high in 0..<2 as Range<UInt64> {
            for low in 0..<3 as Range<UInt64> {
                for counter in 1...10 as ClosedRange<UInt64> {
                    dots.append(Dot(actor: ActorID(high: high, low: low), counter: counter))
                }
            }
        }
        return dots
    }

    @Test func `a vector is the set of its events`() {
        var random = SeededRandom(seed: 11)
        for _ in 0..<300 {
            let (a, b) = (Self.vector(&random), Self.vector(&random))
            var union = a
            union.merge(b)
            let inA = Set(Self.universe.filter(a.contains))
            let inB = Set(Self.universe.filter(b.contains))
            #expect(Set(Self.universe.filter(union.contains)) == inA.union(inB))
            #expect(a.dominates(b) == inA.isSuperset(of: inB))
            let order: VersionVector.Order =
                inA == inB
                ? .equal
                : inA.isSuperset(of: inB)
                    ? .after : inA.isSubset(of: inB) ? .before : .concurrent
            #expect(a.compare(b) == order)
        }
    }

    @Test func `a cloud is the set of its events, in whatever order they come`() throws {
        var random = SeededRandom(seed: 12)
        for _ in 0..<300 {
            var dots = (0..<random.below(20)).map { _ in Self.dot(&random) }
            var (a, b) = (DotCloud(), DotCloud())
            for dot in dots { a.insert(dot) }
            random.shuffle(&dots)
            for dot in dots { b.insert(dot) }
            #expect(a == b)
            #expect(Set(Self.universe.filter(a.contains)) == Set(dots))
            var other = DotCloud(Self.vector(&random))
            for _ in 0..<random.below(4) { other.insert(Self.dot(&random)) }
            let inOther = Set(Self.universe.filter(other.contains))
            #expect(a.contains(other) == Set(dots).isSuperset(of: inOther))
            var union = a
            union.merge(other)
            #expect(Set(Self.universe.filter(union.contains)) == inOther.union(dots))
            #expect(union.contains(a) && union.contains(other))
        }
    }

    /// Events of three actors in runs that touch, overlap and leave holes, in no order.
    private static func runs(_ random: inout SeededRandom) -> [Dot] {
        var dots: [Dot] = []
        for _ in 0..<random.below(12) {
            let id = someone(UInt64(random.below(3)))
            let first = random.number(in: 1...40)
            for counter in first...first + random.below(6) {
                dots.append(Dot(actor: id, counter: UInt64(counter)))
            }
        }
        random.shuffle(&dots)
        return dots
    }

    private static func cloud(_ dots: some Sequence<Dot>) -> DotCloud {
        var cloud = DotCloud()
        for dot in dots { cloud.insert(dot) }
        return cloud
    }

    @Test func `a cloud of runs agrees with a plain set, however the events come together`() {
        let universe = (0..<3 as Range<UInt64>).flatMap { low in
            (1...50 as ClosedRange<UInt64>).map { Dot(actor: someone(low), counter: $0) }
        }
        for seed in 0..<UInt64(drawnRuns(100)) {
            var random = SeededRandom(seed: seed)
            var cloud = DotCloud()
            var model: Set<Dot> = []
            for step in 0..<12 {
                let dots = Self.runs(&random)
                switch random.below(4) {
                case 0:
                    for dot in dots { cloud.insert(dot) }
                    model.formUnion(dots)
                case 1:
                    cloud.insert(dots)
                    model.formUnion(dots)
                case 2:
                    cloud.merge(Self.cloud(dots))
                    model.formUnion(dots)
                default:
                    let end = random.pick(universe)
                    cloud.insert(upTo: end)
                    model.formUnion(
                        universe.filter { $0.actor == end.actor && $0.counter <= end.counter }
                    )
                }
                let place: Comment = "seed \(seed), step \(step)"
                #expect(Set(universe.filter(cloud.contains)) == model, place)
                #expect(cloud == Self.cloud(model.sorted()), place)
                // Histories that are contained, or nearly so, and one that has nothing to do with it.
                var part = model.filter { _ in random.chance(9, in: 10) }
                #expect(cloud.contains(Self.cloud(part)), place)
                part.insert(random.pick(universe))
                #expect(cloud.contains(Self.cloud(part)) == model.isSuperset(of: part), place)
                let other = Self.runs(&random)
                #expect(cloud.contains(Self.cloud(other)) == model.isSuperset(of: other), place)
            }
        }
    }

    @Test func `a cloud takes the highest number that there is`() {
        let last = Dot(actor: someone(1), counter: Dot.maximumCounter)
        let before = Dot(actor: someone(1), counter: Dot.maximumCounter - 1)
        var (one, two) = (DotCloud(), DotCloud())
        one.insert(last)
        one.insert(before)
        one.insert(Dot(actor: someone(1), counter: 1))
        two.insert([last, Dot(actor: someone(1), counter: 1), before, last])
        #expect(one == two && one.last(of: someone(1)) == Dot.maximumCounter)
        two.insert(upTo: last)
        one.merge(two)
        #expect(one == two && one.hasNoHoles)
    }

    @Test func `what is accepted comes back byte for byte, and nothing traps`() {
        var random = SeededRandom(seed: 13)
        for _ in 0..<3000 {
            var cloud = DotCloud(Self.vector(&random))
            for _ in 0..<random.below(6) { cloud.insert(Self.dot(&random)) }
            var writer = ByteWriter()
            cloud.encode(into: &writer)
            var bytes = writer.bytes
            var reader = ByteReader(over: bytes.span.bytes)
            #expect((try? DotCloud(from: &reader, in: bytes.span.bytes)) == cloud)
            for _ in 0..<random.below(3) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(1, in: 3) { bytes.removeLast(random.below(bytes.count)) }
            reader = ByteReader(over: bytes.span.bytes)
            guard let found = try? DotCloud(from: &reader, in: bytes.span.bytes) else { continue }
            var again = ByteWriter()
            found.encode(into: &again)
            #expect(again.bytes == Array(bytes.prefix(reader.position)))
        }
        for _ in 0..<2000 {
            var writer = ByteWriter()
            Self.vector(&random).encode(into: &writer)
            var bytes = writer.bytes
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
            var reader = ByteReader(over: bytes.span.bytes)
            guard let found = try? VersionVector(from: &reader, in: bytes.span.bytes)
            else { continue }
            var again = ByteWriter()
            found.encode(into: &again)
            #expect(again.bytes == Array(bytes.prefix(reader.position)))
        }
    }
}
