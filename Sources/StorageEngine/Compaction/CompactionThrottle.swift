/// How fast compaction may write, from what waits for it and what it does to the foreground.
///
/// Additive increase, multiplicative decrease: each call at which the foreground is more than
/// `Settings.patience` times as slow as when it is quiet halves the rate; each other one raises it
/// by a 64th of the ceiling, at which there is no limit. Below both lies what the backlog
/// asks for: the floor up to `Settings.ordinaryBacklog`, from there growing with its square, no
/// limit from `Settings.maximumBacklog` on. So compaction never stands still, and a backlog that
/// grows ends by winning against the foreground, before memory is full and writes are refused.
public struct CompactionThrottle: Sendable {
    /// The bounds within which the rate moves.
    public struct Settings: Sendable {
        /// Bytes a second that are always allowed; 8 MiB.
        ///
        /// Less may let the backlog grow under a steady load until it outweighs the foreground.
        public var floor = 8 << 20
        /// Bytes a second from which on there is no limit; 1 GiB.
        public var ceiling = 1 << 30
        /// Bytes waiting for compaction up to which the floor is enough; 1 GiB.
        public var ordinaryBacklog = 1 << 30
        /// Bytes waiting from which on the foreground has no say; 8 GiB.
        public var maximumBacklog = 8 << 30
        /// How many times its quiet latency the foreground may have, at least 1; 2.
        public var patience = 2.0

        /// The defaults.
        public init() {}
    }

    private let settings: Settings
    private var rate: Double

    /// Begins without a limit.
    public init(settings: Settings = Settings()) {
        self.settings = settings
        rate = Double(settings.ceiling)
    }

    /// Says how fast all compactions together may write until the next call.
    ///
    /// To be called at regular times, about ten a second.
    ///
    /// - Parameters:
    ///   - backlog: bytes of the compactions that wait.
    ///   - latency: the foreground's latency since the last call; nil if nothing was measured.
    ///   - quietLatency: what it is without compaction; nil if that is not known.
    ///   - writeBudget: bytes a second that the disk has left; nil if that is not known.
    /// - Returns: bytes a second; nil if there is no limit.
    public mutating func allowedRate(
        backlog: Int,
        latency: Duration?,
        quietLatency: Duration?,
        writeBudget: Int? = nil
    ) -> Int? {
        let ceiling = Double(settings.ceiling)
        let floor = min(Double(settings.floor), ceiling)
        if isDisturbed(latency, quietLatency) {
            rate = max(floor, rate / 2)
        } else {
            rate = min(ceiling, rate + ceiling / 64)
        }
        let wanted = min(rate, writeBudget.map { Double(max($0, 0)) } ?? ceiling)
        let allowed = max(wanted, floor + (ceiling - floor) * urgency(of: backlog))
        return allowed >= ceiling ? nil : Int(allowed)
    }

    private func isDisturbed(_ latency: Duration?, _ quiet: Duration?) -> Bool {
        guard let latency, let quiet, quiet > .zero else { return false }
        return latency / quiet > max(settings.patience, 1)
    }

    /// From 0 at the ordinary backlog to 1 at the largest.
    private func urgency(of backlog: Int) -> Double {
        let span = Double(settings.maximumBacklog) - Double(settings.ordinaryBacklog)
        guard span > 0 else { return backlog < settings.maximumBacklog ? 0 : 1 }
        let share = (Double(backlog) - Double(settings.ordinaryBacklog)) / span
        let bounded = min(max(share, 0), 1)
        return bounded * bounded
    }
}
