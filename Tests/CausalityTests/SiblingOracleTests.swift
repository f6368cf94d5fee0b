import ByteCoding
import Causality
import ClusterPrimitives
import Testing

/// Dotted version vector sets against explicit causal histories.
///
/// In the oracle a write is an event with the set of events that it has seen; a replica knows a
/// set of events, and its values are those that no event it knows has seen.
private struct Oracle {
    /// What each event has seen, as bits.
    var seen: [UInt64] = []

    func live(_ known: UInt64) -> [String] {
        var replaced: UInt64 = 0
        for event in seen.indices where known & (1 << UInt64(event)) != 0 {
            replaced |= seen[event]
        }
        return seen.indices.filter { (known & ~replaced) & (1 << UInt64($0)) != 0 }
            .map(String.init).sorted()
    }
}

private struct Copy {
    var held = HeldSet()
    var known: UInt64 = 0

    mutating func merge(_ other: Copy) {
        held.merge(other.held)
        known |= other.known
    }
}

private struct OracleRun {
    var random: SeededRandom
    var oracle = Oracle()
    var replicas = [Copy](repeating: Copy(), count: 3)
    var actors = (1...3).map { someone(UInt64($0)) }
    var clients = [Copy](repeating: Copy(), count: 3)
    var messages: [Copy] = []
    var lives: UInt64 = 3

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    /// Returns what went wrong.
    mutating func step() -> String? {
        let place = random.below(3)
        switch random.below(10) {
        case 0, 1, 2: write(at: place)
        case 3, 4: clients[random.below(3)] = replicas[place]
        case 5: messages.append(replicas[place])
        case 6, 7:
            // A message may come late and more than once.
            if !messages.isEmpty { replicas[place].merge(random.pick(messages)) }
        case 8: replicas[place].merge(replicas[random.below(3)])
        default:
            // A new life; sometimes on an older copy of the disk, or on an empty one.
            lives += 1
            actors[place] = someone(lives)
            switch random.below(4) {
            case 0: replicas[place] = Copy()
            case 1: if !messages.isEmpty { replicas[place] = random.pick(messages) }
            default: break
            }
        }
        let replica = replicas[place]
        let expected = oracle.live(replica.known)
        return replica.held.values() == expected
            ? nil : "replica \(place) has \(replica.held.values()), not \(expected)"
    }

    private mutating func write(at place: Int) {
        guard oracle.seen.count < 60 else { return }
        let client = clients[random.below(3)]
        var seen = SeenSiblings.nothing
        var events: UInt64 = 0
        switch random.below(4) {
        case 0: break
        case 1: (seen, events) = (.vector(replicas[place].held.context), replicas[place].known)
        default: (seen, events) = (.vector(client.held.context), client.known)
        }
        let event = oracle.seen.count
        oracle.seen.append(events)
        replicas[place].held.put(
            "\(event)",
            seen: seen,
            by: actors[place],
            floor: random.chance(1, in: 4) ? UInt64(random.below(100)) : 0
        )
        replicas[place].known |= events | 1 << UInt64(event)
    }
}

@Suite struct `Sibling sets and explicit causal histories` {
    @Test func `agree on every value, whatever is sent, lost, repeated, wiped or rolled back`() {
        for seed in 0..<UInt64(drawnRuns(400)) {
            var run = OracleRun(seed: seed)
            for step in 0..<60 {
                if let failure = run.step() {
                    Issue.record("seed \(seed), step \(step): \(failure)")
                    return
                }
            }
        }
    }
}

/// The ways in which Riak lost data by using an actor's numbers again, and what prevents each.
@Suite struct `Amnesia` {
    @Test(arguments: [true, false])
    func `a coordinator that lost its copy keeps the new value only as a new actor`(isFresh: Bool) {
        var one = HeldSet()
        for name in ["a", "b"] { one.put(name, seen: .vector(one.context), by: someone(1)) }
        let two = one
        one = HeldSet()
        one.put("new", by: isFresh ? someone(9) : someone(1))
        #expect(one.merged(two).values() == (isFresh ? ["b", "new"] : ["b"]))
    }

    @Test(arguments: [true, false])
    func `a coordinator on an older disk keeps the new value only as a new actor`(isFresh: Bool) {
        var one = HeldSet()
        one.put("a", by: someone(1))
        let backup = one
        one.put("b", seen: .vector(one.context), by: someone(1))
        let two = one
        one = backup
        one.put("new", seen: .vector(one.context), by: isFresh ? someone(9) : someone(1))
        let values = one.merged(two).values()
        if isFresh {
            #expect(values == ["b", "new"])
        } else {
            // One dot, two values: one of them is gone.
            #expect(values.count == 1)
        }
    }

    @Test(arguments: [true, false])
    func `a client that saw the lost numbers does not hide the new value of a new actor`(
        isFresh: Bool
    ) {
        var one = HeldSet()
        for name in ["a", "b", "c"] { one.put(name, seen: .vector(one.context), by: someone(1)) }
        let seen = one.context
        one = HeldSet()
        one.put("new", by: isFresh ? someone(9) : someone(1))
        one.put("late", seen: .vector(seen), by: someone(2))
        #expect(one.values() == (isFresh ? ["late", "new"] : ["late"]))
    }

    @Test(arguments: [true, false])
    func `a deletion that is older than a re-creation does not undo it`(isFresh: Bool) {
        var one = HeldSet()
        one.put("a", by: someone(1))
        one.put(nil, seen: .vector(one.context), by: someone(1))
        let tombstone = one
        // The tombstone was purged here, and not there; then the key is made anew.
        one = HeldSet()
        one.put("new", by: isFresh ? someone(9) : someone(1))
        #expect(one.merged(tombstone).values() == (isFresh ? ["new"] : []))
    }
}
