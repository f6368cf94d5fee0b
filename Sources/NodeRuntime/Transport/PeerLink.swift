import ByteCoding
import ClusterPrimitives
import MutualTLS
import NIOCore
import NIOPosix
import NIOTLS
import PeerProtocol

/// The driver that a link belongs to, on the same event loop.
protocol PeerLinkOwner: AnyObject {
    /// The keys for new connections.
    var peerClientContext: TLSContext { get }
    /// How this node presents itself on a link of a class.
    func hello(of peerClass: PeerClass, to node: NodeID) -> PeerHello
    /// Whether fault injection cuts a node off.
    func isBlocked(_ node: NodeID) -> Bool
    /// Why the other side's hello is not acceptable; nil when it is.
    func refusal(of hello: PeerHello, certificateName: String) -> String?
    /// The link can be used.
    func linkOpened(_ link: PeerLink, _ hello: PeerHello)
    /// The link, or an attempt to open it, has ended.
    func linkClosed(_ link: PeerLink, wasOpen: Bool, isRefused: Bool, reason: String)
    /// Bytes have come on the open link.
    func linkRead(_ link: PeerLink, _ accumulator: inout FrameAccumulator) throws(CodingError)
}

/// This node's own connection to one peer: opened, watched, and opened again.
///
/// Confined to its owner's event loop.
final class PeerLink {
    /// What all links keep to.
    struct Settings: Sendable {
        /// From the start of a connection to the end of its hello: 5 s.
        var connectTimeout: Duration = .seconds(5)
        /// The first pause after a failed attempt: 100 ms; doubled each time.
        var firstPause: Duration = .milliseconds(100)
        /// The longest pause: 2 s.
        ///
        /// More makes a returned peer wait longer.
        var longestPause: Duration = .seconds(2)
        /// Bytes that wait to be sent, beyond which the next ones cut the link: 144 MiB, two of the
        /// longest frames.
        var maximumPendingBytes = 2 * Frame.maximumPeerBodySize
    }

    /// The peer.
    let node: NodeID
    /// Its name, which its certificate must carry.
    let name: String
    /// Where it listens.
    let endpoint: Endpoint
    /// What the link is for.
    let peerClass: PeerClass
    private let loop: any EventLoop
    private let settings: Settings
    private unowned let owner: any PeerLinkOwner
    private var handler: PeerLinkHandler?
    private var isStopped = false
    private var isAttempting = false
    private var pause: Duration
    private var retry: Scheduled<Void>?

    init(
        to node: NodeID,
        name: String,
        endpoint: Endpoint,
        peerClass: PeerClass,
        loop: any EventLoop,
        owner: any PeerLinkOwner,
        settings: Settings = Settings()
    ) {
        self.node = node
        self.name = name
        self.endpoint = endpoint
        self.peerClass = peerClass
        self.loop = loop
        self.owner = owner
        self.settings = settings
        pause = settings.firstPause
    }

    /// Whether frames can be sent.
    var isOpen: Bool { handler?.isOpen ?? false }

    /// Opens the link, and opens it again whenever it ends, until `stop`.
    func start() {
        guard !isStopped, !isAttempting else { return }
        if owner.isBlocked(node) {
            schedule()
            return
        }
        isAttempting = true
        let link = NIOLoopBound(self, eventLoop: loop)
        let context = owner.peerClientContext
        ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(settings.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = link.value
                    let tls = TLSHandler(
                        context: context,
                        expectedName: link.name,
                        handshakeTimeout: TimeAmount(link.settings.connectTimeout)
                    )
                    let handler = PeerLinkHandler(link: link, tls: tls)
                    link.handler = handler
                    try channel.pipeline.syncOperations.addHandlers([tls, handler])
                }
            }
            .connect(host: endpoint.host, port: Int(endpoint.port))
            .whenFailure { error in
                link.value.attemptFailed(error)
            }
    }

    /// Closes the link for good.
    func stop() {
        isStopped = true
        retry?.cancel()
        handler?.close()
        handler = nil
    }

    /// Sends whole frames; they are dropped when the link is not open.
    func send(_ bytes: ByteBuffer) {
        guard let handler, handler.isOpen else { return }
        if !handler.send(bytes, maximumPendingBytes: settings.maximumPendingBytes) {
            handler.fail("more than \(settings.maximumPendingBytes) bytes wait to be sent")
        }
    }

    private func attemptFailed(_ error: any Error) {
        handler = nil
        isAttempting = false
        guard !isStopped else { return }
        let isRefused = ConnectFailure.isRefusal(error)
        owner.linkClosed(
            self,
            wasOpen: false,
            isRefused: isRefused,
            reason: ConnectFailure.text(of: error)
        )
        schedule()
    }

    /// After half to one and a half of the pause, so that nodes do not all come at once.
    private func schedule() {
        guard !isStopped else { return }
        let milliseconds = max(1, pause.wholeMilliseconds)
        let delay = Int64.random(in: milliseconds / 2...milliseconds * 3 / 2)
        pause = min(pause * 2, settings.longestPause)
        retry = loop.assumeIsolated().scheduleTask(in: .milliseconds(delay)) { [weak self] in
            self?.start()
        }
    }

    // MARK: What the handler tells

    fileprivate func judge(_ hello: PeerHello, certificateName: String) -> String? {
        if hello.node != node { return "it is \(hello.name), not \(name)" }
        return owner.refusal(of: hello, certificateName: certificateName)
    }

    fileprivate func presentation() -> PeerHello { owner.hello(of: peerClass, to: node) }

    fileprivate func opened(_ hello: PeerHello) {
        pause = settings.firstPause
        owner.linkOpened(self, hello)
    }

    fileprivate func read(_ accumulator: inout FrameAccumulator) throws(CodingError) {
        try owner.linkRead(self, &accumulator)
    }

    fileprivate func ended(_ handler: PeerLinkHandler, wasOpen: Bool, reason: String) {
        guard self.handler === handler else { return }
        self.handler = nil
        isAttempting = false
        guard !isStopped else { return }
        owner.linkClosed(self, wasOpen: wasOpen, isRefused: false, reason: reason)
        if wasOpen {
            // At once: a peer whose process is gone refuses, and so is known to be down.
            start()
        } else {
            schedule()
        }
    }
}

