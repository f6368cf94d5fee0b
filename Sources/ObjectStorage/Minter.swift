import Causality
import Synchronization

/// The actor in whose name a store mints dots.
///
/// It changes whenever something that it minted may be gone, or may come back: then the numbers
/// that it gave out are not known any more.
final class Minter: Sendable {
    private let state: Mutex<(actor: ActorID, earlier: Set<ActorID>)>

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

    /// Has somebody new mint from now on.
    func renew() {
        state.withLock {
            $0.earlier.insert($0.actor)
            $0.actor = $0.actor.successor
        }
    }
}
