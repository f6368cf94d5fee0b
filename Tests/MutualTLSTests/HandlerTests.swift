import COpenSSL
import MutualTLS
import NIOCore
import NIOEmbedded
import Testing

@Suite struct `TLS handler` {
    private func conversation(_ world: TestWorld) throws -> Dialogue {
        try Dialogue(
            context: try world.context(.peerServer),
            peer: RawPeer.Options(
                credentials: try TestCertificate(.node { _ in }, issuer: world.root)
            )
        )
    }

    @Test(arguments: [
        Array("GET / HTTP/1.1\r\n\r\n".utf8),
        Array("PING\r\n".utf8),
        [0x16],
        [0x16, 0x02, 0x00],
        [0x80, 0x2e, 0x01, 0x03, 0x01],
        [UInt8](repeating: 0, count: 40_000),
    ])
    func `what is not TLS is closed without an answer`(bytes: [UInt8]) throws {
        let dialogue = try conversation(TestWorld())
        try dialogue.deliver(bytes)
        if bytes == [0x16] { try dialogue.deliver([0xff]) }
        #expect(try dialogue.sent().isEmpty)
        #expect(!dialogue.channel.isActive)
        #expect(dialogue.recorder.reads.isEmpty)
        let error = dialogue.recorder.errors.first as? TLSError
        guard case .notTLS = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: UInt64(1)...16)
    func `noise that looks like a record is refused`(seed: UInt64) throws {
        // Knuth's MMIX generator, of which the upper bits are noise enough.
        var state = seed
        let noise = (0..<4_000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(state >> 56)
        }
        let dialogue = try conversation(TestWorld())
        try dialogue.deliver([0x16, 0x03, 0x01, 0x02, 0x00] + noise)
        #expect(dialogue.recorder.errors.count == 1)
        #expect(dialogue.recorder.reads.isEmpty)
        dialogue.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!dialogue.channel.isActive)
    }

    @Test func `a stranger cannot make us store more than the handshake limit`() throws {
        let dialogue = try conversation(TestWorld())
        // A ClientHello that claims 100,000 bytes, in records of 8,192.
        var hello: [UInt8] = [0x01, 0x01, 0x86, 0xa0, 0x03, 0x03]
        hello += [UInt8](repeating: 0x41, count: 8_192 - hello.count)
        for _ in 0..<12 where dialogue.channel.isActive {
            try dialogue.deliver([0x16, 0x03, 0x01, 0x20, 0x00] + hello)
            hello = [UInt8](repeating: 0x41, count: 8_192)
        }
        #expect(
            dialogue.recorder.errors.map { $0 as? TLSError } == [
                .handshakeFailed(
                    reason: "the peer sent more than 16384 bytes before it was authenticated"
                )
            ]
        )
        #expect(dialogue.recorder.handshakes.isEmpty)
        #expect(!dialogue.channel.isActive)
    }

    @Test func `a handshake that is not finished in time is closed`() throws {
        let dialogue = try conversation(TestWorld())
        // A record that never ends.
        try dialogue.deliver([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        dialogue.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_999))
        #expect(dialogue.channel.isActive)
        dialogue.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!dialogue.channel.isActive)
        #expect(dialogue.recorder.errors.map { $0 as? TLSError } == [.handshakeTimedOut])
    }

    @Test func `a silent connection is closed when the deadline comes, a finished one is not`()
        throws
    {
        let world = try TestWorld()
        let silent = try conversation(world)
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(!silent.channel.isActive)
        let finished = try conversation(world)
        try finished.run()
        finished.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(finished.channel.isActive)
        #expect(finished.recorder.errors.isEmpty)
    }

    @Test func `writes before the handshake wait for it, and unflushed ones for a flush`() throws {
        let dialogue = try conversation(TestWorld())
        dialogue.channel.write(ByteBuffer(string: "one,"), promise: nil)
        dialogue.channel.write(ByteBuffer(string: "two,"), promise: nil)
        dialogue.channel.flush()
        dialogue.channel.write(ByteBuffer(string: "three"), promise: nil)
        try dialogue.run()
        #expect(String(decoding: dialogue.peer.received, as: UTF8.self) == "one,two,")
        dialogue.channel.flush()
        try dialogue.run()
        #expect(String(decoding: dialogue.peer.received, as: UTF8.self) == "one,two,three")
    }

    @Test func `all writes of a flush go out as one record, and all their promises succeed`()
        throws
    {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        let futures = (0..<50).map { _ in dialogue.channel.write(ByteBuffer(string: "x")) }
        dialogue.channel.flush()
        let bytes = try dialogue.sent()
        // Header of five bytes, fifty of text, one of type, sixteen of tag.
        #expect(bytes.count == 72)
        _ = dialogue.peer.exchange(bytes)
        #expect(dialogue.peer.received.count == 50)
        for future in futures { try future.wait() }
    }

    @Test func `records that arrive together go up as one read, and split ones are joined`() throws
    {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        let first = dialogue.peer.write(Array("one,".utf8))
        let second = dialogue.peer.write(Array("two".utf8))
        let bytes = first + second
        try dialogue.deliver(bytes)
        #expect(dialogue.recorder.reads.map { String(buffer: $0) } == ["one,two"])
        for byte in dialogue.peer.write(Array(",three".utf8)) { try dialogue.deliver([byte]) }
        #expect(dialogue.recorder.text == "one,two,three")
    }

    @Test func `a peer's close_notify is answered and closes the connection`() throws {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        let last = dialogue.peer.write(Array("bye".utf8)) + dialogue.peer.closeNotify()
        try dialogue.deliver(last)
        #expect(dialogue.recorder.text == "bye")
        #expect(dialogue.recorder.shutdowns == 1)
        #expect(!dialogue.channel.isActive)
        _ = dialogue.peer.exchange(try dialogue.sent())
        #expect(dialogue.peer.hasReceivedCloseNotify)
        #expect(dialogue.recorder.errors.isEmpty)
    }

    @Test func `a reader that allows half closure may still write after close_notify`() throws {
        let dialogue = try conversation(TestWorld())
        dialogue.channel.allowRemoteHalfClosure = true
        try dialogue.run()
        try dialogue.deliver(dialogue.peer.closeNotify())
        #expect(dialogue.recorder.inputClosings == 1)
        #expect(dialogue.channel.isActive)
        dialogue.channel.writeAndFlush(ByteBuffer(string: "still here"), promise: nil)
        _ = dialogue.peer.exchange(try dialogue.sent())
        #expect(String(decoding: dialogue.peer.received, as: UTF8.self) == "still here")
        dialogue.channel.close(promise: nil)
        _ = dialogue.peer.exchange(try dialogue.sent())
        #expect(dialogue.peer.hasReceivedCloseNotify)
    }

    @Test func `closing says close_notify, and later writes fail`() throws {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        dialogue.channel.close(promise: nil)
        _ = dialogue.peer.exchange(try dialogue.sent())
        #expect(dialogue.peer.hasReceivedCloseNotify)
        #expect(throws: (any Error).self) {
            try dialogue.channel.writeAndFlush(ByteBuffer(string: "late")).wait()
        }
    }

    @Test func `a connection cut without close_notify is reported`() throws {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        dialogue.channel.pipeline.fireChannelInactive()
        #expect(dialogue.recorder.errors.map { $0 as? TLSError } == [.truncated])
    }

    @Test func `a changed byte ends the connection`() throws {
        let dialogue = try conversation(TestWorld())
        try dialogue.run()
        var bytes = dialogue.peer.write(Array("hello".utf8))
        bytes[bytes.count - 1] ^= 1
        try dialogue.deliver(bytes)
        #expect(dialogue.recorder.reads.isEmpty)
        #expect(dialogue.recorder.errors.count == 1)
        guard case .recordInvalid = dialogue.recorder.errors.first as? TLSError else {
            Issue.record("\(dialogue.recorder.errors)")
            return
        }
    }
}
