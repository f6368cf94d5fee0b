internal import ByteCoding
internal import ClientProtocol
internal import ClusterPrimitives
internal import NIOCore
internal import Partitioning
internal import Synchronization

extension StarlingClient {
    /// A request that can be sent to any coordinator, again if need be.
    struct Operation {
        /// The request's kind.
        var kind: ClientKind
        /// The kind of the answer that means success.
        var answer: ClientKind
        /// What repeating it may do.
        var repetition: RetryPolicy.Repetition
        /// Whether it changes anything, so that a lost answer leaves its outcome open.
        var isWrite = false
        /// Whether doing it twice does no more than once.
        var isIdempotent = true
        /// Nil stands for the configuration's.
        var timeout: Duration?
        var isTraced = false
        /// What the caller asked for, told in errors.
        var level: ConsistencyLevel?
        /// Writes the body; gets the milliseconds that the coordinator has.
        var encode: (UInt32, inout ByteWriter) -> Void = { _, _ in }
    }

    /// Sends a request to one candidate after another, as the retry policy says, until one
    /// answers or the time is up.
    func perform(
        _ operation: Operation,
        on candidates: [CoordinatorChoice.Candidate]
    ) async throws(StarlingError) -> Reply {
        let timeout = operation.timeout ?? configuration.requestTimeout
        let deadline = MonotonicInstant.now + timeout
        let policy = RetryPolicy(repetition: operation.repetition)
        var log = AttemptLog(operation: operation, timeout: timeout)
        guard !candidates.isEmpty else { throw log.nobody(local: localDatacenter) }
        while true {
            var isWorthAnotherRound = false
            for candidate in candidates {
                let remaining = deadline - MonotonicInstant.now
                guard remaining >= RetryPolicy.leastTime else { throw log.finalError() }
                let outcome: RetryPolicy.Outcome
                // There is a refusal to tell already: less is risked for another opinion.
                let patience = configuration.connectPatience / (log.refusals == 0 ? 1 : 2)
                switch await attempt(
                    operation,
                    on: candidate,
                    remaining: remaining,
                    patience: patience
                ) {
                case .replied(let reply) where reply.kind == operation.answer.rawValue:
                    note(epoch: reply.epoch)
                    return reply
                case .replied(let reply):
                    note(epoch: reply.epoch)
                    outcome = try log.failed(candidate, reply, state.withLock { $0.snapshot })
                case .notSent(let failure):
                    outcome = log.unreachable(candidate, failure)
                case .notSentInTime:
                    outcome = log.notSentInTime(candidate)
                case .lost(let failure):
                    outcome = log.lost(candidate, failure)
                case .expired:
                    outcome = log.expired(candidate)
                }
                if outcome != .unreachable { isWorthAnotherRound = true }
                switch policy.decision(
                    after: outcome,
                    attempt: log.count - 1,
                    refusals: log.refusals,
                    remaining: deadline - MonotonicInstant.now
                ) {
                case .stop: throw log.finalError()
                case .next: continue
                case .nextAfter(let pause): await Self.pause(pause)
                }
            }
            // Who refused once would refuse again, and who cannot be reached is not there.
            guard isWorthAnotherRound, log.refusals == 0 else { throw log.finalError() }
        }
    }

    private func attempt(
        _ operation: Operation,
        on candidate: CoordinatorChoice.Candidate,
        remaining: Duration,
        patience: Duration
    ) async -> AttemptOutcome {
        var writer = ByteWriter(capacity: 256)
        let start = writer.beginFrame(
            Frame.Header(
                kind: operation.kind.rawValue,
                flags: operation.isTraced ? 1 : 0,
                epoch: state.withLock { $0.snapshot?.topology.epoch } ?? 0
            )
        )
        operation.encode(UInt32(clamping: max(1, remaining.wholeMilliseconds)), &writer)
        writer.endFrame(start)
        let now = NIODeadline.now()
        return await pool(for: candidate).send(
            writer.bytes,
            sendBy: now + TimeAmount(min(remaining, patience)),
            answerBy: now + TimeAmount(remaining + configuration.answerGrace)
        )
    }

    private static func pause(_ duration: Duration) async {
        // Cancellation only ends the pause: every request is bounded by its own time.
        try? await Task.sleep(for: duration)
    }

    /// Reads a reply's body.
    func decode<Response>(
        _ reply: Reply,
        _ what: String,
        ofWrite isWrite: Bool = false,
        _ read: (ByteRange, RawSpan) throws(CodingError) -> Response
    ) throws(StarlingError) -> Response {
        do throws(CodingError) {
            let range = ByteRange(offset: 0, count: reply.body.count)
            return try read(range, reply.body.span.bytes)
        } catch {
            throw .malformed(what, error, written: isWrite ? .unknown : .no)
        }
    }
}

extension StarlingError {
    /// An answer that cannot be read.
    static func malformed(
        _ what: String,
        _ error: CodingError,
        written: Written
    ) -> StarlingError {
        StarlingError(
            .protocolViolation,
            "a node's \(what) is malformed: \(error).",
            advice: "Compare the versions of client and nodes.",
            written: written
        )
    }
}
