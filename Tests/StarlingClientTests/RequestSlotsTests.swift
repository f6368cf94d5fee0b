import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The requests that await an answer` {
    @Test func `an answer that comes twice, or for a slot used anew, finds nothing`() {
        var slots = RequestSlots<String>()
        let first = slots.insert("first")
        #expect(slots.remove(first) == "first")
        let second = slots.insert("second")
        #expect(second != first)
        #expect(slots.remove(first) == nil)
        #expect(slots.remove(second) == "second")
        #expect(slots.count == 0)
    }

    @Test func `no correlation that a node could invent traps`() {
        var slots = RequestSlots<String>()
        _ = slots.insert("only")
        for correlation in [0, 1, .max, UInt64(1) << 32 | 7, UInt64(UInt32.max)] {
            #expect(slots.remove(correlation) == nil)
        }
        #expect(slots.count == 1)
    }

    @Test func `removal by condition leaves the rest`() {
        var slots = RequestSlots<Int>()
        let kept = slots.insert(1)
        _ = slots.insert(2)
        #expect(slots.removeAll { $0 == 2 } == [2])
        #expect(slots.remove(kept) == 1)
    }

    @Test func `against a dictionary, for random insertions and removals`() {
        let seed: UInt64 = 7
        var random = SeededRandom(seed: seed)
        var slots = RequestSlots<Int>()
        var model: [UInt64: Int] = [:]
        for step in 0..<2000 {
            if model.isEmpty || random.chance(1, in: 2) {
                let correlation = slots.insert(step)
                #expect(correlation != 0 && model[correlation] == nil, "seed \(seed)")
                model[correlation] = step
            } else {
                let known = random.pick(model.keys.sorted())
                #expect(slots.remove(known) == model.removeValue(forKey: known), "seed \(seed)")
            }
            #expect(slots.count == model.count, "seed \(seed)")
        }
    }
}
