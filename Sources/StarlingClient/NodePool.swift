internal import ClusterPrimitives
internal import MutualTLS
internal import NIOCore
internal import Synchronization

/// The connections to one node.
final class NodePool: Sendable {
    /// Where the node listens for clients.
    let endpoint: Endpoint

    private struct State {
        var machine: PoolStateMachine
        var connections: [Int: ClientConnection] = [:]
        var lastFailure: ConnectionFailure?
        var isClosed = false
    }

    private let name: String?
    private let tls: TLSContext
    private let configuration: ClientConfiguration
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    /// A pool without connections.
    init(
        endpoint: Endpoint,
        name: String?,
        tls: TLSContext,
        configuration: ClientConfiguration,
        group: any EventLoopGroup
    ) {
        self.endpoint = endpoint
        self.name = name
        self.tls = tls
        self.configuration = configuration
        self.group = group
        state = Mutex(
            State(
                machine: PoolStateMachine(
                    maximumConnections: configuration.connectionsPerNode,
                    maximumLoad: configuration.maximumRequestsPerConnection
                )
            )
        )
    }

    /// Whether other nodes are to be asked first.
    func isAvoided(at now: MonotonicInstant) -> Bool {
        state.withLock { $0.machine.isAvoided(at: now) }
    }

    /// Whether the node has greeted on a connection that is still open.
    var isOpen: Bool {
        state.withLock { $0.machine.connections.contains { $0.isReady } }
    }

    /// Sends a frame and waits for what becomes of it.
    func send(_ frame: [UInt8], sendBy: NIODeadline, answerBy: NIODeadline) async -> AttemptOutcome
    {
        switch place() {
        case .failure(let outcome):
            return outcome.outcome
        case .success(let connection):
            let outcome = await withCheckedContinuation { continuation in
                connection.submit(
                    OutgoingRequest(
                        frame: frame,
                        sendBy: sendBy,
                        answerBy: answerBy,
                        complete: { continuation.resume(returning: $0) }
                    )
                )
            }
            state.withLock { state in
                state.machine.release(connection.id)
                switch outcome {
                case .replied: state.machine.answered()
                case .expired, .notSentInTime: state.machine.stayedSilent(at: .now)
                case .notSent, .lost: break
                }
            }
            return outcome
        }
    }

    /// Closes all connections and opens no more.
    func close() {
        let connections = state.withLock { state in
            state.isClosed = true
            return state.connections.values.map { $0 }
        }
        for connection in connections { connection.close() }
    }

    private struct NoPlace: Error {
        var outcome: AttemptOutcome
    }

    private func place() -> Result<ClientConnection, NoPlace> {
        let (connection, isNew) = state.withLock {
            state -> (Result<ClientConnection, NoPlace>, Bool) in
            if state.isClosed {
                let failure = ConnectionFailure(kind: .closed, message: "the client was closed")
                return (.failure(NoPlace(outcome: .notSent(failure))), false)
            }
            switch state.machine.lease(at: .now) {
            case .use(let id):
                guard let connection = state.connections[id] else {
                    return (.failure(NoPlace(outcome: .notSentInTime)), false)
                }
                return (.success(connection), false)
            case .open(let id):
                let connection = ClientConnection(id: id, on: group.next())
                state.connections[id] = connection
                return (.success(connection), true)
            case .full:
                return (.failure(NoPlace(outcome: .notSentInTime)), false)
            case .backingOff:
                let failure =
                    state.lastFailure
                    ?? ConnectionFailure(kind: .unreachable, message: "not reachable lately")
                return (.failure(NoPlace(outcome: .notSent(failure))), false)
            }
        }
        if isNew, case .success(let connection) = connection { open(connection) }
        return connection
    }

    private func open(_ connection: ClientConnection) {
        let id = connection.id
        connection.open(
            to: endpoint,
            named: name,
            tls: tls,
            configuration: configuration,
            onOpen: { [self] in state.withLock { $0.machine.opened(id) } },
            onClose: { [self] failure in
                state.withLock { state in
                    state.machine.closed(id, at: .now)
                    state.connections[id] = nil
                    state.lastFailure = failure
                }
            }
        )
    }
}

extension MonotonicInstant {
    /// The present, on the clock that the event loops use.
    static var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
    }
}
