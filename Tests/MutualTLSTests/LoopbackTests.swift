import MutualTLS
import NIOCore
import NIOPosix
import NIOTLS
import Testing

/// Writes back what it reads.
private final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }
}

/// Answers with everything it has read once the other side has said that there is no more.
private final class AnswerAtEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var bytes = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        bytes.writeBuffer(&buffer)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.close(mode: .output, promise: nil)
    }
}

/// Collects what it reads and ends a promise when there is enough, or when an error comes.
private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var bytes = ByteBuffer()
    private let wanted: Int
    private let promise: EventLoopPromise<ByteBuffer>

    init(wanted: Int, promise: EventLoopPromise<ByteBuffer>) {
        self.wanted = wanted
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        bytes.writeBuffer(&buffer)
        if bytes.readableBytes >= wanted { promise.succeed(bytes) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
    }
}

@Suite struct `TLS over loopback` {
    /// Sends the chunks, flushes once, and returns what the other end sent back.
    private func echo(
        _ chunks: [ByteBuffer],
        server: TLSContext,
        client: TLSContext,
        expecting name: String? = nil
    ) async throws -> ByteBuffer {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(context: server), Echo(),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let loop = group.next()
        let promise = loop.makePromise(of: ByteBuffer.self)
        let wanted = chunks.reduce(0) { $0 + $1.readableBytes }
        let address = try #require(listener.localAddress)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(context: client, expectedName: name),
                        Collector(wanted: wanted, promise: promise),
                    ])
                }
            }
            .connect(to: address).get()
        for chunk in chunks { channel.write(chunk, promise: nil) }
        channel.flush()
        let result = try await promise.futureResult.get()
        try await channel.close().get()
        try await listener.close().get()
        return result
    }

    private func pattern(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
    }

    @Test func `a node talks to a node on the peer port`() async throws {
        let files = try ClusterFiles()
        let sent = ByteBuffer(string: "hello")
        let received = try await echo(
            [sent],
            server: files.context("n1", .peerServer),
            client: files.context("n2", .peerClient),
            expecting: "n1"
        )
        #expect(received == sent)
    }

    @Test(arguments: ["c1", "a1"])
    func `a client and an admin talk to a node on the client port`(name: String) async throws {
        let files = try ClusterFiles()
        let sent = ByteBuffer(string: "hello")
        let received = try await echo(
            [sent],
            server: files.context("n1", .clientServer),
            client: files.context(name, .clientClient)
        )
        #expect(received == sent)
    }

    @Test func `many small writes and one flush arrive whole and in order`() async throws {
        let files = try ClusterFiles()
        let chunks = (0..<2_000).map { ByteBuffer(string: "chunk \($0);") }
        let received = try await echo(
            chunks,
            server: files.context("n1", .peerServer),
            client: files.context("n2", .peerClient)
        )
        #expect(String(buffer: received) == chunks.map { String(buffer: $0) }.joined())
    }

    @Test func `five mebibytes go there and back unchanged`() async throws {
        let files = try ClusterFiles()
        let sent = pattern(5 << 20)
        let received = try await echo(
            [sent],
            server: files.context("n1", .peerServer),
            client: files.context("n2", .peerClient)
        )
        #expect(received == sent)
    }

    @Test func `a dialled node that answers with another name is refused`() async throws {
        let files = try ClusterFiles()
        await #expect(
            throws: TLSError.identityRefused(
                reason: "starling://birds/node/n1 answered in place of \"n3\""
            )
        ) {
            try await echo(
                [ByteBuffer(string: "secret")],
                server: files.context("n1", .peerServer),
                client: files.context("n2", .peerClient),
                expecting: "n3"
            )
        }
    }

    @Test func `a refused client learns the reason at its first read`() async throws {
        let files = try ClusterFiles()
        let strangers = try ClusterFiles()
        var configuration = strangers.configuration("c1")
        configuration.authorityFile = files.directory.file("ca.crt")
        let client = try TLSContext(configuration, role: .clientClient)
        let server = try files.context("n1", .clientServer)
        await #expect(throws: TLSError.refusedByPeer(alert: "unknown CA")) {
            try await echo([ByteBuffer(string: "secret")], server: server, client: client)
        }
    }

    @Test func `a client that has said its last word still gets the answer`() async throws {
        let files = try ClusterFiles()
        let server = try files.context("n1", .clientServer)
        let client = try files.context("c1", .clientClient)
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(context: server), AnswerAtEnd(),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let loop = group.next()
        let sent = pattern(3 << 20)
        let promise = loop.makePromise(of: ByteBuffer.self)
        let address = try #require(listener.localAddress)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(context: client),
                        Collector(wanted: sent.readableBytes, promise: promise),
                    ])
                }
            }
            .connect(to: address).get()
        // Queued until the handshake is over, and encrypted by then.
        try await channel.writeAndFlush(sent).get()
        try await channel.close(mode: .output).get()
        #expect(try await promise.futureResult.get() == sent)
        // The server's close_notify and end of stream close this side as well.
        try await channel.closeFuture.get()
        try await listener.close().get()
    }
}
