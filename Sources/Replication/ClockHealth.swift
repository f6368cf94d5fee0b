import Causality
package import ClusterPrimitives

/// How this node's wall clock stands to those of the nodes that it hears.
///
/// The judgement is made now and then; between two of them a step of the wall clock shows against
/// the monotonic one, so that no stamp is made with a clock that has just jumped.
package struct ClockHealth: Equatable, Sendable {
    /// Milliseconds by which this clock was ahead of the median; 0 where nobody is heard.
    package var deviation: Int64
    /// The wall clock's milliseconds less the monotonic clock's, when that was judged; nil before.
    package var drift: Int64?

    /// A clock that nobody has judged.
    package init() {
        deviation = 0
        drift = nil
    }

    /// Judges this clock by how far others are ahead of it, in milliseconds.
    ///
    /// With two clocks nobody can tell which one is wrong: of the two in the middle the nearer
    /// one counts, which is this node's own.
    package init(
        offsets: [Int64],
        wall: WallClockTime,
        monotonic: MonotonicInstant
    ) {
        deviation = -Self.median(offsets)
        drift = Self.drift(wall, monotonic)
    }

    /// Milliseconds by which the median of these clocks and this one is ahead of this one.
    package static func median(_ offsets: [Int64]) -> Int64 {
        let all = (offsets + [0]).sorted()
        let upper = all[all.count / 2]
        let lower = all[(all.count - 1) / 2]
        return lower.magnitude < upper.magnitude ? lower : upper
    }

    /// By how many milliseconds this clock is ahead now.
    package func deviation(
        at wall: WallClockTime,
        _ monotonic: MonotonicInstant
    ) -> Int64 {
        guard let drift else { return 0 }
        return deviation + Self.drift(wall, monotonic) - drift
    }

    /// Whether a clock so far from the others' stamps no writes.
    package static func isOff(_ deviation: Int64) -> Bool {
        deviation.magnitude > HybridClock.maximumOffsetMilliseconds
    }

    /// The milliseconds of a wall clock less those of a monotonic one.
    ///
    /// Both are below 2⁶³ ns and 2⁴⁸ ms, so nothing overflows.
    package static func drift(_ wall: WallClockTime, _ monotonic: MonotonicInstant) -> Int64 {
        Int64(clamping: wall.milliseconds) - Int64(clamping: monotonic.nanoseconds / 1_000_000)
    }
}
