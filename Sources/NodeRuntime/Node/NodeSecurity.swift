import MutualTLS
import Synchronization

/// The TLS contexts of a node, which can be read anew while it runs.
///
/// Connections keep the context they began with; a context is never edited.
final class NodeSecurity: Sendable {
    /// One context a role.
    struct Contexts: Sendable {
        var peerServer: TLSContext
        var peerClient: TLSContext
        var clientServer: TLSContext
    }

    private let configuration: TLSConfiguration
    private let current: Mutex<Contexts>

    /// Reads the files of a configuration.
    ///
    /// - Throws: `TLSError`, naming the file at fault.
    init(_ configuration: TLSConfiguration) throws(TLSError) {
        self.configuration = configuration
        current = Mutex(try Self.load(configuration))
    }

    /// The contexts for connections that begin now.
    var contexts: Contexts { current.withLock { $0 } }

    /// Reads the files again; those in force stay so when that fails.
    ///
    /// - Throws: `TLSError`, naming the file at fault.
    func reload() throws(TLSError) {
        let contexts = try Self.load(configuration)
        current.withLock { $0 = contexts }
    }

    private static func load(_ configuration: TLSConfiguration) throws(TLSError) -> Contexts {
        Contexts(
            peerServer: try TLSContext(configuration, role: .peerServer),
            peerClient: try TLSContext(configuration, role: .peerClient),
            clientServer: try TLSContext(configuration, role: .clientServer)
        )
    }
}
