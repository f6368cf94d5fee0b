import MutualTLS
import NIOCore
import NIOEmbedded
import NIOTLS

/// Notes everything that a handler passes up.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var reads: [ByteBuffer] = []
    private(set) var errors: [any Error] = []
    private(set) var handshakes: [String?] = []
    private(set) var inputClosings = 0
    private(set) var shutdowns = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reads.append(unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let name): handshakes.append(name)
        case TLSUserEvent.shutdownCompleted: shutdowns += 1
        case ChannelEvent.inputClosed: inputClosings += 1
        default: break
        }
    }

    var text: String { reads.map { String(buffer: $0) }.joined() }
}

/// A handler on an embedded channel and a raw peer, joined by hand.
final class Dialogue {
    let channel: EmbeddedChannel
    let handler: TLSHandler
    let recorder = Recorder()
    let peer: RawPeer

    init(
        context: TLSContext,
        peer options: RawPeer.Options,
        expectedName: String? = nil
    ) throws {
        handler = TLSHandler(context: context, expectedName: expectedName)
        channel = EmbeddedChannel(handlers: [handler, recorder])
        peer = try RawPeer(options)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    deinit {
        // Closed or not, and whatever it still holds.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Carries bytes to and fro until neither side has any to send.
    func run() throws {
        var toHandler = peer.exchange([])
        while true {
            if !toHandler.isEmpty, channel.isActive {
                try channel.writeInbound(ByteBuffer(bytes: toHandler))
            }
            let toPeer = try sent()
            toHandler = peer.exchange(toPeer)
            if toPeer.isEmpty, toHandler.isEmpty { return }
        }
    }

    /// What the handler has written to the wire since the last look.
    func sent() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += buffer.readableBytesView
        }
        return bytes
    }

    /// Delivers bytes of the peer.
    func deliver(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
    }
}
