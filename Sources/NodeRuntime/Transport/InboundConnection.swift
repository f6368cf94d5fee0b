import ByteCoding
import ClusterPrimitives
import MutualTLS
import NIOCore
import NIOTLS
import NodeCore
import PeerProtocol

/// A connection that someone else opened, from its handshake to its end.
///
/// It says who the other side is, hands whole reads to its loop's lane, and writes what comes
/// back; it understands the hello and no other frame. Confined to the channel's event loop.
final class InboundConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What both ports' connections need to know.
    struct Settings: Sendable {
        /// From the connection's start to the end of the hello.
        var handshakeTimeout: Duration
        /// Requests of one client under way, from which on no more are read: 1,024.
        ///
        /// More lets one client take more of the lane's table.
        var maximumRequestsInFlight = 1024
        /// Bytes that wait to be sent to a client, beyond which it is cut: 64 MiB.
        var maximumPendingBytes = 64 << 20
        /// Bytes that wait to be sent to a peer, beyond which the next ones cut it: 144 MiB, two of
        /// the longest frames.
        var maximumPendingPeerBytes = 2 * Frame.maximumPeerBodySize
    }

    /// How far the connection has come.
    enum Stage {
        case handshake
        case hello(PeerIdentity)
        case client(ConnectionID, isAdmin: Bool)
        case peer(ConnectionID, NodeID)
        case urgentPeer(NodeID)
        case closed
    }

    let port: Port
    let driver: LaneDriver
    private(set) var stage = Stage.handshake
    private var accumulator = FrameAccumulator()
    private var context: ChannelHandlerContext?
    private let tls: TLSHandler
    private let settings: Settings
    private let gate: ConnectionGate
    private let refusals: RefusalLog
    private var ticket: ConnectionGate.Ticket?
    private var isAccepted = false
    private var deadline: Scheduled<Void>?
    private var requestsInFlight = 0
    private var isReadHeld = false

    /// Which port it came in by.
    enum Port: String, Sendable {
        case peer
        case client
    }

    init(
        port: Port,
        driver: LaneDriver,
        tls: TLSHandler,
        settings: Settings,
        gate: ConnectionGate,
        refusals: RefusalLog
    ) {
        self.port = port
        self.driver = driver
        self.tls = tls
        self.settings = settings
        self.gate = gate
        self.refusals = refusals
    }

    private var isLingering = false

    /// Whether a client has nothing under way.
    var isIdle: Bool { requestsInFlight == 0 }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let (ticket, evicted) = gate.enter(context.channel)
        self.ticket = ticket
        if let evicted {
            log("too many connections that have not said who they are", evicted.remoteAddress)
            evicted.close(promise: nil)
        }
        let loop = context.eventLoop.assumeIsolated()
        deadline = loop.scheduleTask(in: TimeAmount(settings.handshakeTimeout)) { [weak self] in
            self?.refuse("it did not say who it is within \(self?.timeoutText ?? "its time")")
        }
    }

    private var timeoutText: String { "\(settings.handshakeTimeout.wholeMilliseconds) ms" }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        stopLingering()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event, case .handshake = stage {
            if let identity = tls.peerIdentity {
                stage = .hello(identity)
            } else {
                refuse("its certificate names nobody")
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch stage {
        case .handshake where error as? TLSError == .closedDuringHandshake:
            // Probes of load balancers and clients that changed their mind do that.
            driver.connectionBroke(port, context.channel.remoteAddress, error)
            close()
        case .handshake, .hello:
            refuse("\(error)")
        case .client, .peer, .urgentPeer:
            // The other side broke off; ordinary, and told by what is missing afterwards.
            driver.connectionBroke(port, context.channel.remoteAddress, error)
            close()
        case .closed:
            break
        }
    }

    /// Logs why the other side is not let in, or no longer, and closes.
    func refuse(_ reason: String) {
        if case .closed = stage { return }
        log(reason, context?.channel.remoteAddress)
        close()
    }

    private func log(_ reason: String, _ address: SocketAddress?) {
        refusals.refused(
            port: port.rawValue,
            address: address.map(AddressText.of) ?? "unknown",
            reason: reason
        )
    }

    /// Closes without a word.
    ///
    /// A client that waits for answers must not take it for an end in order.
    func close() {
        let context = context
        let isOrderly = isIdle
        end()
        if isOrderly { context?.close(promise: nil) } else { tls.breakOff() }
    }

    /// Ends the connection of a client to which no answer is owed: what it sends from now on is
    /// not acted on, and it can tell that from the end's being in order.
    ///
    /// The socket stays until the client closes it, since closing with bytes unread would reset
    /// the connection and so destroy the news.
    func endInOrder() {
        guard let context, isIdle else { return }
        end()
        isLingering = true
        driver.lingeringCount += 1
        context.close(mode: .output, promise: nil)
    }

    private func stopLingering() {
        guard isLingering else { return }
        isLingering = false
        driver.lingeringCount -= 1
    }

    /// Sends a last frame and closes once it is sent.
    func close(after frame: ByteBuffer) {
        guard let context else { return }
        end()
        let sent = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        sent.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(frame), promise: sent)
    }

    /// Leaves all tables; what is written later is dropped.
    private func end() {
        deadline?.cancel()
        deadline = nil
        let last = stage
        stage = .closed
        switch last {
        case .client(let id, _), .peer(let id, _): driver.detach(id)
        case .handshake, .hello, .urgentPeer, .closed: break
        }
        if let ticket {
            gate.leave(ticket, wasAccepted: isAccepted)
            self.ticket = nil
        }
        accumulator = FrameAccumulator()
    }

    // MARK: Reads

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .closed = stage { return }
        var read = unwrapInboundIn(data)
        accumulator.append(&read)
        do throws(CodingError) {
            try takeHello()
            try takeFrames()
        } catch {
            // Whole frames may have gone before it, so that the end is not in order.
            requestsInFlight += 1
            refuse("it sent a malformed frame: \(error)")
        }
    }

    private func takeHello() throws(CodingError) {
        guard case .hello(let identity) = stage else { return }
        var answer = HelloAnswer.wait
        try accumulator.forEachFrame { header, body, bytes in
            answer =
                switch port {
                case .client: clientHello(header, body, bytes, identity)
                case .peer: peerHello(header, body, bytes, identity)
                }
            return .stop
        }
        switch answer {
        case .wait:
            break
        case .refuse(let reason, let frame):
            log(reason, context?.channel.remoteAddress)
            close(after: frame)
        case .drop:
            close()
        case .accept(let stage, let frame):
            accept(stage, frame)
        }
    }

    private func accept(_ make: (InboundConnection) -> Stage, _ frame: ByteBuffer) {
        guard let context, let ticket else { return }
        guard gate.accept(ticket) else {
            log("there are too many connections", context.channel.remoteAddress)
            close(after: driver.overloadedFrame(for: port))
            return
        }
        isAccepted = true
        deadline?.cancel()
        deadline = nil
        stage = make(self)
        accumulator.limit =
            if case .peer = stage { Frame.maximumPeerBodySize } else { Frame.maximumBodySize }
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func takeFrames() throws(CodingError) {
        switch stage {
        case .client(let id, let isAdmin):
            requestsInFlight += try driver.receiveClient(&accumulator, from: id, isAdmin: isAdmin)
        case .peer(let id, let node):
            try driver.receivePeer(&accumulator, from: node, connection: id)
        case .urgentPeer(let node):
            try driver.receiveUrgent(&accumulator, from: node)
        case .handshake, .hello, .closed:
            break
        }
    }

    // MARK: Back pressure

    private var holdsReads: Bool {
        guard let context else { return false }
        return requestsInFlight >= settings.maximumRequestsInFlight || !context.channel.isWritable
    }

    func read(context: ChannelHandlerContext) {
        if holdsReads { isReadHeld = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        resumeReads()
        context.fireChannelWritabilityChanged()
    }

    private func resumeReads() {
        guard isReadHeld, !holdsReads, let context else { return }
        isReadHeld = false
        context.read()
    }

    // MARK: Writes

    /// Sends whole frames.
    ///
    /// `frames`: how many; each answers one request of a client.
    func send(_ bytes: ByteBuffer, frames: Int) {
        guard let context else { return }
        if case .closed = stage { return }
        requestsInFlight = max(0, requestsInFlight - frames)
        // One turn may have several of the longest frames for a peer, which do not count.
        guard port == .client || !hasPending(more: settings.maximumPendingPeerBytes) else {
            refuse("it takes its answers too slowly")
            return
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        guard port == .peer || !hasPending(more: settings.maximumPendingBytes) else {
            refuse("it takes its answers too slowly")
            return
        }
        resumeReads()
        if driver.isDraining, port == .client, isIdle { endInOrder() }
    }

    private func hasPending(more limit: Int) -> Bool {
        guard let channel = context?.channel else { return false }
        return !channel.isWritable && channel.pendingBytes > limit
    }
}

@available(*, unavailable)
extension InboundConnection: Sendable {}

extension Channel {
    /// Bytes that wait to be sent.
    var pendingBytes: Int {
        (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}
