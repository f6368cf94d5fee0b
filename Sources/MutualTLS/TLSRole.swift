/// Which end of which port a connection is.
package enum TLSRole: Sendable {
    /// A node's peer port.
    case peerServer
    /// A node that connects to another node's peer port.
    case peerClient
    /// A node's client port.
    case clientServer
    /// A client that connects to a node's client port.
    case clientClient

    /// The one application protocol (ALPN) that both ends must name.
    package var applicationProtocol: String {
        switch self {
        case .peerServer, .peerClient: "starling-peer/1"
        case .clientServer, .clientClient: "starling-client/1"
        }
    }

    /// Whether this end accepts connections.
    var isServer: Bool {
        switch self {
        case .peerServer, .clientServer: true
        case .peerClient, .clientClient: false
        }
    }

    /// The classes of identity that this end may bear.
    var ownKinds: [PeerIdentity.Kind] {
        switch self {
        case .peerServer, .peerClient, .clientServer: [.node]
        case .clientClient: [.client, .admin]
        }
    }

    /// The classes of identity that the other end may bear.
    var peerKinds: [PeerIdentity.Kind] {
        switch self {
        case .peerServer, .peerClient, .clientClient: [.node]
        case .clientServer: [.client, .admin]
        }
    }

    /// The port in words, for refusals.
    var portName: String {
        switch self {
        case .peerServer, .peerClient: "peer port"
        case .clientServer, .clientClient: "client port"
        }
    }
}
