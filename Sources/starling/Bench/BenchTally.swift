import Histogram
import StarlingClient

/// What one worker of a benchmark has measured.
struct BenchTally: Sendable {
    /// Latencies of the operations that succeeded, in microseconds.
    var latencies = Histogram<UInt64>(
        highestTrackableValue: 3_600_000_000,
        numberOfSignificantValueDigits: .three
    )
    /// Failures by the contract's code.
    var errors: [String: Int] = [:]
    /// Reads that found nothing.
    var absent = 0

    /// Notes a success.
    mutating func succeeded(in latency: Duration) {
        let microseconds =
            latency.components.seconds * 1_000_000
            + latency.components.attoseconds / 1_000_000_000_000
        latencies.record(min(UInt64(max(1, microseconds)), 3_600_000_000))
    }

    /// Notes a failure.
    mutating func failed(_ error: StarlingError) {
        errors[CommandError(error).code, default: 0] += 1
    }

    /// Takes in another worker's.
    mutating func add(_ other: BenchTally) {
        latencies.add(other.latencies)
        absent += other.absent
        for (code, count) in other.errors { errors[code, default: 0] += count }
    }

    /// Operations that succeeded.
    var operations: Int { Int(clamping: latencies.totalCount) }
    /// Operations that failed.
    var failures: Int { errors.values.reduce(0, +) }
}
