import ByteCoding
import Causality
import ClusterPrimitives
import Testing

@Suite struct `Sibling set` {
    @Test func `has the bytes it always had`() throws {
        var held = HeldSet()
        held.put("v", by: ActorID(high: 1, low: 2), at: 3, expiry: 4)
        let golden: [UInt8] = [
            1, 0,
            1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0, 1, 0,
            0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0, 118,
        ]
        #expect(held.bytes == golden)
    }

    @Test func `a write replaces what it has seen and stands beside the rest`() {
        var held = HeldSet()
        held.put("a", by: someone(1))
        let seen = held.context
        held.put("b", by: someone(2))
        #expect(held.values() == ["a", "b"])
        held.put("c", seen: .vector(seen), by: someone(1))
        #expect(held.values() == ["b", "c"])
        held.put("d", seen: .vector(held.context), by: someone(3))
        #expect(held.values() == ["d"])
    }

    @Test func `blind writes through one replica all stay`() {
        var held = HeldSet()
        for name in ["a", "b", "c"] { held.put(name, by: someone(1)) }
        #expect(held.values() == ["a", "b", "c"])
        #expect(held.siblings.map(\.dot.counter) == [3, 2, 1])
    }

    @Test func `two clients that each miss the other's last write leave at most three siblings`() {
        var held = HeldSet()
        var seen = [held.context, held.context]
        for round in 0..<100 {
            for client in 0..<2 {
                let before = held.context
                held.put("\(client)-\(round)", seen: .vector(seen[client]), by: someone(1))
                seen[client] = before
                seen[client].merge(held.context)
                #expect(held.siblings.count <= 3)
            }
        }
    }

    @Test func `a context fresher than the replica is taken in`() {
        var one = HeldSet()
        one.put("a", by: someone(1))
        one.put("b", seen: .vector(one.context), by: someone(1))
        var two = HeldSet()
        two.put("c", seen: .vector(one.context), by: someone(2))
        #expect(one.merged(two).values() == ["c"])
        #expect(two.merged(one) == one.merged(two))
    }

    @Test func `a deletion that misses a write leaves it, and is not shown beside it`() {
        var held = HeldSet()
        held.put("a", by: someone(1))
        let seen = held.context
        held.put("b", by: someone(1))
        held.put(nil, seen: .vector(seen), by: someone(1))
        #expect(held.values() == ["b"])
        #expect(held.siblings.count == 2)
        #expect(held.decoded?.isAbsent(at: WallClockTime(milliseconds: 1)) == false)
        #expect(held.decoded?.droppableFrom == nil)
        let wall = WallClockTime(milliseconds: 1)
        #expect(held.decoded?.liveCount(at: wall, in: held.bytes.span.bytes) == 1)
    }

    @Test func `creation after a deletion wins without a context`() {
        let wall = WallClockTime(milliseconds: 9)
        var held = HeldSet()
        held.put("a", by: someone(1))
        held.put(nil, seen: .vector(held.context), by: someone(1))
        held.put("x", by: someone(2), expiry: 5)
        let seen = held.seen(by: nil, at: wall)
        #expect(seen == .vector(held.context))
        held.put("b", seen: seen, by: someone(3))
        #expect(held.siblings.count == 1)
        #expect(held.values() == ["b"])
        #expect(held.seen(by: nil, at: wall) == .nothing)
        #expect(held.seen(by: held.context, at: wall) == .vector(held.context))
        #expect(HeldSet().seen(by: nil, at: wall) == .nothing)
    }

    @Test func `a view with nothing to show is seen on top of the context, not in its place`() {
        let wall = WallClockTime(milliseconds: 9)
        var elsewhere = HeldSet()
        elsewhere.put("a", by: someone(1))
        var held = HeldSet()
        held.put(nil, by: someone(2))
        held.put("b", seen: held.seen(by: elsewhere.context, at: wall), by: someone(2))
        #expect(held.context.contains(Dot(actor: someone(1), counter: 1)))
        held.merge(elsewhere)
        #expect(held.values() == ["b"])
    }

    @Test func `an expired value is kept, hashed and joined as before, and shown no more`() {
        var held = HeldSet()
        held.put("a", by: someone(1), expiry: 100)
        #expect(held.values(at: 99) == ["a"])
        #expect(held.values(at: 100) == [])
        #expect(held.decoded?.droppableFrom == 100)
        held.put("b", by: someone(1), expiry: 50)
        #expect(held.decoded?.droppableFrom == 100)
        held.put(nil, seen: .vector(held.context), by: someone(1), at: 77)
        #expect(held.decoded?.droppableFrom == 0)
        #expect(held.decoded?.newestVersion == Drawn.stamp(77))
    }

