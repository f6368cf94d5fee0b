import Causality
import StorageEngine
import Synchronization

/// The actor in whose name a store mints dots.
///
/// It changes whenever something that it minted may be gone, or may come back: then the numbers
/// that it gave out are not known any more.
final class Minter: Sendable {
    private let state: Mutex<(actor: ActorID, earlier: Set<ActorID>)>
    /// Damage behind which things may lie that an earlier actor minted, and the present one none.
    private let known = Mutex<[StorageError]>([])
    /// How much of it is remembered; where more is met, some is taken for new again.
    private static let maximumKnown = 1024

    /// How often an earlier life is taken to have changed its actor, at most: 8.
    private static let maximumRenewals = 8

    /// Begins with this life's actor, and those of earlier lives.
    init(_ actor: ActorID, earlier: [ActorID]) {
        var all: Set<ActorID> = []
        for life in earlier {
            var minted = life
            for _ in 0...Self.maximumRenewals {
                all.insert(minted)
                minted = minted.successor
            }
        }
        state = Mutex((actor, all))
    }

    /// Who mints now, and those in whose name this node minted before.
    var minting: (actor: ActorID, earlier: Set<ActorID>) { state.withLock { $0 } }

    /// Has somebody new mint from now on if some of this damage was not met before.
    ///
    /// What is minted after it was met is written elsewhere, and can be read there.
    func renew(meeting damage: [StorageError]) {
        let isNew = known.withLock { known in
            let new = damage.filter { !known.contains($0) }
            known += new
            known.removeFirst(max(0, known.count - Self.maximumKnown))
            return !new.isEmpty
        }
        if isNew { renew() }
    }

    /// Has somebody new mint from now on.
    func renew() {
        state.withLock {
            $0.earlier.insert($0.actor)
            $0.actor = $0.actor.successor
        }
    }
}
