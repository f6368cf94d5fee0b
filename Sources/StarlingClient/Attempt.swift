internal import ClientProtocol
internal import NIOCore

/// The answer to one request, still encoded.
struct Reply: Sendable {
    /// Meaning of the body.
    var kind: UInt8
    /// The node's topology epoch.
    var epoch: UInt64
    /// The encoded response.
    var body: [UInt8]
}

/// Why a connection could not be opened, or was closed.
struct ConnectionFailure: Error, Equatable, Sendable {
    /// What is at fault.
    enum Kind: Equatable, Sendable {
        /// The node, or the way to it.
        case unreachable
        /// A certificate, on either side.
        case tls
        /// The node refused the greeting.
        case refused(FailureCode)
        /// The node sent what the protocol does not allow.
        case protocolViolation
        /// The client was closed.
        case closed
    }

    /// What is at fault.
    var kind: Kind
    /// What happened.
    var message: String
}

/// What became of a request on one connection.
enum AttemptOutcome: Sendable {
    /// The node answered.
    case replied(Reply)
    /// Nothing was sent: there is no connection.
    case notSent(ConnectionFailure)
    /// Nothing was sent: the connection was not open in time, or carries all it may.
    case notSentInTime
    /// The connection broke after the request was sent.
    case lost(ConnectionFailure)
    /// The time was up after the request was sent.
    case expired
}

/// A request on its way to a node.
struct OutgoingRequest: Sendable {
    /// Offset of the correlation in a frame.
    static let correlationOffset = 8

    /// The whole frame; its correlation is set when it is sent.
    var frame: [UInt8]
    /// When it is given up if it could not be sent.
    var sendBy: NIODeadline
    /// When it is given up if no answer came.
    var answerBy: NIODeadline
    /// Hears what became of it, once.
    var complete: @Sendable (AttemptOutcome) -> Void
}
