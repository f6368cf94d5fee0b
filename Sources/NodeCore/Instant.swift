package import ClusterPrimitives

/// The time of a step: on the clock that measures durations and on the one that dates versions.
package struct Instant: Sendable {
    /// For durations and deadlines.
    package var monotonic: MonotonicInstant
    /// For versions and expiry.
    package var wall: WallClockTime

    /// The time on both clocks.
    package init(monotonic: MonotonicInstant, wall: WallClockTime) {
        self.monotonic = monotonic
        self.wall = wall
    }
}
