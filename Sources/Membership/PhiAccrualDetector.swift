package import ClusterPrimitives

/// How suspicious the silence of one directed link is.
///
/// Hayashibara et al., "The φ accrual failure detector" (SRDS 2004), in Cassandra's exponential
/// form: φ = silence / mean interval / ln 10, which is −log₁₀ of the chance that a link with such
/// a mean stays silent so long. 1 means one false suspicion in ten, 8 one in 10⁸; at the default
/// period of 250 ms, 8 is reached after 4.6 s.
///
/// Feed it only what came directly over the link; relayed news would hide a broken one. It
/// changes routing, never ownership.
package struct PhiAccrualDetector: Sendable {
    /// What can be tuned.
    package struct Settings: Equatable, Sendable {
        /// Time between two heartbeats of the peer; 250 ms.
        ///
        /// Must be the peer's. More is less traffic and slower suspicion, less the contrary.
        package var period: Duration
        /// Intervals kept; 1,000, about four minutes of them.
        ///
        /// More is steadier, fewer follows a link that changed sooner.
        package var windowSize: Int
        /// Intervals longer than this many periods are no sample; 2.
        ///
        /// They are the failures that are to be noticed: kept, one long silence would make the
        /// next one look ordinary. More lets the mean follow a link that became slow, and delays
        /// suspicion.
        package var longestSampleInPeriods: Int
        /// How late the owner's own evaluation may come before it distrusts itself; 5 s.
        ///
        /// Less excuses peers after shorter pauses of this node, more accuses them of its pauses.
        package var localPause: Duration

        /// The defaults where nothing is said; numbers below 1 count as 1.
        package init(
            period: Duration = .milliseconds(250),
            windowSize: Int = 1000,
            longestSampleInPeriods: Int = 2,
            localPause: Duration = .seconds(5)
        ) {
            self.period = max(period, .nanoseconds(1))
            self.windowSize = max(1, windowSize)
            self.longestSampleInPeriods = max(1, longestSampleInPeriods)
            self.localPause = localPause
        }
    }

    /// What it was made with.
    package let settings: Settings
    /// The last direct sign of life.
    package private(set) var lastArrival: MonotonicInstant

    /// Nanoseconds; a circle once it is full, `oldest` being the next to go.
    private var intervals: [UInt64]
    private var oldest = 0
    private var sum: UInt64
    private var lastHeartbeat: MonotonicInstant?
    private var lastEvaluation: MonotonicInstant?
    private var excusedUntil: MonotonicInstant?

    /// A link that is watched from `start` on, though nothing has come over it yet.
    package init(settings: Settings = Settings(), start: MonotonicInstant) {
        self.settings = settings
        lastArrival = start
        // The first sample is two periods, as in Cassandra: a young link is judged mildly.
        let first = Self.nanoseconds(settings.period).multipliedReportingOverflow(by: 2)
        sum = first.overflow ? UInt64(Int64.max) : first.partialValue
        intervals = [sum]
    }

    /// Takes a heartbeat of the peer, which came directly.
    ///
    /// One that is older than the last changes nothing.
    package mutating func heartbeat(at now: MonotonicInstant) {
        if let last = lastHeartbeat {
            guard now > last else { return }
            let interval = now.nanoseconds - last.nanoseconds
            if interval <= longestSample { record(interval) }
        }
        lastHeartbeat = now
        lastArrival = max(lastArrival, now)
    }

    /// Takes any other direct sign of life, such as a reply: it ends the silence, but being
    /// irregular it is no sample.
    package mutating func reply(at now: MonotonicInstant) {
        lastArrival = max(lastArrival, now)
    }

    /// Notes that the owner evaluates the link now, which it does about once a period.
    ///
    /// When that comes later than `Settings.localPause` after the time before, it was this node
    /// that stood still: the peer is not judged now nor for as long again.
    package mutating func evaluated(at now: MonotonicInstant) {
        if let last = lastEvaluation, now > last,
            now - last > settings.period + settings.localPause
        {
            excusedUntil = now + settings.localPause
        }
        lastEvaluation = max(lastEvaluation ?? now, now)
    }

    /// Whether the peer is not judged, because this node itself stood still a moment ago.
    package func isExcused(at now: MonotonicInstant) -> Bool {
        excusedUntil.map { now <= $0 } ?? false
    }

    /// The suspicion, at least 0; 0 while the peer is excused or `now` lies before the last
    /// arrival.
    package func phi(at now: MonotonicInstant) -> Double {
        guard now > lastArrival, !isExcused(at: now) else { return 0 }
        let silence = Double(now.nanoseconds - lastArrival.nanoseconds)
        let naturalLogarithmOfTen = 2.302_585_092_994_046
        return silence / meanInNanoseconds / naturalLogarithmOfTen
    }

    /// The mean interval of the window.
    package var meanInterval: Duration { .nanoseconds(Int64(min(meanInNanoseconds, 0x1p62))) }

    private var meanInNanoseconds: Double { max(1, Double(sum) / Double(intervals.count)) }

    private var longestSample: UInt64 {
        let product = Self.nanoseconds(settings.period)
            .multipliedReportingOverflow(by: UInt64(settings.longestSampleInPeriods))
        return product.overflow ? .max : product.partialValue
    }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        UInt64(max(1, duration.wholeNanoseconds))
    }

    private mutating func record(_ interval: UInt64) {
        // Saturates only with periods of centuries; phi is then merely small.
        func saturatingSum(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let result = left.addingReportingOverflow(right)
            return result.overflow ? .max : result.partialValue
        }
        if intervals.count < settings.windowSize {
            intervals.append(interval)
        } else {
            sum -= min(sum, intervals[oldest])
            intervals[oldest] = interval
            oldest = (oldest + 1) % settings.windowSize
        }
        sum = saturatingSum(sum, interval)
    }
}
