import ByteCoding
import ClientProtocol
import ClusterPrimitives
import NIOCore
import NIOEmbedded
import NIOTLS
import Synchronization
import Testing

@testable import StarlingClient

/// A handler on a channel without a network, with the node's part played by the test.
private final class HandlerHarness {
    let channel = EmbeddedChannel()
    let handler: ClientChannelHandler
    private let log: Log

    private final class Log {
        var opened = 0
        var failures: [ConnectionFailure] = []
    }

    init(cluster: String = "dev") throws {
        let log = Log()
        self.log = log
        handler = ClientChannelHandler(
            cluster: cluster,
            software: "test",
            eventLoop: channel.eventLoop,
            onOpen: { log.opened += 1 },
            onClose: { log.failures.append($0) }
        )
        try channel.pipeline.syncOperations.addHandler(handler)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    var opened: Int { log.opened }
    var failures: [ConnectionFailure] { log.failures }

    func secure() {
        channel.pipeline.fireUserInboundEventTriggered(
            TLSUserEvent.handshakeCompleted(negotiatedProtocol: nil)
        )
    }

    func greet(cluster: String = "dev") throws {
        _ = try sentFrames()
        try receive([
            reply(.helloReply, to: 0) { writer in
                ClientHelloReply(cluster: cluster, node: "dc1-n1", id: NodeID(1), datacenter: "dc1")
                    .encode(into: &writer)
            }
        ])
    }

    func receive(_ frames: [[UInt8]]) throws {
        try channel.writeInbound(ByteBuffer(bytes: frames.flatMap { $0 }))
    }

    /// Headers of all frames of each write that went out.
    func sentFrames() throws -> [[Frame.Header]] {
        var writes: [[Frame.Header]] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            let bytes = Array(buffer.readableBytesView)
            var headers: [Frame.Header] = []
            var offset = 0
            while case .frame(let header, let body) = try Frame.cut(
                bytes.span.bytes,
                at: offset,
                limit: Frame.maximumBodySize
            ) {
                headers.append(header)
                offset = body.end
            }
            writes.append(headers)
        }
        return writes
    }

    /// Hands a request over.
    func submit(
        sendBy: NIODeadline = .distantFuture,
        answerBy: NIODeadline = .distantFuture
    ) -> Heard {
        let heard = Heard()
        handler.accept([
            OutgoingRequest(
                frame: frame(.get, correlation: 0),
                sendBy: sendBy,
                answerBy: answerBy,
                complete: { outcome in heard.outcomes.withLock { $0.append(outcome) } }
            )
        ])
        return heard
    }
}

/// What a request heard of itself.
private final class Heard: Sendable {
    let outcomes = Mutex<[AttemptOutcome]>([])

    /// The outcome, if there was exactly one.
    var value: AttemptOutcome? {
        outcomes.withLock { $0.count == 1 ? $0.first : nil }
    }
}

private func frame(
    _ kind: ClientKind,
    correlation: UInt64,
    _ body: (inout ByteWriter) -> Void = { _ in }
) -> [UInt8] {
    var writer = ByteWriter()
    let start = writer.beginFrame(
        Frame.Header(kind: kind.rawValue, correlation: correlation, epoch: 3)
    )
    body(&writer)
    writer.endFrame(start)
    return writer.bytes
}

private func reply(
    _ kind: ClientKind,
    to correlation: UInt64,
    _ body: (inout ByteWriter) -> Void = { _ in }
) -> [UInt8] {
    frame(kind, correlation: correlation, body)
}

@Suite struct `The client's end of a connection` {
    @Test func `nothing is sent before the node has greeted, then all in one write`() throws {
        let harness = try HandlerHarness()
        let first = harness.submit()
        let second = harness.submit()
        #expect(try harness.sentFrames().isEmpty)
        harness.secure()
        try harness.greet()
        #expect(harness.opened == 1)
        let writes = try harness.sentFrames()
        #expect(writes.map(\.count) == [2])
        let correlations = writes.flatMap { $0 }.map(\.correlation)
        #expect(Set(correlations).count == 2)
        // Answers in the other order, in one read.
        try harness.receive([
            reply(.done, to: correlations[1]), reply(.value, to: correlations[0]),
        ])
        guard case .replied(let firstReply) = first.value,
            case .replied(let secondReply) = second.value
        else {
            Issue.record("a request was not answered")
            return
        }
        #expect(firstReply.kind == ClientKind.value.rawValue)
        #expect(secondReply.kind == ClientKind.done.rawValue)
        #expect(firstReply.epoch == 3)
    }

