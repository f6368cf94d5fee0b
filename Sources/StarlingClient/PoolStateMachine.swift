internal import ClusterPrimitives

/// Which connection to one node a request takes, and when a lost node is dialled again.
struct PoolStateMachine {
    /// A connection, open or being opened.
    struct Connection: Equatable {
        /// Never used again.
        var id: Int
        /// Whether the node has greeted.
        var isReady = false
        /// Requests that it carries.
        var load = 0
    }

    /// Where a request goes.
    enum Lease: Equatable {
        /// On this connection.
        case use(Int)
        /// On this connection, which is to be opened.
        case open(Int)
        /// Nowhere: all connections carry as much as they may.
        case full
        /// Nowhere: the node could not be reached and is not dialled again yet.
        case backingOff
    }

    /// The pause after the first failure: 50 ms; doubled with each that follows.
    static let firstPause: Duration = .milliseconds(50)
    /// The longest pause: 1 s, below the usual deadline, so that a request finds out for itself.
    static let longestPause: Duration = .seconds(1)

    /// How long others are asked first after a node left a request without an answer: 2 s.
    static let silencePenalty: Duration = .seconds(2)

    private(set) var connections: [Connection] = []
    private var nextID = 0
    private var failures = 0
    private var dialAgainAt: MonotonicInstant?
    private var avoidedUntil: MonotonicInstant?
    private let maximumConnections: Int
    private let maximumLoad: Int

    /// A pool without connections.
    init(maximumConnections: Int, maximumLoad: Int) {
        self.maximumConnections = max(1, maximumConnections)
        self.maximumLoad = max(1, maximumLoad)
    }

    /// Whether a request would not be taken because the node lately could not be reached.
    func isBackingOff(at now: MonotonicInstant) -> Bool {
        guard connections.isEmpty, let dialAgainAt else { return false }
        return now < dialAgainAt
    }

    /// Whether other nodes are to be asked first: it cannot be reached, or did not answer.
    func isAvoided(at now: MonotonicInstant) -> Bool {
        if isBackingOff(at: now) { return true }
        guard let avoidedUntil else { return false }
        return now < avoidedUntil
    }

    /// The node answered a request.
    mutating func answered() {
        avoidedUntil = nil
    }

    /// The node left a request without an answer, or did not greet, until its time was up.
    mutating func stayedSilent(at now: MonotonicInstant) {
        avoidedUntil = now + Self.silencePenalty
    }

    /// Finds a place for one request.
    mutating func lease(at now: MonotonicInstant) -> Lease {
        if isBackingOff(at: now) { return .backingOff }
        let least = connections.indices.min { connections[$0].load < connections[$1].load }
        if let least, connections[least].load == 0 || connections.count >= maximumConnections {
            guard connections[least].load < maximumLoad else { return .full }
            connections[least].load += 1
            return .use(connections[least].id)
        }
        let connection = Connection(id: nextID, load: 1)
        nextID += 1
        connections.append(connection)
        return .open(connection.id)
    }

    /// A request that was placed on a connection is over.
    mutating func release(_ id: Int) {
        guard let index = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[index].load = max(0, connections[index].load - 1)
    }

    /// A node has greeted on a connection.
    mutating func opened(_ id: Int) {
        guard let index = connections.firstIndex(where: { $0.id == id }) else { return }
        connections[index].isReady = true
        failures = 0
        dialAgainAt = nil
    }

    /// A connection is gone, or was never opened.
    mutating func closed(_ id: Int, at now: MonotonicInstant) {
        guard let index = connections.firstIndex(where: { $0.id == id }) else { return }
        let connection = connections.remove(at: index)
        guard !connection.isReady else { return }
        dialAgainAt = now + min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
        failures += 1
    }
}
