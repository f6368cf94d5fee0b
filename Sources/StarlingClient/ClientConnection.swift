internal import ClusterPrimitives
internal import MutualTLS
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// One connection to a node, open or being opened; takes requests from any thread.
final class ClientConnection: Sendable {
    /// Its number within the node's pool.
    let id: Int

    private struct Mailbox {
        var requests: [OutgoingRequest] = []
        var isDrainDue = false
        /// Whether the client asked for the connection's end.
        var isClosed = false
    }

    private let eventLoop: any EventLoop
    private let mailbox = Mutex(Mailbox())
    private let handler: NIOLoopBoundBox<ClientChannelHandler?>

    /// A connection that is not opened yet.
    init(id: Int, on eventLoop: any EventLoop) {
        self.id = id
        self.eventLoop = eventLoop
        handler = .makeEmptyBox(valueType: ClientChannelHandler.self, eventLoop: eventLoop)
    }

    /// Dials the node, secures the connection and greets.
    ///
    /// `onOpen` is called on the loop when the node has greeted; `onClose` is called on the loop,
    /// once, when the connection is gone or was never opened.
    func open(
        to endpoint: Endpoint,
        named name: String?,
        tls: TLSContext,
        configuration: ClientConfiguration,
        onOpen: @escaping @Sendable () -> Void,
        onClose: @escaping @Sendable (ConnectionFailure) -> Void
    ) {
        let timeout = TimeAmount(configuration.connectTimeout)
        eventLoop.execute {
            let handler = ClientChannelHandler(
                cluster: configuration.cluster,
                software: configuration.software,
                eventLoop: self.eventLoop,
                onOpen: onOpen,
                onClose: onClose
            )
            self.handler.value = handler
            // Requests may have been handed over before this ran.
            self.drain()
            if self.mailbox.withLock({ $0.isClosed }) {
                handler.close(Self.closedByClient)
                return
            }
            ClientBootstrap(group: self.eventLoop)
                .connectTimeout(timeout)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let handler = self.handler.value else { return }
                        try channel.pipeline.syncOperations.addHandlers(
                            TLSHandler(
                                context: tls,
                                expectedName: name,
                                handshakeTimeout: timeout
                            ),
                            handler
                        )
                    }
                }
                .connect(host: endpoint.host, port: Int(endpoint.port))
                .whenFailure { error in
                    self.handler.value?.close(ConnectionFailure(error))
                }
            self.eventLoop.scheduleTask(in: timeout) {
                self.handler.value?.giveUpOpening(after: configuration.connectTimeout)
            }
        }
    }

    /// Hands a request over; it hears what became of it.
    func submit(_ request: OutgoingRequest) {
        let isFirst = mailbox.withLock { mailbox in
            mailbox.requests.append(request)
            defer { mailbox.isDrainDue = true }
            return !mailbox.isDrainDue
        }
        if isFirst { eventLoop.execute { self.drain() } }
    }

    /// Closes the connection; requests that await an answer hear that it was lost.
    func close() {
        mailbox.withLock { $0.isClosed = true }
        eventLoop.execute { self.handler.value?.close(Self.closedByClient) }
    }

    private static let closedByClient = ConnectionFailure(
        kind: .closed,
        message: "the client was closed"
    )

    private func drain() {
        // Before `open` ran there is nobody to take them; it looks again.
        guard let handler = handler.value else { return }
        let requests = mailbox.withLock { mailbox in
            mailbox.isDrainDue = false
            return exchange(&mailbox.requests, with: [])
        }
        handler.accept(requests)
    }
}

extension TimeAmount {
    /// The same length.
    init(_ duration: Duration) {
        self = .nanoseconds(duration.wholeNanoseconds)
    }
}