/// The channel's side of a link.
final class PeerLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Stage {
        case handshake
        case hello
        case open
        case closed
    }

    private let link: PeerLink
    private let tls: TLSHandler
    private var stage = Stage.handshake
    private var accumulator = FrameAccumulator()
    private var context: ChannelHandlerContext?
    private var reason = "the connection ended"
    private var deadline: Scheduled<Void>?

    fileprivate init(link: PeerLink, tls: TLSHandler) {
        self.link = link
        self.tls = tls
    }

    fileprivate var isOpen: Bool { stage == .open }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event, stage == .handshake {
            stage = .hello
            sendHello(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func sendHello(_ context: ChannelHandlerContext) {
        let hello = link.presentation()
        let frame = FrameBytes.frame(
            Frame.Header(kind: PeerKind.hello.rawValue, epoch: hello.epoch)
        ) { hello.encode(into: &$0) }
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(5)) { [weak self] in
            self?.fail("it did not answer the hello within 5 s")
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard stage != .closed else { return }
        var read = unwrapInboundIn(data)
        accumulator.append(&read)
        do throws(CodingError) {
            try takeHello()
            if stage == .open { try link.read(&accumulator) }
        } catch {
            fail("it sent a malformed frame: \(error)")
        }
    }

    private func takeHello() throws(CodingError) {
        guard stage == .hello else { return }
        var verdict: Result<PeerHello, HelloFailure>?
        try accumulator.forEachFrame { header, body, bytes in
            verdict = self.verdict(header, body, bytes)
            return .stop
        }
        switch verdict {
        case nil: break
        case .failure(let failure): fail(failure.reason)
        case .success(let hello):
            deadline?.cancel()
            deadline = nil
            stage = .open
            accumulator.limit = link.peerClass.maximumBodySize
            link.opened(hello)
        }
    }

    private struct HelloFailure: Error {
        var reason: String
    }

    private func verdict(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan
    ) -> Result<PeerHello, HelloFailure> {
        do throws(CodingError) {
            switch PeerKind(rawValue: header.kind) {
            case .helloReply:
                let hello = try PeerHello(decoding: body, of: bytes)
                let name = tls.peerIdentity?.name ?? ""
                if let reason = link.judge(hello, certificateName: name) {
                    return .failure(HelloFailure(reason: reason))
                }
                return .success(hello)
            case .helloRefused:
                let reason = try PeerRefusal.reason(body, of: bytes)
                return .failure(HelloFailure(reason: "it refused this node: \(reason)"))
            default:
                return .failure(HelloFailure(reason: "it answered the hello with \(header.kind)"))
            }
        } catch {
            return .failure(HelloFailure(reason: "its hello is malformed: \(error)"))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    /// Sends frames; false, and nothing is sent, when too much waits already.
    ///
    /// The frames themselves do not count: one turn may have several of the longest.
    fileprivate func send(_ bytes: ByteBuffer, maximumPendingBytes: Int) -> Bool {
        guard let context else { return true }
        guard
            context.channel.isWritable || context.channel.pendingBytes <= maximumPendingBytes
        else { return false }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        return true
    }

    /// Ends the connection, for a reason that the log will show.
    fileprivate func fail(_ reason: String) {
        guard stage != .closed else { return }
        self.reason = reason
        close()
    }

    fileprivate func close() {
        let context = context
        finish()
        context?.close(promise: nil)
    }

    private func finish() {
        guard stage != .closed else { return }
        let wasOpen = stage == .open
        stage = .closed
        deadline?.cancel()
        deadline = nil
        link.ended(self, wasOpen: wasOpen, reason: reason)
    }
}

@available(*, unavailable)
extension PeerLinkHandler: Sendable {}
