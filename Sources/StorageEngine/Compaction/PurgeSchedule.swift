/// The horizons that a tree was given: the one in force, and those that wait for the log.
///
/// What recovery reads again from the log goes into the tree as if it were new. A record from
/// before a horizon was given may be older than a tombstone that the horizon lets go, though it
/// lies behind it in the log: forgotten with the tombstone, it would come back alone. So a horizon
/// is in force once the log begins behind all records that were appended before it was given;
/// later ones are newer, as the owner says by giving it.
package struct PurgeSchedule: Sendable {
    private struct Waiting {
        var horizon: PurgeHorizon
        /// The last segment of the log that may hold records from before.
        let lastSegment: UInt64
    }

    /// What may be forgotten now.
    package private(set) var inForce = PurgeHorizon.never
    /// The next, and the newest: a horizon that is given often still comes into force.
    private var waiting: [Waiting] = []

    /// A schedule without horizons: nothing may be forgotten.
    package init() {}

    /// Takes a new horizon, which limits all others at once and comes into force later.
    ///
    /// - Parameters:
    ///   - horizon: what may be forgotten.
    ///   - lastSegment: the log's last segment with a record; nil if the order of the log is that
    ///     of the stamps, since then nothing need be waited for.
    package mutating func give(_ horizon: PurgeHorizon, lastSegment: UInt64?) {
        guard let lastSegment else {
            inForce = horizon
            return
        }
        inForce = inForce.limited(by: horizon)
        for index in waiting.indices {
            waiting[index].horizon = waiting[index].horizon.limited(by: horizon)
        }
        if waiting.count == 2 { waiting.removeLast() }
        waiting.append(Waiting(horizon: horizon, lastSegment: lastSegment))
    }

    /// Notes with which segment the log begins.
    ///
    /// - Returns: whether another horizon is in force now.
    package mutating func logBegins(with segment: UInt64) -> Bool {
        var hasChanged = false
        while let next = waiting.first, next.lastSegment < segment {
            inForce = next.horizon
            waiting.removeFirst()
            hasChanged = true
        }
        return hasChanged
    }

    /// The last segment that must leave the log before all horizons are in force; nil if none
    /// waits.
    package var segmentInTheWay: UInt64? { waiting.last?.lastSegment }
}
