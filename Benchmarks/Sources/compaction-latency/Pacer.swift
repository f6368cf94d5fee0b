import Foundation
import StorageEngine

/// Holds a compaction to the rate that the engine's throttle allows.
struct Pacer {
    private var throttle = CompactionThrottle()
    private let reads: OpenLoopReads
    /// The p99 of reads without compaction, in microseconds.
    private let quietLatency: Double
    private var rate: Int?
    private var asked = ContinuousClock.now
    /// When the bytes so far are paid for.
    private var free = ContinuousClock.now

    init(reads: OpenLoopReads, quietLatency: Double) {
        self.reads = reads
        self.quietLatency = quietLatency
    }

    /// Waits until compaction may go on after `bytes` more.
    mutating func wait(for bytes: Int, backlog: Int) {
        ask(backlog: backlog)
        guard let rate else { return }
        free = max(free, .now) + .seconds(Double(bytes) / Double(rate))
        while free > .now {
            let rest = min(free - .now, .milliseconds(50))
            if rest > .zero { usleep(UInt32(rest / .microseconds(1))) }
        }
    }

    /// Asks the throttle anew ten times a second.
    private mutating func ask(backlog: Int) {
        guard .now - asked >= .milliseconds(100) else { return }
        asked = .now
        let recent = reads.takeRecent()
        rate = throttle.allowedRate(
            backlog: backlog,
            latency: recent.isEmpty ? nil : .microseconds(recent.percentile(0.99)),
            quietLatency: .microseconds(quietLatency)
        )
    }
}
