import Testing

import StorageEngine

@Suite struct `Purge horizon` {
    private let horizon = PurgeHorizon(
        now: 100,
        ranges: [
            .init(through: 9, stamp: 50), .init(through: 10, stamp: 0),
            .init(through: 99, stamp: 70),
        ]
    )

    @Test func `each prefix has the stamp of the first range that ends at or behind it`() {
        #expect(horizon.stamp(at: 0) == 50)
        #expect(horizon.stamp(at: 9) == 50)
        #expect(horizon.stamp(at: 10) == 0)
        #expect(horizon.stamp(at: 11) == 70)
        #expect(horizon.stamp(at: 99) == 70)
        #expect(horizon.stamp(at: 100) == nil)
        #expect(horizon.stamp(at: .max) == nil)
    }

    @Test func `nothing goes that is newer than the horizon, not yet expired, or hides something`()
    {
        func may(_ from: UInt64?, _ stamp: UInt64, _ prefix: UInt64, older: Bool = false) -> Bool {
            horizon.mayPurge(
                droppableFrom: from,
                stamp: stamp,
                prefix: prefix,
                mayHaveOlder: { older }
            )
        }
        #expect(may(0, 50, 5))
        #expect(may(100, 50, 5))
        #expect(!may(101, 50, 5))
        #expect(!may(nil, 50, 5))
        #expect(!may(0, 51, 5))
        #expect(!may(0, 1, 10))
        #expect(may(0, 0, 10))
        #expect(!may(0, 0, 100))
        #expect(!may(0, 50, 5, older: true))
    }

    @Test func `older entries are looked for only where all else allows it`() {
        var asked = 0
        for (from, stamp) in [(nil, 0), (101, 0), (0, 51)] as [(UInt64?, UInt64)] {
            _ = horizon.mayPurge(droppableFrom: from, stamp: stamp, prefix: 0) {
                asked += 1
                return false
            }
        }
        #expect(asked == 0)
    }

    @Test func `never keeps all, everything lets all go that has expired`() {
        let all = PurgeHorizon.everything(now: 7)
        for prefix in [0, 1, UInt64.max] {
            #expect(PurgeHorizon.never.stamp(at: prefix) == nil)
            #expect(all.stamp(at: prefix) == .max)
        }
        #expect(all.mayPurge(droppableFrom: 7, stamp: .max, prefix: 3, mayHaveOlder: { false }))
        #expect(!all.mayPurge(droppableFrom: 8, stamp: 0, prefix: 3, mayHaveOlder: { false }))
    }

    @Test func `a span of prefixes may lose something if one of its prefixes may`() {
        func may(_ lower: UInt64, _ upper: UInt64, oldest: UInt64) -> Bool {
            horizon.mayPurgeAnything(fromPrefix: lower, throughPrefix: upper, oldestStamp: oldest)
        }
        for lower: UInt64 in 0...120 {
            for upper in lower...120 {
                for oldest: UInt64 in [0, 1, 50, 51, 70, 71] {
                    let expected = (lower...upper).contains { prefix in
                        horizon.stamp(at: prefix).map { $0 >= oldest } ?? false
                    }
                    #expect(may(lower, upper, oldest: oldest) == expected, "\(lower) \(upper)")
                }
            }
        }
        #expect(
            PurgeHorizon.everything(now: 0)
                .mayPurgeAnything(fromPrefix: .max, throughPrefix: .max, oldestStamp: .max)
        )
    }
}
