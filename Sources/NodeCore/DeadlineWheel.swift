import ClusterPrimitives

/// When requests are to be looked at again: a wheel of ticks, cancelled lazily.
///
/// An entry of a request that is gone finds a stale id and is dropped when its tick comes. Due
/// entries come in the order of their ticks, then of their insertion.
struct DeadlineWheel {
    /// What is due.
    enum Purpose: UInt8 {
        /// The request's end.
        case deadline
        /// A relay or a slow replica has had its time.
        case patience
    }

    /// An entry that is due.
    struct Entry {
        var id: RequestID
        var purpose: Purpose
        var tick: UInt64
    }

    /// The length of a tick.
    static let tick: Duration = .milliseconds(8)
    private static let nanosecondsPerTick: UInt64 = 8_000_000

    private var buckets: [[Entry]] = Array(repeating: [], count: 512)
    private var current: UInt64 = 0
    private var isStarted = false
    /// How many entries there are, those of requests that are gone included.
    private(set) var count = 0

    /// Enters a request.
    mutating func insert(
        _ id: RequestID,
        _ purpose: Purpose,
        due: MonotonicInstant,
        now: MonotonicInstant
    ) {
        if !isStarted {
            current = now.nanoseconds / Self.nanosecondsPerTick
            isStarted = true
        }
        // Rounded up: never early.
        let tick = max(
            current + 1,
            due.nanoseconds / Self.nanosecondsPerTick + 1
        )
        buckets[Int(tick % UInt64(buckets.count))].append(
            Entry(id: id, purpose: purpose, tick: tick)
        )
        count += 1
    }

    /// Takes out what is due by `now`.
    mutating func due(by now: MonotonicInstant) -> [Entry] {
        guard isStarted else { return [] }
        let target = now.nanoseconds / Self.nanosecondsPerTick
        var result: [Entry] = []
        // After a pause of more than a lap every bucket is looked at once.
        let first =
            target > current + UInt64(buckets.count)
            ? target - UInt64(buckets.count) : current
        var tick = first
        while tick < target {
            tick += 1
            let bucket = Int(tick % UInt64(buckets.count))
            guard !buckets[bucket].isEmpty else { continue }
            var later: [Entry] = []
            for entry in buckets[bucket] {
                if entry.tick <= target { result.append(entry) } else { later.append(entry) }
            }
            buckets[bucket] = later
        }
        // Within a lap the buckets are in order already; a longer pause mixes laps.
        if target > current + UInt64(buckets.count) { result = Self.byTick(result) }
        current = max(current, target)
        count -= result.count
        return result
    }

    private static func byTick(_ entries: [Entry]) -> [Entry] {
        entries.enumerated()
            .sorted { ($0.element.tick, $0.offset) < ($1.element.tick, $1.offset) }
            .map(\.element)
    }

    /// Drops the entries of requests that are gone.
    mutating func keep(_ isOpen: (RequestID) -> Bool) {
        for bucket in buckets.indices {
            buckets[bucket].removeAll { !isOpen($0.id) }
        }
        count = buckets.reduce(0) { $0 + $1.count }
    }
}
