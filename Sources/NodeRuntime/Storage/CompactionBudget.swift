package import StorageEngine

/// How fast all compactions of a node together may read and write, and who has to wait.
package struct CompactionBudget {
    /// How often the rate is chosen anew.
    package static let period = Duration.milliseconds(100)

    private var throttle: CompactionThrottle
    private var updateAt: ContinuousClock.Instant?
    /// When all that was done so far has been paid for.
    private var paidAt: ContinuousClock.Instant?
    /// Bytes a second; nil without a limit.
    package private(set) var rate: Int?

    /// Begins without a limit.
    package init(settings: CompactionThrottle.Settings = CompactionThrottle.Settings()) {
        throttle = CompactionThrottle(settings: settings)
    }

    /// Whether `update` is due; the caller then calls it.
    package mutating func isUpdateDue(at now: ContinuousClock.Instant) -> Bool {
        if let updateAt, now < updateAt { return false }
        updateAt = now + Self.period
        return true
    }

    /// Chooses the rate.
    ///
    /// - Parameters:
    ///   - backlog: bytes that wait for compaction.
    ///   - foreground: how the foreground fares; nil if that is not known.
    package mutating func update(backlog: Int, foreground: ForegroundLatency.Comparison?) {
        rate = throttle.allowedRate(
            backlog: backlog,
            latency: foreground?.latency,
            quietLatency: foreground?.quiet
        )
    }

    /// Notes bytes that were read or written.
    ///
    /// - Returns: when the compaction may go on.
    package mutating func charge(_ bytes: Int, at now: ContinuousClock.Instant)
        -> ContinuousClock.Instant
    {
        guard let rate, rate > 0 else {
            paidAt = nil
            return now
        }
        let cost = Duration.nanoseconds(Int64(Double(max(0, bytes)) * 1e9 / Double(rate)))
        let paid = max(paidAt ?? now, now) + cost
        paidAt = paid
        return paid
    }
}
