package import ClusterPrimitives
import Glibc
package import NodeCore

/// The machine's clocks.
package enum SystemClock {
    /// The time on both clocks.
    package static var now: Instant {
        Instant(monotonic: monotonicTime, wall: wallTime)
    }

    /// The clock that only goes forward.
    static var monotonicTime: MonotonicInstant {
        let (seconds, nanoseconds) = read(CLOCK_MONOTONIC)
        return MonotonicInstant(nanoseconds: seconds &* 1_000_000_000 &+ nanoseconds)
    }

    /// The clock that dates versions.
    package static var wallTime: WallClockTime {
        let (seconds, nanoseconds) = read(CLOCK_REALTIME)
        return WallClockTime(milliseconds: seconds &* 1000 &+ nanoseconds / 1_000_000)
    }

    private static func read(_ clock: clockid_t) -> (seconds: UInt64, nanoseconds: UInt64) {
        var time = timespec()
        clock_gettime(clock, &time)
        return (UInt64(clamping: time.tv_sec), UInt64(clamping: time.tv_nsec))
    }
}
