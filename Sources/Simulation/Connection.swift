import NodeCore

/// One side of a connection.
enum Party {
    /// A node's process, in one of its lives.
    case node(index: Int, life: Int, channel: Channel)
    /// A client.
    case client(ClientPort)

    /// The part of a node that owns the connection.
    enum Channel: Equatable {
        /// The control plane.
        case urgent
        /// A lane.
        case lane(Int)
    }

    /// The node's index; nil for a client.
    var nodeIndex: Int? {
        if case .node(let index, _, _) = self { index } else { nil }
    }
}

/// Where a client's answers arrive.
final class ClientPort {
    /// Takes the bytes that arrived.
    var received: ([UInt8]) -> Void = { _ in }
    /// The connection is gone.
    var lost: () -> Void = {}
}

/// A connection as TCP gives it: bytes in order in both directions, until it breaks.
final class Connection {
    /// Bytes on their way from one side to the other.
    struct Stream {
        /// When the last of them arrives; later ones do not overtake.
        var lastArrival: UInt64 = 0
        /// Those that cannot pass for now.
        var held: [[UInt8]] = []
    }

    let number: Int
    /// The side that connected, then the one that accepted.
    var parties: [Party]
    var isOpen = true
    /// Whether both sides have presented themselves, by side.
    var isGreeted = [false, false]
    /// By the side that sends.
    var streams = [Stream(), Stream()]
    /// Bytes that arrived and are not handled, by the side that received them.
    var inbox: [[UInt8]] = [[], []]
    /// The accepting lane's number for it.
    var identifier: ConnectionID?

    init(number: Int, _ initiator: Party, _ acceptor: Party) {
        self.number = number
        parties = [initiator, acceptor]
    }
}
