internal import ClientProtocol
internal import ClusterPrimitives

/// Whether a request that did not succeed is sent again, and where.
///
/// Nothing is repeated that may count twice: reads and refused requests go to another
/// coordinator while there is time, a write of unknown outcome only where its caller says that
/// this is safe.
struct RetryPolicy {
    /// What repeating a request may do.
    enum Repetition {
        /// Nothing: a read.
        case harmless
        /// A second write, which the caller allows.
        case allowed
        /// A second write.
        case harmful
        /// Nothing that helps: what one node said, or did not say, is the answer.
        case useless
    }

    /// What became of one attempt.
    enum Outcome: Equatable {
        /// The node refused it or failed.
        case failed(FailureCode, mayBeWritten: Bool)
        /// The node cannot be reached; nothing was sent.
        case unreachable
        /// The connection was not open in time, or was full; nothing was sent.
        case notSentInTime
        /// The connection broke after it was sent.
        case lost
        /// The time was up after it was sent.
        case expired
    }

    /// What comes next.
    enum Decision: Equatable {
        /// Ask the next coordinator at once.
        case next
        /// Ask the next coordinator after a pause.
        case nextAfter(Duration)
        /// Tell the caller.
        case stop
    }

    /// How many other coordinators are asked after one refused as unavailable: 2.
    ///
    /// Their view may differ; more of them only delays the refusal.
    static let maximumRefusals = 2
    /// Less time than this is not worth another attempt.
    static let leastTime: Duration = .milliseconds(5)

    /// What repeating this request may do.
    var repetition: Repetition

    /// What comes after an attempt.
    ///
    /// - Parameters:
    ///   - outcome: what became of it.
    ///   - attempt: how many attempts came before.
    ///   - refusals: how many of all were refused as unavailable, this one included.
    ///   - remaining: time until the request's deadline.
    /// - Returns: what to do.
    func decision(
        after outcome: Outcome,
        attempt: Int,
        refusals: Int,
        remaining: Duration
    ) -> Decision {
        guard remaining >= Self.leastTime else { return .stop }
        switch outcome {
        case .unreachable:
            return .next
        case .notSentInTime:
            return .nextAfter(pause(attempt))
        case .lost, .expired:
            return repetition == .harmful || repetition == .useless ? .stop : .next
        case .failed(let code, let mayBeWritten):
            if repetition == .useless { return .stop }
            if mayBeWritten, repetition == .harmful { return .stop }
            switch code {
            case .overloaded: return .nextAfter(pause(attempt))
            case .unavailable: return refusals <= Self.maximumRefusals ? .next : .stop
            case .timeout: return repetition == .harmful ? .stop : .next
            case .notFound, .conflict, .forbidden, .invalid, .tooLarge, .corrupt, .internal:
                return .stop
            }
        }
    }

    /// 10 ms, doubled with each attempt up to 160 ms.
    private func pause(_ attempt: Int) -> Duration {
        .milliseconds(10 << min(max(attempt, 0), 4))
    }
}