    @Test func `a node of another cluster is left, and nothing is sent to it`() throws {
        let harness = try HandlerHarness()
        let request = harness.submit()
        harness.secure()
        try harness.greet(cluster: "prod")
        guard case .notSent(let failure) = request.value else {
            Issue.record("the request was sent to a node of another cluster")
            return
        }
        #expect(failure.kind == .protocolViolation)
        #expect(harness.failures == [failure])
        #expect(try harness.sentFrames().isEmpty)
    }

    @Test func `a refused greeting carries the node's reason`() throws {
        let harness = try HandlerHarness()
        let request = harness.submit()
        harness.secure()
        _ = try harness.sentFrames()
        try harness.receive([
            reply(.failure, to: 0) { writer in
                FailureResponse(code: .overloaded, message: "too many connections")
                    .encode(into: &writer)
            }
        ])
        guard case .notSent(let failure) = request.value else {
            Issue.record("the request was sent")
            return
        }
        #expect(
            failure
                == ConnectionFailure(kind: .refused(.overloaded), message: "too many connections")
        )
    }

    @Test func `a connection that breaks loses what was sent and returns what was not`() throws {
        let harness = try HandlerHarness()
        harness.secure()
        try harness.greet()
        let sent = harness.submit()
        harness.channel.close(promise: nil)
        let late = harness.submit()
        guard case .lost = sent.value else {
            Issue.record("a sent request was not told as lost")
            return
        }
        guard case .notSent = late.value else {
            Issue.record("a request after the end was not told as unsent")
            return
        }
        #expect(harness.failures.count == 1)
    }

    @Test func `a malformed frame ends the connection`() throws {
        let harness = try HandlerHarness()
        harness.secure()
        try harness.greet()
        let request = harness.submit()
        try harness.receive([[1, 0, 0, 0, 9, 9, 9, 9]])
        guard case .lost(let failure) = request.value else {
            Issue.record("the request is still open")
            return
        }
        #expect(failure.kind == .protocolViolation)
        #expect(!harness.channel.isActive)
    }

    @Test func `a frame longer than a greeting is refused before the node has greeted`() throws {
        let harness = try HandlerHarness()
        harness.secure()
        _ = try harness.sentFrames()
        let length = UInt32(Frame.maximumHelloBodySize + Frame.countedHeaderSize + 1)
        try harness.receive([
            (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        ])
        #expect(harness.failures.map(\.kind) == [.protocolViolation])
    }

    @Test func `an answer that comes in pieces is put together`() throws {
        let harness = try HandlerHarness()
        harness.secure()
        try harness.greet()
        let request = harness.submit()
        let correlation = try #require(try harness.sentFrames().first?.first?.correlation)
        for byte in reply(.done, to: correlation) { try harness.receive([[byte]]) }
        guard case .replied = request.value else {
            Issue.record("the request was not answered")
            return
        }
    }

    @Test func `deadlines end requests that were not sent, and those that were`() throws {
        let harness = try HandlerHarness()
        let past = NIODeadline.now() - .seconds(1)
        let unsent = harness.submit(sendBy: past)
        harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(20))
        guard case .notSentInTime = unsent.value else {
            Issue.record("an unsent request outlived its deadline")
            return
        }
        harness.secure()
        try harness.greet()
        let sent = harness.submit(answerBy: past)
        let correlation = try #require(try harness.sentFrames().first?.first?.correlation)
        harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(20))
        guard case .expired = sent.value else {
            Issue.record("a sent request outlived its deadline")
            return
        }
        // Too late: nobody is told, nothing breaks.
        try harness.receive([reply(.done, to: correlation)])
        #expect(harness.channel.isActive)
    }
}
