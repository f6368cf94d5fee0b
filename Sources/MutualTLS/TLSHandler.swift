package import NIOCore
import NIOTLS

/// Speaks mutual TLS on one channel.
///
/// `TLSUserEvent.handshakeCompleted` goes up once the peer's certificate has passed every check,
/// and no byte of a peer goes up before. A refusal goes up as one `errorCaught` with a `TLSError`;
/// the handler then closes the channel itself. Writes made before the handshake is over wait for
/// it. All writes up to a flush are encrypted as one.
///
/// Confined to the channel's event loop.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case handshaking
        case open
        /// Refused the peer; waits a moment for it to take the alert.
        case refused
        case closed
    }

    /// How long a refused peer may take to read the alert before the socket is closed.
    private static let lingering = TimeAmount.seconds(1)

    private let tlsContext: TLSContext
    private let expectedName: String?
    private let handshakeTimeout: TimeAmount
    private var context: ChannelHandlerContext?
    private var connection: TLSConnection?
    private var state = State.idle
    private var sniffer = RecordSniffer()
    private var outgoing = OutgoingPlaintext()
    private var timer: Scheduled<Void>?
    private var hasSentCloseNotify = false
    private var hasReceivedCloseNotify = false
    /// The handler above asked for bytes and got none yet.
    private var owesRead = false

    /// Speaks the role of a context on the channel it is added to.
    ///
    /// - Parameters:
    ///   - context: the keys and rules.
    ///   - expectedName: the only peer let in, such as the node that was dialled; nil lets in all
    ///     that the role allows.
    ///   - handshakeTimeout: from the connection's start; then it is closed.
    package init(
        context: TLSContext,
        expectedName: String? = nil,
        handshakeTimeout: TimeAmount = .seconds(5)
    ) {
        tlsContext = context
        self.expectedName = expectedName
        self.handshakeTimeout = handshakeTimeout
    }

    /// Who the peer is; nil until its certificate has passed every check.
    package var peerIdentity: PeerIdentity? {
        connection.flatMap { $0.isHandshakeComplete ? $0.peerIdentity : nil }
    }

    /// Checks the peer's certificate again, by the files of another context of the same role.
    ///
    /// After a reload this finds the connections whose peers have been revoked or have expired
    /// meanwhile; closing them is up to the caller. On the event loop only.
    ///
    /// - Throws: the reason for which a new connection would be refused.
    package func checkPeer(against context: TLSContext) throws(TLSError) {
        guard let connection, connection.isHandshakeComplete else {
            throw .identityRefused(reason: "the peer is not authenticated")
        }
        try connection.checkPeer(against: context, expectedName: expectedName)
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        state = .closed
        failWrites(TLSError.closed)
        self.context = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        let last = state
        state = .closed
        failWrites(ChannelError.ioOnClosedChannel)
        switch last {
        case .handshaking:
            context.fireErrorCaught(TLSError.closedDuringHandshake)
        case .open where !hasReceivedCloseNotify:
            context.fireErrorCaught(TLSError.truncated)
        default:
            break
        }
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state == .handshaking || state == .open, let connection else { return }
        let ciphertext = unwrapInboundIn(data)
        if state == .handshaking, !sniffer.accepts(ciphertext) {
            abort(context, .notTLS(firstBytes: sniffer.firstBytes))
            return
        }
        handle(connection.receive(ciphertext), context)
    }

    package func read(context: ChannelHandlerContext) {
        owesRead = true
        context.read()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if owesRead, state == .handshaking || state == .open {
            // The reader asked for bytes and got none; without its own demand more must come.
            context.read()
        }
        context.fireChannelReadComplete()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        switch state {
        case .handshaking:
            abort(context, .closedDuringHandshake)
        case .open where !hasReceivedCloseNotify:
            abort(context, .truncated)
        case .refused:
            context.close(mode: .all, promise: nil)
        default:
            // The peer's close_notify has gone up as this very event already.
            break
        }
    }

    package func write(
        context: ChannelHandlerContext,
        data: NIOAny,
        promise: EventLoopPromise<Void>?
    ) {
        guard state != .closed, state != .refused, !hasSentCloseNotify else {
            promise?.fail(TLSError.closed)
            return
        }
        outgoing.append(unwrapOutboundIn(data), promise)
    }

    package func flush(context: ChannelHandlerContext) {
        outgoing.markFlush()
        writeFlushed(context)
    }

    package func close(
        context: ChannelHandlerContext,
        mode: CloseMode,
        promise: EventLoopPromise<Void>?
    ) {
        switch (state, mode) {
        case (.open, .output):
            closeOutput(context, promise)
        case (.open, .all):
            sayGoodbye(context)
            state = .closed
            failWrites(ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        case (.refused, _):
            // Closes by itself as soon as the peer has had the time to read the alert.
            context.channel.closeFuture.cascade(to: promise)
        case (.handshaking, .output):
            promise?.fail(ChannelError.operationUnsupported)
        case (.handshaking, .all):
            timer?.cancel()
            state = .closed
            failWrites(ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        default:
            context.close(mode: mode, promise: promise)
        }
    }
}

@available(*, unavailable)
extension TLSHandler: Sendable {}

extension TLSHandler {
    private func start(_ context: ChannelHandlerContext) {
        guard state == .idle else { return }
        state = .handshaking
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: handshakeTimeout) {
            self.timer = nil
            if self.state == .handshaking { self.abort(context, .handshakeTimedOut) }
        }
        do throws(TLSError) {
            let connection = try TLSConnection(context: tlsContext, expectedName: expectedName)
            self.connection = connection
            handle(connection.start(), context)
            owesRead = true
            context.read()
        } catch {
            abort(context, error)
        }
    }

    private func failWrites(_ error: any Error) {
        for promise in outgoing.drop() { promise.fail(error) }
    }

    /// Passes on what came of bytes from the wire, in the order in which it happened.
    private func handle(_ outcome: TLSConnection.Outcome, _ context: ChannelHandlerContext) {
        sendOutput(context, nil)
        if outcome.completesHandshake {
            timer?.cancel()
            timer = nil
            state = .open
            context.fireUserInboundEventTriggered(
                TLSUserEvent.handshakeCompleted(
                    negotiatedProtocol: connection?.applicationProtocol
                )
            )
            writeFlushed(context)
        }
        // Each event may have led the reader to close the channel.
        if let plaintext = outcome.plaintext, state == .open {
            owesRead = false
            context.fireChannelRead(wrapInboundOut(plaintext))
        }
        if let failure = outcome.failure, state == .handshaking || state == .open {
            refuse(context, failure)
        } else if outcome.isPeerDone, state == .open {
            receiveCloseNotify(context)
        }
    }

    private func writeFlushed(_ context: ChannelHandlerContext) {
        guard state == .open, let connection, outgoing.hasFlushed else { return }
        let promise = outgoing.takePromise()
        do throws(TLSError) {
            try outgoing.withFlushedBytes { (bytes) throws(TLSError) in
                try connection.write(bytes)
            }
            sendOutput(context, promise)
        } catch {
            promise?.fail(error)
            refuse(context, error)
        }
    }

    private func sendOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        guard let output = connection?.takeOutput() else {
            promise?.succeed()
            return
        }
        context.writeAndFlush(wrapOutboundOut(output), promise: promise)
    }

    private func receiveCloseNotify(_ context: ChannelHandlerContext) {
        guard !hasReceivedCloseNotify else { return }
        hasReceivedCloseNotify = true
        let options = context.channel.syncOptions
        let keepsOutput = (try? options?.getOption(.allowRemoteHalfClosure)) ?? false
        if keepsOutput, !hasSentCloseNotify {
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            return
        }
        // A server's close_notify says that it acted on nothing that it did not answer; only the
        // handler above knows whether that is so.
        if tlsContext.role != .clientServer { sayGoodbye(context) }
        context.fireUserInboundEventTriggered(TLSUserEvent.shutdownCompleted)
        state = .closed
        failWrites(ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: nil)
    }

    private func closeOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        guard !hasSentCloseNotify else {
            promise?.succeed()
            return
        }
        failWrites(ChannelError.outputClosed)
        hasSentCloseNotify = true
        connection?.sendCloseNotify()
        if hasReceivedCloseNotify { state = .closed }
        // Closing the socket's output drops what it has not sent, so that comes after.
        let sent = context.eventLoop.makePromise(of: Void.self)
        let mode = hasReceivedCloseNotify ? CloseMode.all : CloseMode.output
        sent.futureResult.assumeIsolated().whenComplete { _ in
            context.close(mode: mode, promise: promise)
        }
        sendOutput(context, sent)
    }

    private func sayGoodbye(_ context: ChannelHandlerContext) {
        guard !hasSentCloseNotify else { return }
        hasSentCloseNotify = true
        connection?.sendCloseNotify()
        sendOutput(context, nil)
    }

    /// Sends the alert, tells the reason upwards, and closes once the peer has had its moment.
    private func refuse(_ context: ChannelHandlerContext, _ error: TLSError) {
        timer?.cancel()
        state = .refused
        sendOutput(context, nil)
        failWrites(error)
        // Closing with bytes unread would reset the connection and so destroy the alert.
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TLSHandler.lingering) {
            context.close(mode: .all, promise: nil)
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenFailure { _ in
            context.close(mode: .all, promise: nil)
        }
        context.fireErrorCaught(error)
        context.close(mode: .output, promise: promise)
    }

    /// Closes at once and without a close_notify, so that the peer knows the end was not in order.
    package func breakOff() {
        guard let context, state != .closed else { return }
        timer?.cancel()
        timer = nil
        state = .closed
        failWrites(ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: nil)
    }

    /// Closes at once, without an answer.
    private func abort(_ context: ChannelHandlerContext, _ error: TLSError) {
        timer?.cancel()
        timer = nil
        state = .closed
        failWrites(error)
        context.fireErrorCaught(error)
        context.close(mode: .all, promise: nil)
    }
}
