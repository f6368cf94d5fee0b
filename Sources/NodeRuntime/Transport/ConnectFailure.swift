import Glibc
import NIOCore
import NIOPosix

/// Why a connection attempt failed, in words.
enum ConnectFailure {
    /// Whether the other host answered that nobody listens there.
    static func isRefusal(_ error: any Error) -> Bool {
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        guard let error = error as? NIOConnectionError, !error.connectionErrors.isEmpty else {
            return false
        }
        return error.connectionErrors.allSatisfy { isRefusal($0.error) }
    }

    /// One line of text.
    static func text(of error: any Error) -> String {
        if let error = error as? IOError { return reason(error.errnoCode) }
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let first = error.connectionErrors.first { return text(of: first.error) }
        return "the host name \(error.host) cannot be resolved"
    }

    private static func reason(_ code: CInt) -> String {
        String(cString: strerror(code))
    }
}
