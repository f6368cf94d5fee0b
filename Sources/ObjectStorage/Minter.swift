import Causality
import Synchronization

/// The actor in whose name a store mints dots.
///
/// It changes whenever something that it minted may be gone, or may come back: then the numbers
/// that it gave out are not known any more.
final class Minter: Sendable {
    private let state: Mutex<ActorID>

    /// Begins with this life's actor.
    init(_ actor: ActorID) {
        state = Mutex(actor)
    }

    /// Who mints now.
    var actor: ActorID { state.withLock { $0 } }

    /// Has somebody new mint from now on.
    func renew() {
        state.withLock { $0 = $0.successor }
    }
}
