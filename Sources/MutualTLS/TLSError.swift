/// Why a file, a certificate, a handshake or a connection was refused.
///
/// A description is one line without control characters, fit for a log, and says what to do where
/// the reader can do something. Text that a peer chose is escaped before it gets here.
package enum TLSError: Error, Equatable, Sendable {
    /// A file could not be read.
    case fileUnreadable(path: String, reason: String)
    /// A file to be created is already there; nothing is ever overwritten.
    case fileExists(path: String)
    /// A file or directory could not be written.
    case fileUnwritable(path: String, reason: String)
    /// A private key or secret can be read or written by others than its owner.
    case keyReadableByOthers(path: String, mode: UInt32)
    /// The private key belongs to another certificate.
    case keyMismatch(certificate: String, key: String)
    /// A certificate, key, revocation list or secret file does not hold what it must.
    case certificateInvalid(path: String, reason: String)
    /// A cluster, node, client or host name, or a number of days, breaks its rule.
    case argumentInvalid(argument: String, reason: String)
    /// The handshake ended without an agreement.
    case handshakeFailed(reason: String)
    /// The peer's certificate is genuine but does not entitle it to this connection.
    case identityRefused(reason: String)
    /// The peer's certificate is not one that the authority vouches for now.
    case verificationFailed(reason: String, depth: Int, subject: String)
    /// The other side ended the connection with a TLS alert.
    case refusedByPeer(alert: String)
    /// The first bytes of the connection were not TLS.
    case notTLS(firstBytes: [UInt8])
    /// The handshake was not over when its deadline came.
    case handshakeTimedOut
    /// The connection ended during the handshake.
    case closedDuringHandshake
    /// The connection ended without the close_notify that proves nothing was cut off.
    case truncated
    /// Something was written after this side had closed.
    case closed
    /// A record of an authenticated connection was not acceptable.
    case recordInvalid(reason: String)
    /// OpenSSL could not do what must always be possible.
    case libraryFailed(operation: String, reason: String)
}

extension TLSError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .fileUnreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .fileExists(let path):
            "\(path) exists already and is not overwritten; move it away or choose another name"
        case .fileUnwritable(let path, let reason):
            "cannot write \(path): \(reason)"
        case .keyReadableByOthers(let path, let mode):
            "\(path) is open to others than its owner (mode \(String(mode, radix: 8)));"
                + " run chmod 600 on it"
        case .keyMismatch(let certificate, let key):
            "the private key in \(key) does not belong to the certificate in \(certificate)"
        case .certificateInvalid(let path, let reason):
            "\(path): \(reason)"
        case .argumentInvalid(let argument, let reason):
            "\"\(Printable.text(argument))\" \(reason)"
        case .handshakeFailed(let reason):
            "TLS handshake failed: \(reason)"
        case .identityRefused(let reason):
            "peer identity refused: \(reason)"
        case .verificationFailed(let reason, let depth, let subject):
            "peer certificate refused: \(reason) (depth \(depth), subject \(subject))"
        case .refusedByPeer(let alert):
            "the other side refused the connection: \(alert)"
        case .notTLS(let firstBytes):
            "not TLS: the connection began with bytes \(Printable.hex(firstBytes))"
        case .handshakeTimedOut:
            "TLS handshake not finished in time"
        case .closedDuringHandshake:
            "connection closed during the TLS handshake"
        case .truncated:
            "connection ended without close_notify"
        case .closed:
            "connection is closed for writing"
        case .recordInvalid(let reason):
            "TLS record refused: \(reason)"
        case .libraryFailed(let operation, let reason):
            "OpenSSL failed to \(operation): \(reason)"
        }
    }
}
