import Causality
import ClusterPrimitives
import Replication
import Testing

@testable import ObjectStorage

@Suite struct `Taken keys` {
    private static let update = KeyUpdate(
        key: [],
        change: .delete,
        context: nil,
        version: .zero,
        wall: WallClockTime(milliseconds: 0)
    )

    private static func origin(_ number: UInt64) -> JobOrigin {
        JobOrigin(route: .request, target: 0, correlation: number)
    }

    /// Few tokens, and keys that share one.
    private static func place(_ random: inout SeededRandom, _ tokens: Int) -> KeyQueues.Place {
        let token = UInt64(random.below(tokens))
        return KeyQueues.Place(
            keyspace: KeyspaceNumber(UInt32(random.number(in: 1...2))),
            token: token,
            key: [UInt8(random.below(3))]
        )
    }

    /// The model is a list of keys with the numbers of those that wait for each.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `have one owner each, and those that wait come in their order`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let queues = KeyQueues()
        let tokens = random.pick([4, 40, 400])
        var model: [(place: KeyQueues.Place, waiting: [UInt64])] = []
        for number in 0..<2000 as Range<UInt64> {
            if random.chance(random.pick([2, 5, 8]), in: 10) || model.isEmpty {
                let place = Self.place(&random, tokens)
                let isFree = queues.take(place, for: Self.origin(number), Self.update)
                if let index = model.firstIndex(where: { $0.place == place }) {
                    #expect(!isFree)
                    model[index].waiting.append(number)
                } else {
                    #expect(isFree)
                    model.append((place, []))
                }
            } else {
                let index = random.below(model.count)
                let waiting = queues.next(model[index].place).map(\.origin.correlation)
                #expect(waiting == model[index].waiting)
                if waiting.isEmpty {
                    model.remove(at: index)
                } else {
                    model[index].waiting = []
                }
            }
        }
        // None is left behind, and none was taken that is not in the model.
        for entry in model {
            #expect(queues.next(entry.place).map(\.origin.correlation) == entry.waiting)
            if !entry.waiting.isEmpty { #expect(queues.next(entry.place).isEmpty) }
            #expect(queues.take(entry.place, for: Self.origin(0), Self.update))
        }
    }

    @Test func `are not the caller's to give back when nobody has taken them`() {
        let queues = KeyQueues()
        let place = KeyQueues.Place(keyspace: KeyspaceNumber(1), token: 7, key: [1])
        #expect(queues.next(place).isEmpty)
        #expect(queues.take(place, for: Self.origin(1), Self.update))
    }
}
