import ClusterPrimitives
import Replication
import Synchronization

/// Which keys are being updated, and who waits for each.
///
/// Of one key one update at a time reads the copy, changes it and makes the new one readable. An
/// update that finds its key taken waits here; whoever gives the key back takes over all that
/// wait.
final class KeyQueues: Sendable {
    /// A key of a keyspace.
    struct Place: Hashable, Sendable {
        var keyspace: KeyspaceNumber
        var token: UInt64
        var key: [UInt8]

        /// The token is a hash of the key already.
        func hash(into hasher: inout Hasher) { hasher.combine(token) }
    }

    /// An update that waits.
    struct Waiting: Sendable {
        var origin: JobOrigin
        var update: KeyUpdate
    }

    /// Only looked up, never walked.
    private struct Keys {
        var taken: Set<Place> = []
        /// Who waits, where anybody does.
        var waiting: [Place: [Waiting]] = [:]
    }

    private let keys = Mutex(Keys())

    /// Takes a key; where another has it, lets the update wait for that one's end.
    ///
    /// - Returns: whether the key is the caller's now.
    func take(
        _ place: Place,
        for origin: JobOrigin,
        _ update: @autoclosure () -> KeyUpdate
    ) -> Bool {
        // Most keys are free.
        if keys.withLock({ $0.taken.insert(place).inserted }) { return true }
        // Others need not wait while it is made.
        let waiting = Waiting(origin: origin, update: update())
        return keys.withLock { keys in
            if keys.taken.insert(place).inserted { return true }
            keys.waiting[place, default: []].append(waiting)
            return false
        }
    }

    /// Takes over what waits for a key that the caller has; where nothing does, gives it back.
    func next(_ place: Place) -> [Waiting] {
        keys.withLock { keys in
            if !keys.waiting.isEmpty, let waiting = keys.waiting.removeValue(forKey: place) {
                return waiting
            }
            keys.taken.remove(place)
            return []
        }
    }
}
