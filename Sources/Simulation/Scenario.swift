import ClusterPrimitives
import Partitioning

/// What a seed draws before it starts: the cluster, its disks and links, the clients, the faults.
///
/// Swarm testing: a subset of the faults and narrow, varied bounds find more than everything at
/// once (Groce et al., "Swarm Testing", 2012).
struct Scenario {
    /// What the keys hold.
    var mode: ConflictMode
    /// Whether they are counted: counters, or maps, of which one field is.
    var counts: Bool { mode == .counter || mode == .map }
    /// Nodes of each datacenter.
    var nodes: [Int]
    /// Replicas of a key in each datacenter.
    var replicas: [Int]
    /// Lanes of each node.
    var lanes: Int
    /// Bytes that the memtables of a node may hold.
    var memoryBudget: Int
    var segmentSize: Int
    /// Mean time between two flushes that nothing called for, in milliseconds.
    var flushPeriod: Int
    /// Segments that the log keeps to write over.
    var spareSegments: Int
    /// Bytes after which a compaction begins another table.
    var fragmentSize: Int
    /// Bytes of runs that count as of like size.
    var likeSize: Int
    var cacheSize: Int
    /// Bytes that nodes keep free on their disks.
    var diskReserve: Int
    var clients: Int
    var keys: Int
    var maximumValueSize: Int
    /// Mean pause of a client between two operations, in milliseconds.
    var thinkTime: Int
    /// The faults that happen, a subset of those allowed.
    var faults: FaultKinds
    /// Mean time between two faults, in milliseconds.
    var faultPeriod: Int
    /// Time of a disk's sync, in microseconds: least, and mean of what comes on top.
    var syncTime: (least: Int, mean: Int)
    /// Time of a deferred job.
    var diskTime: (least: Int, mean: Int)
    /// Time of a frame within a datacenter.
    var linkTime: (least: Int, mean: Int)
    /// What a frame between datacenters takes on top.
    var distance: Int
    /// How long a connection lasts over which nothing passes, in milliseconds.
    var stallLimit: Int

    init(_ options: SimulationOptions, random: inout SeededRandom) {
        // Of its own, so that a mode can be given without changing anything else.
        var modeRandom = SeededRandom(seed: options.seed ^ 0x6D6F_6465)
        let modes: [ConflictMode] = [
            .lww, .lww, .lww, .siblings, .siblings, .siblings, .counter, .counter, .set, .map,
        ]
        let drawnMode = modeRandom.pick(modes)
        mode = options.mode ?? drawnMode
        let count = min(16, max(1, options.nodeCount ?? random.number(in: 3...9)))
        if count >= 4, random.chance(1, in: 3) {
            let first = random.number(in: 2...(count - 2))
            nodes = [first, count - first]
        } else {
            nodes = [count]
        }
        replicas = nodes.map { available in
            // Three is what people run; the others find other bugs.
            min(available, random.chance(2, in: 3) ? 3 : 1 + random.below(4))
        }
        lanes = random.number(in: 1...2)
        // A memtable takes its memory in pieces of 256 KiB; less than some of them stands still.
        memoryBudget = [1 << 20, 2 << 20, 8 << 20][random.below(3)]
        flushPeriod = [200, 1000, 5000][random.below(3)]
        segmentSize = [8 << 10, 64 << 10, 1 << 20][random.below(3)]
        clients = random.number(in: 3...10)
        keys = random.number(in: 3...40)
        maximumValueSize = [30, 200, 2000][random.below(3)]
        let drawnThinkTime = random.number(in: 20...150)
        thinkTime = options.thinkTime.map { max(1, Int($0.wholeMilliseconds)) } ?? drawnThinkTime
        var drawn: FaultKinds = []
        for (_, kind) in FaultKinds.named where kind != .step && random.chance(1, in: 2) {
            drawn.insert(kind)
        }
        if modeRandom.chance(1, in: 2) { drawn.insert(.step) }
        // Most seeds crash something: it is what a store must survive.
        if random.chance(1, in: 2) { drawn.insert(.crash) }
        faults = drawn.intersection(options.faults)
        faultPeriod = random.number(in: 500...5000)
        syncTime = (random.number(in: 20...500), [100, 1000, 10_000][random.below(3)])
        diskTime = (random.number(in: 20...200), [50, 500, 5000][random.below(3)])
        linkTime = (random.number(in: 30...200), [50, 300, 3000][random.below(3)])
        distance = [500, 10_000, 40_000][random.below(3)]
        stallLimit = random.number(in: 500...8000)
        spareSegments = random.below(3)
        fragmentSize = [2 << 10, 16 << 10, 1 << 20][random.below(3)]
        likeSize = [1, 4 << 10, 1 << 20][random.below(3)]
        cacheSize = [0, 16 << 10, 1 << 20][random.below(3)]
        diskReserve = [0, 16 << 10][random.below(2)]
    }

    var description: String {
        let places = zip(nodes, replicas).map { "\($0) nodes RF \($1)" }.joined(separator: " + ")
        return
            "\(mode), \(places), \(lanes) lane\(lanes == 1 ? "" : "s"), \(clients) clients, \(keys) keys, "
            + "flushes every \(flushPeriod) ms, faults \(faults)"
    }
}
