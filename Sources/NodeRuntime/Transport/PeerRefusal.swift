import ByteCoding
import NIOCore
import PeerProtocol

/// The frame in which a node says why it does not talk to another.
///
///     refusal := reason: text
enum PeerRefusal {
    /// The longest reason that is read.
    static let maximumSize = 4096

    /// The frame of a reason.
    static func frame(_ reason: String, correlation: UInt64) -> ByteBuffer {
        FrameBytes.frame(
            Frame.Header(kind: PeerKind.helloRefused.rawValue, correlation: correlation)
        ) { $0.string(reason) }
    }

    /// The reason in a frame.
    ///
    /// - Throws: when the body is not a text.
    static func reason(_ body: ByteRange, of bytes: RawSpan) throws(CodingError) -> String {
        var reader = ByteReader(body)
        let reason = try reader.string(in: bytes, limit: maximumSize, "refusal")
        try reader.finish()
        return reason
    }
}
