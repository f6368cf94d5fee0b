import Synchronization

/// How long lanes wait for the store's disk: lately, and while no compaction runs.
///
/// Syncs and reads are kept apart, since one takes many times as long as the other.
package final class ForegroundLatency: Sendable {
    /// What a lane waits for.
    package enum Wait: Int, CaseIterable, Sendable {
        /// The log's sync, from the first write that waits for it.
        case sync
        /// A job that has to read from the disk, its time in the queue included.
        case read
    }

    /// What a wait takes beside what it takes without compaction.
    package struct Comparison: Equatable, Sendable {
        /// The mean lately.
        package var latency: Duration
        /// The mean without compaction.
        package var quiet: Duration

        /// A wait and what it usually is.
        package init(latency: Duration, quiet: Duration) {
            self.latency = latency
            self.quiet = quiet
        }
    }

    private struct Measured {
        var count = 0
        var sum = Duration.zero
        var quiet: Duration?

        /// The mean since the last call; nil if there was nothing.
        mutating func takeMean() -> Duration? {
            guard count > 0 else { return nil }
            defer { (count, sum) = (0, .zero) }
            return sum / count
        }
    }

    /// The share of a new mean in what is known as quiet: one in so many.
    ///
    /// With twenty calls a second a change of load is known after about two seconds.
    private static let inertia = 32

    private let measured = Mutex(Array(repeating: Measured(), count: Wait.allCases.count))

    /// Begins without knowing anything.
    package init() {}

    /// Notes one wait.
    package func record(_ wait: Wait, _ duration: Duration) {
        measured.withLock { measured in
            measured[wait.rawValue].count += 1
            measured[wait.rawValue].sum += duration
        }
    }

    /// Takes what was measured since the last call for quiet; to be called often while no
    /// compaction runs.
    package func settle() {
        measured.withLock { measured in
            for index in measured.indices {
                guard let mean = measured[index].takeMean() else { continue }
                let quiet = measured[index].quiet ?? mean
                measured[index].quiet = quiet + (mean - quiet) / Self.inertia
            }
        }
    }

    /// What was measured since the last call, of the wait that suffers most; nil if nothing was,
    /// or nothing is known to compare it with.
    package func compare() -> Comparison? {
        measured.withLock { measured in
            var worst: Comparison?
            for index in measured.indices {
                guard let mean = measured[index].takeMean(),
                    let quiet = measured[index].quiet, quiet > .zero
                else { continue }
                if let known = worst, known.latency / known.quiet >= mean / quiet { continue }
                worst = Comparison(latency: mean, quiet: quiet)
            }
            return worst
        }
    }
}
