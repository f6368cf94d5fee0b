internal import ByteCoding
internal import ClientProtocol
internal import MutualTLS
internal import NIOCore
internal import NIOTLS

/// The client's end of one connection: greets, sends requests, finds the request of each answer.
///
/// Lives on its event loop. All frames of a read are handled at once; all requests handed over in
/// one turn of the loop are one write. Requests wait here while the connection is being opened.
final class ClientChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        case securing
        case greeting
        case ready
        case closed(ConnectionFailure)
    }

    /// How often deadlines are looked at while there are requests: 10 ms.
    private static let sweepInterval: TimeAmount = .milliseconds(10)

    private let cluster: String
    private let software: String
    private let onOpen: () -> Void
    private let onClose: (ConnectionFailure) -> Void
    private let eventLoop: any EventLoop

    private var phase = Phase.securing
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var waiting: [OutgoingRequest] = []
    private var sent = RequestSlots<OutgoingRequest>()
    private var isSweepDue = false
    private var cause: ConnectionFailure?
    /// Whether the node ended the connection in order: it has then acted on no request that it
    /// did not answer.
    private var hasEndedInOrder = false

    init(
        cluster: String,
        software: String,
        eventLoop: any EventLoop,
        onOpen: @escaping () -> Void,
        onClose: @escaping (ConnectionFailure) -> Void
    ) {
        self.cluster = cluster
        self.software = software
        self.eventLoop = eventLoop
        self.onOpen = onOpen
        self.onClose = onClose
    }

    // MARK: Requests

    /// Sends requests, or keeps them until the node has greeted.
    func accept(_ requests: [OutgoingRequest]) {
        switch phase {
        case .securing, .greeting:
            waiting.append(contentsOf: requests)
        case .ready:
            send(requests)
        case .closed(let failure):
            for request in requests { request.complete(.notSent(failure)) }
        }
        sweepLater()
    }

    private func send(_ requests: [OutgoingRequest]) {
        guard let context, !requests.isEmpty else { return }
        let size = requests.reduce(0) { $0 + $1.frame.count }
        var buffer = context.channel.allocator.buffer(capacity: size)
        for request in requests {
            let start = buffer.writerIndex
            buffer.writeBytes(request.frame)
            buffer.setInteger(
                sent.insert(request),
                at: start + OutgoingRequest.correlationOffset,
                endianness: .little
            )
        }
        context.writeAndFlush(NIOAny(buffer), promise: nil)
    }

    // MARK: Deadlines

    private func sweepLater() {
        guard !isSweepDue, sent.count > 0 || !waiting.isEmpty else { return }
        isSweepDue = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.sweepInterval) {
            self.isSweepDue = false
            self.sweep()
            self.sweepLater()
        }
    }

    private func sweep() {
        let now = NIODeadline.now()
        for request in sent.removeAll(where: { $0.answerBy <= now }) {
            request.complete(.expired)
        }
        guard waiting.contains(where: { $0.sendBy <= now }) else { return }
        let late = waiting.filter { $0.sendBy <= now }
        waiting.removeAll { $0.sendBy <= now }
        for request in late { request.complete(.notSentInTime) }
    }

    // MARK: Opening

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(cause ?? ConnectionFailure(kind: .unreachable, message: "the connection ended"))
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event,
            case .securing = phase
        {
            phase = .greeting
            var writer = ByteWriter()
            let start = writer.beginFrame(Frame.Header(kind: ClientKind.hello.rawValue))
            ClientHello(cluster: cluster, software: software).encode(into: &writer)
            writer.endFrame(start)
            let buffer = context.channel.allocator.buffer(bytes: writer.bytes)
            context.writeAndFlush(NIOAny(buffer), promise: nil)
        }
        if let event = event as? TLSUserEvent, event == .shutdownCompleted {
            hasEndedInOrder = true
            if cause == nil {
                cause = ConnectionFailure(kind: .unreachable, message: "it ended the connection")
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func receiveGreeting(_ header: Frame.Header, _ body: ByteRange, _ bytes: RawSpan) {
        do throws(CodingError) {
            if header.kind == ClientKind.failure.rawValue {
                let failure = try FailureResponse(decoding: body, of: bytes)
                close(
                    ConnectionFailure(kind: .refused(failure.code), message: failure.message)
                )
                return
            }
            guard header.kind == ClientKind.helloReply.rawValue else {
                close(violation("the greeting was answered with kind \(header.kind)"))
                return
            }
            let reply = try ClientHelloReply(decoding: body, of: bytes)
            guard reply.cluster == cluster else {
                close(
                    violation("it belongs to cluster '\(reply.cluster)', not to '\(cluster)'")
                )
                return
            }
        } catch {
            close(violation("the greeting's answer is malformed: \(error)"))
            return
        }
        phase = .ready
        onOpen()
        let requests = waiting
        waiting = []
        send(requests)
    }

    // MARK: Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var chunk = Self.unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = chunk
        } else {
            received.writeBuffer(&chunk)
        }
        let consumed = received.withUnsafeReadableBytes { pointer in
            receive(unsafe RawSpan(_unsafeBytes: pointer))
        }
        received.moveReaderIndex(forwardBy: consumed)
        if received.readableBytes == 0 {
            received = ByteBuffer()
        } else if received.readerIndex > 64 * 1024 {
            received.discardReadBytes()
        }
    }

    /// Handles all whole frames.
    ///
    /// - Returns: the number of bytes they took.
    private func receive(_ bytes: RawSpan) -> Int {
        var offset = 0
        do throws(CodingError) {
            while true {
                var limit = Frame.maximumBodySize
                switch phase {
                case .closed: return bytes.byteCount
                case .securing, .greeting: limit = Frame.maximumHelloBodySize
                case .ready: break
                }
                guard
                    case .frame(let header, let body) = try Frame.cut(
                        bytes,
                        at: offset,
                        limit: limit
                    )
                else { return offset }
                offset = body.end
                if case .ready = phase {
                    answer(header, body, bytes)
                } else {
                    receiveGreeting(header, body, bytes)
                }
            }
        } catch {
            close(violation("a frame is malformed: \(error)"))
            return bytes.byteCount
        }
    }

    private func answer(_ header: Frame.Header, _ body: ByteRange, _ bytes: RawSpan) {
        // Absent: the request's time was up before.
        guard let request = sent.remove(header.correlation) else { return }
        request.complete(
            .replied(
                Reply(kind: header.kind, epoch: header.epoch, body: bytes.array(body))
            )
        )
    }

    // MARK: Closing

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(ConnectionFailure(error))
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(
            cause
                ?? ConnectionFailure(kind: .unreachable, message: "it closed the connection")
        )
        context.fireChannelInactive()
    }

    /// Closes the connection; every request hears of it.
    func close(_ failure: ConnectionFailure) {
        if cause == nil { cause = failure }
        finish(cause ?? failure)
        context?.close(promise: nil)
    }

    /// Closes the connection unless the node has greeted.
    func giveUpOpening(after time: Duration) {
        switch phase {
        case .securing, .greeting:
            close(ConnectionFailure(kind: .unreachable, message: "no answer within \(time)"))
        case .ready, .closed:
            break
        }
    }

    private func finish(_ failure: ConnectionFailure) {
        if case .closed = phase { return }
        phase = .closed(failure)
        let unsent = waiting
        waiting = []
        onClose(failure)
        for request in unsent { request.complete(.notSent(failure)) }
        for request in sent.removeAll(where: { _ in true }) {
            request.complete(hasEndedInOrder ? .notSent(failure) : .lost(failure))
        }
    }

    private func violation(_ message: String) -> ConnectionFailure {
        ConnectionFailure(kind: .protocolViolation, message: message)
    }
}
