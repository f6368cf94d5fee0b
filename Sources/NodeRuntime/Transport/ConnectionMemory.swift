import ClusterPrimitives
import Glibc
import NIOPosix
import Synchronization

/// Gives the memory of a flood of connections back to the system once it is over.
///
/// The allocator keeps what thousands of short TLS connections freed, for ever, unless told.
package final class ConnectionMemory: Sendable {
    /// Connections that must have ended before it is worth the while: 256, about 7 MiB.
    private static let worthwhile = 256

    private let ended = Mutex(0)

    /// Nothing has ended yet.
    package init() {}

    /// Notes that a connection is gone.
    func noteEnd() {
        ended.withLock { $0 += 1 }
    }

    /// Gives memory back on a thread of the pool, if enough connections have ended since the last
    /// time; to be called about every second.
    func look(_ pool: NIOThreadPool) {
        let isWorthwhile = ended.withLock { ended in
            guard ended >= Self.worthwhile else { return false }
            ended = 0
            return true
        }
        guard isWorthwhile else { return }
        pool.submit { state in
            if state == .active { Self.trim() }
        }
    }

    /// Calls glibc's `malloc_trim`, which its Swift module leaves out; without it nothing happens.
    private static func trim() {
        typealias Trim = @convention(c) (Int) -> CInt
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: Trim.self)(0)
    }
}