    @Test func `32 values are the most, unless the write has seen enough of them`() {
        var held = HeldSet()
        for number in 0..<32 {
            guard case .written(_, let values, _) = held.put("\(number)", by: someone(1)) else {
                Issue.record("write \(number) was refused")
                return
            }
            #expect(values == number + 1)
        }
        let before = held
        #expect(held.put("x", by: someone(1)) == .tooManySiblings(values: 33))
        #expect(held.put(nil, by: someone(2)) == .tooManySiblings(values: 33))
        #expect(held == before)
        var other = HeldSet()
        for number in 0..<20 { other.put("o\(number)", by: someone(2)) }
        held.merge(other)
        #expect(held.siblings.count == 52, "a join is never refused")
        let dot = Dot(actor: someone(1), counter: 33)
        var seen = held.context
        seen.insert(dot)
        let outcome = held.put("y", seen: .vector(held.context), by: someone(1))
        #expect(outcome == .written(dot: dot, values: 1, seen: seen))
    }

    @Test func `numbers that are used up refuse the write instead of wrapping`() {
        var held = HeldSet()
        held.put("a", by: someone(1), floor: (.max >> 1) - 1)
        let before = held
        #expect(held.put("b", by: someone(1)) == .exhausted)
        #expect(held == before)
    }

    @Test func `a purge is outlived by an actor whose numbers begin above the old ones`() {
        var one = HeldSet()
        for name in ["a", "b"] { one.put(name, seen: .vector(one.context), by: someone(1), at: 5) }
        one.put(nil, seen: .vector(one.context), by: someone(1), at: 6)
        let notPurged = one
        var careless = HeldSet()
        careless.put("new", by: someone(1), at: 9)
        #expect(careless.merged(notPurged).values() == [], "reused numbers lose the value")
        var careful = HeldSet()
        careful.put("new", by: someone(1), at: 9, floor: Drawn.stamp(9).timestamp.rawValue)
        #expect(careful.merged(notPurged).values() == ["new"])
    }
}

@Suite struct `Joins of sibling sets` {
    @Test func `are commutative, associative, idempotent and forget nothing`() throws {
        let seed: UInt64 = 21
        var random = SeededRandom(seed: seed)
        for run in 0..<drawnRuns(3000) {
            let (a, b, c) = (
                HeldSet(bytes: Drawn.siblingSet(&random)),
                HeldSet(bytes: Drawn.siblingSet(&random)),
                HeldSet(bytes: Drawn.siblingSet(&random))
            )
            let ab = a.merged(b)
            try #require(ab.decoded != nil, "seed \(seed), run \(run): \(a.bytes) \(b.bytes)")
            #expect(ab == b.merged(a), "seed \(seed), run \(run)")
            #expect(ab.merged(c) == a.merged(b.merged(c)), "seed \(seed), run \(run)")
            #expect(a.merged(a) == a)
            #expect(ab.merged(a) == ab && ab.merged(b) == ab)
            #expect(ab.context.dominates(a.context) && ab.context.dominates(b.context))
        }
    }

    @Test func `say which side says it all`() {
        var random = SeededRandom(seed: 22)
        for _ in 0..<2000 {
            let (a, b) = (Drawn.siblingSet(&random), Drawn.siblingSet(&random))
            let join = RecordMode.siblings.join(
                existing: a.span.bytes,
                incoming: b.span.bytes
            )
            if case .joined(let bytes) = join { #expect(bytes != a && bytes != b) }
            let result = RecordMode.siblings.joined(a, b)
            if result == a { #expect(join == .keepExisting) }
        }
    }

    @Test func `read what is accepted byte for byte, and trap on nothing`() throws {
        var random = SeededRandom(seed: 23)
        for _ in 0..<drawnRuns(4000) {
            var bytes = Drawn.siblingSet(&random)
            let original = bytes
            for _ in 0..<random.below(3) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.below(4))
            }
            if random.chance(1, in: 4) { bytes.removeLast(random.below(bytes.count)) }
            if random.chance(1, in: 9) { bytes.append(0) }
            let held = HeldSet(bytes: bytes)
            // Whatever the bytes are, a join with them is a join.
            let joined = held.merged(HeldSet(bytes: original))
            #expect(joined == HeldSet(bytes: original).merged(held))
            guard let set = held.decoded else { continue }
            #expect(held.siblings.count == set.valueCount)
            var parts = ByteWriter()
            parts.uint16(UInt16(set.actorCount))
            for entry in held.context.entries {
                parts.actorID(entry.actor)
                parts.uint64(entry.counter)
                parts.uint16(UInt16(held.siblings.count { $0.dot.actor == entry.actor }))
            }
            for sibling in held.siblings {
                parts.recordHeader(
                    version: sibling.version,
                    isTombstone: sibling.isTombstone,
                    expiry: sibling.expiry
                )
                parts.prefixed(sibling.value, of: bytes.span.bytes)
            }
            #expect(parts.bytes == bytes)
        }
    }
}
