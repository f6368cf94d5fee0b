import ByteCoding

/// What a frame between nodes means.
package enum PeerKind: UInt8, Sendable {
    // On the wire: never renumber.
    /// The first frame of a connection, from the side that connects: `PeerHello`.
    case hello = 1
    /// The other side's `PeerHello`.
    case helloReply = 2
    /// Why the other side refuses: a text. It closes the connection then.
    case helloRefused = 3

    /// `PeerWrite`, answered by `writeReply`.
    case write = 10
    /// `PeerWriteReply`.
    case writeReply = 11
    /// `PeerRead`, answered by `readReply`.
    case read = 12
    /// `PeerReadReply`.
    case readReply = 13
    /// A client's request, for a replica to coordinate: `PeerForward`, answered by
    /// `forwardReply`.
    case forward = 14
    /// The answer to a forwarded request: kind and body of the client's response.
    case forwardReply = 15
    /// `PeerScan`, answered by `scanReply`.
    case scan = 16
    /// `ReplicaPage`.
    case scanReply = 17

    /// `Heartbeat`, answered by `heartbeatReply`.
    case heartbeat = 30
    /// `HeartbeatReply`.
    case heartbeatReply = 31
    /// `RegisterPrepare`, answered by `promise`.
    case prepare = 32
    /// `RegisterPromise`.
    case promise = 33
    /// `RegisterAccept`, answered by `accepted`.
    case accept = 34
    /// `RegisterAccepted`.
    case accepted = 35
    /// Empty: asks for the topology in force, answered by `topology`.
    case topologyRequest = 36
    /// An encoded topology, as an answer or unasked after a change.
    case topology = 37

    /// Whether the frame is the control plane's, on the urgent connection.
    package var isControl: Bool { rawValue >= 30 }
}

/// What a connection between nodes is for.
package enum PeerClass: UInt8, Sendable, CaseIterable {
    // On the wire: never renumber.
    /// Liveness and topology; never delayed by data.
    case urgent = 1
    /// Requests of one lane and their answers.
    case request = 2
    /// Long transfers.
    case bulk = 3

    /// The longest body of a frame behind the hello.
    package var maximumBodySize: Int {
        self == .request ? Frame.maximumPeerBodySize : Frame.maximumBodySize
    }
}
