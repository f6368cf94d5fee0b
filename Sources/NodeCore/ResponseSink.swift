import ByteCoding
import ClientProtocol
import PeerProtocol

/// Where the answer to a client's request goes: to the client itself, or back to the node that
/// forwarded the request.
struct ResponseSink: Sendable {
    /// The kind of the asker.
    enum Asker: UInt8 {
        case client
        case forwardingNode
    }

    var asker: Asker
    var connection: ConnectionID
    var correlation: UInt64
    /// Whether the answer should carry a trace.
    var isTraced: Bool
}

extension ByteWriter {
    /// Appends a response in the frame that its asker expects.
    mutating func response(
        to sink: ResponseSink,
        kind: ClientKind,
        epoch: UInt64,
        timestamp: UInt64,
        _ body: (inout ByteWriter) -> Void
    ) {
        let frame = beginFrame(
            Frame.Header(
                kind: sink.asker == .client ? kind.rawValue : PeerKind.forwardReply.rawValue,
                correlation: sink.correlation,
                epoch: epoch,
                timestamp: timestamp
            )
        )
        if sink.asker == .forwardingNode { uint8(kind.rawValue) }
        body(&self)
        endFrame(frame)
    }
}
