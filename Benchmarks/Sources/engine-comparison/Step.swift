/// One process per engine and round: a phase of the workload with its arguments.
struct Step {
    /// Where a step's store lies.
    enum Place {
        /// The store that `fill` makes anew in each round.
        case filled
        /// One for this step alone.
        case own
    }

    /// The size of the block cache.
    enum Cache {
        /// Twice the data: all of it fits.
        case everything
        /// 8 MiB: blocks come from the kernel's page cache.
        case little
        /// 64 MiB.
        case usual
    }

    var name: String
    /// The driver's word for it.
    var phase: String
    var place = Place.filled
    var cache = Cache.usual
    var threads = 1
    /// Entries visited behind each seek.
    var length = 100
    /// Whether all compare the blocks they read with their checksums; else whoever does so by
    /// default.
    var checksBlocks = true
    /// Whether it is measured with compression too.
    var isDoneCompressed = true
    /// Whether only an engine that tells the memory of its index does it.
    var isOfOursOnly = false

    /// All steps in the order of a round.
    static let all = [
        Step(
            name: "memtable",
            phase: "fill-memtable",
            place: .own,
            isDoneCompressed: false,
            isOfOursOnly: true
        ),
        Step(name: "sync-1", phase: "write-synced", place: .own, isDoneCompressed: false),
        Step(
            name: "sync-16",
            phase: "write-synced",
            place: .own,
            threads: 16,
            isDoneCompressed: false
        ),
        Step(name: "fill", phase: "fill"),
        Step(name: "read-cached", phase: "read", cache: .everything),
        Step(name: "read-cached-2", phase: "read", cache: .everything, threads: 2),
        Step(name: "read-page-cache", phase: "read", cache: .little),
        Step(
            name: "read-unchecked",
            phase: "read",
            cache: .little,
            checksBlocks: false,
            isDoneCompressed: false
        ),
        Step(name: "read-missing", phase: "read-missing", cache: .everything),
        Step(name: "seek", phase: "seek", cache: .everything, length: 1, isDoneCompressed: false),
        Step(name: "seek-100", phase: "seek", cache: .everything),
        Step(name: "scan", phase: "scan"),
        Step(name: "overwrite", phase: "overwrite"),
    ]
}
