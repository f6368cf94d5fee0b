internal import MutualTLS
internal import NIOCore
internal import NIOPosix

extension ConnectionFailure {
    /// What an error of the channel means.
    init(_ error: any Error) {
        switch error {
        case let failure as ConnectionFailure:
            self = failure
        case let error as TLSError:
            self.init(kind: error.isRefusal ? .tls : .unreachable, message: "\(error)")
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self.init(first.error)
            } else {
                self.init(kind: .unreachable, message: "'\(error.host)' has no address")
            }
        case let error as IOError:
            self.init(kind: .unreachable, message: Self.words(for: error.errnoCode))
        case ChannelError.connectTimeout(let time):
            self.init(
                kind: .unreachable,
                message: "no answer within \(time.nanoseconds / 1_000_000) ms"
            )
        case is NIOConnectionError, is ChannelError:
            self.init(kind: .unreachable, message: "the connection ended")
        default:
            self.init(kind: .unreachable, message: "\(error)")
        }
    }

    private static func words(for code: CInt) -> String {
        switch code {
        case 111: "connection refused"
        case 104: "connection reset"
        case 113: "no route to host"
        case 101: "network unreachable"
        case 110: "no answer"
        case 32: "the connection ended"
        default: "error \(code)"
        }
    }
}

extension TLSError {
    /// Whether one side would not trust the other, as against a connection that broke.
    fileprivate var isRefusal: Bool {
        switch self {
        case .handshakeTimedOut, .closedDuringHandshake, .truncated, .closed: false
        default: true
        }
    }
}
