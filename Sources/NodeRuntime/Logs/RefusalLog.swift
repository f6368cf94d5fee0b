import ClusterPrimitives
import Logging
import Synchronization

/// Logs connections that were refused or cut, at a bounded rate.
///
/// Ten lines may come at once and one a second after them; what is left out is counted in the
/// next line, so that a flood of connections cannot become a flood of lines.
final class RefusalLog: Sendable {
    /// Lines that may come at once.
    static let burst = 10
    /// After which time one more line may come.
    static let interval: Duration = .seconds(1)

    private struct State {
        var credit = RefusalLog.burst
        var lastRefill = MonotonicInstant(nanoseconds: 0)
        var suppressed = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) {
        self.logger = logger
    }

    /// Logs that a connection was refused or cut.
    ///
    /// - Parameters:
    ///   - port: `peer` or `client`.
    ///   - address: the other side's address.
    ///   - reason: why.
    ///   - now: the time.
    func refused(
        port: String,
        address: String,
        reason: String,
        at now: MonotonicInstant = SystemClock.monotonicTime
    ) {
        guard let suppressed = admit(at: now) else { return }
        var metadata: Logger.Metadata = [
            "port": "\(port)", "address": "\(address)", "reason": "\(reason)",
        ]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.warning("connection refused", metadata: metadata)
    }

    /// How many lines were left out before this one; nil when it is to be left out too.
    private func admit(at now: MonotonicInstant) -> Int? {
        state.withLock { state in
            let elapsed = (now - state.lastRefill).wholeNanoseconds
            let earned = elapsed / Self.interval.wholeNanoseconds
            if earned > 0 {
                state.credit = Int(min(Int64(Self.burst), Int64(state.credit) + earned))
                state.lastRefill = now
            }
            guard state.credit > 0 else {
                state.suppressed += 1
                return nil
            }
            state.credit -= 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
    }
}
