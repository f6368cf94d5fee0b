import ClusterPrimitives
import StorageEngine
import Testing

@Suite struct `Compaction laws` {
    @Test(arguments: UInt64(1)...30)
    func `choices keep runs apart and all keys, whatever goes on meanwhile`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var policy = SizeTieredPolicy()
        policy.minimumTables = random.number(in: 2...5)
        policy.maximumTables = policy.minimumTables + random.below(5)
        policy.minimumSize = random.below(30) << 10
        policy.maximumCompactionBytes = random.number(in: 8...200) << 10
        policy.maximumParallel = random.number(in: 1...4)
        var model = CompactionModel(bytesPerKey: 1 << 10, keysPerFile: random.number(in: 4...40))
        var all: Set<UInt64> = []
        do {
            for _ in 0..<150 {
                switch random.below(6) {
                case 0, 1:
                    let keys = randomKeys(&random)
                    all.formUnion(keys)
                    model.flush(keys)
                case 2 where model.isBusy:
                    try model.finish(random.below(model.picture.running.count))
                case 3:
                    model.setBusy(&random)
                default:
                    let newest = UInt64(random.number(in: 1...60))
                    let choice =
                        random.chance(1, in: 20)
                        ? policy.chooseAll(model.picture, through: newest)
                        : policy.choose(model.picture)
                    if let choice { try model.begin(choice) }
                }
            }
            #expect(model.keys == all, "seed \(seed)")
            try settle(&model, policy)
            #expect(model.keys == all, "seed \(seed)")
            #expect(model.picture.unfinished.isEmpty, "seed \(seed)")
            #expect(largestBucket(model.picture, policy) < policy.minimumTables, "seed \(seed)")
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
    }

    @Test(arguments: UInt64(1)...8)
    func `asked for one run, it makes one run of any tree`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var policy = SizeTieredPolicy()
        policy.minimumSize = random.below(30) << 10
        policy.maximumCompactionBytes = 60 << 10
        var model = CompactionModel(bytesPerKey: 1 << 10, keysPerFile: 16)
        var all: Set<UInt64> = []
        for _ in 0..<20 {
            let keys = randomKeys(&random)
            all.formUnion(keys)
            model.flush(keys)
            if let choice = policy.choose(model.picture) { try model.begin(choice) }
            if model.isBusy, random.chance(1, in: 2) { try model.finish(0) }
        }
        var steps = 0
        while steps < 2_000 {
            steps += 1
            if let choice = policy.chooseAll(model.picture) {
                try model.begin(choice)
            } else if model.isBusy {
                try model.finish(random.below(model.picture.running.count))
            } else {
                break
            }
        }
        #expect(model.runCount == 1, "seed \(seed)")
        #expect(model.keys == all, "seed \(seed)")
    }

    @Test(arguments: [(16, 3.0), (64, 4.0), (256, 5.0)])
    func `entries are written about log₄ n times over n flushes`(
        flushes: Int,
        bound: Double
    ) throws {
        var random = SeededRandom(seed: 7)
        let policy = SizeTieredPolicy()
        var model = CompactionModel(bytesPerKey: 1 << 20, keysPerFile: 64)
        var deepest = 0
        for flush in 0..<flushes {
            model.flush(Set((0..<32).map { _ in random.next() }))
            try settle(&model, policy)
            if flush % 64 == 62 { deepest = max(deepest, model.deepest) }
        }
        #expect(model.amplification <= bound, "\(model.amplification)")
        #expect(deepest <= 3 * 4, "\(deepest)")
    }

    @Test func `flushes of ascending keys are never written again`() throws {
        let policy = SizeTieredPolicy()
        var model = CompactionModel(bytesPerKey: 1 << 20, keysPerFile: 64)
        for flush in 0..<255 {
            let first = UInt64(flush) * 32
            model.flush(Set(first..<(first + 32)))
            try settle(&model, policy)
        }
        #expect(model.amplification == 1)
        #expect(model.runCount <= 3 * 4)
        #expect(model.deepest == 1)
    }

    private func settle(_ model: inout CompactionModel, _ policy: SizeTieredPolicy) throws {
        model.clearBusy()
        for _ in 0..<5_000 {
            if let choice = policy.choose(model.picture) {
                try model.begin(choice)
            } else if model.isBusy {
                try model.finish(0)
            } else {
                return
            }
        }
        throw CompactionModel.Broken(description: "compaction does not come to an end")
    }

    /// A flush over all keys, over a narrow range, or of few keys of a small universe.
    private func randomKeys(_ random: inout SeededRandom) -> Set<UInt64> {
        let count = random.number(in: 1...40)
        let universe: UInt64 = 1 << 12
        switch random.below(3) {
        case 0: return Set((0..<count).map { _ in random.next() % universe })
        case 1:
            let start = random.next() % universe
            return Set(start..<(start + UInt64(count)))
        default:
            let start = random.next() % universe
            return Set((0..<count).map { _ in start + random.next() % 300 })
        }
    }

    /// The most runs of like size that stand side by side, found without the policy's help.
    private func largestBucket(_ picture: TreePicture, _ policy: SizeTieredPolicy) -> Int {
        let sizes = Dictionary(grouping: picture.parts, by: \.order).values
            .map { $0.reduce(0) { $0 + $1.bytes } }.sorted()
        var largest = 0
        var bucket: [Int] = []
        for size in sizes {
            let average = Double(bucket.reduce(0, +)) / Double(max(bucket.count, 1))
            let isSmall = size < policy.minimumSize && average < Double(policy.minimumSize)
            if !isSmall, Double(size) > policy.bucketHigh * average { bucket = [] }
            bucket.append(size)
            largest = max(largest, bucket.count)
        }
        return largest
    }
}
