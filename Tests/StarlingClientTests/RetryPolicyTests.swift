import ClientProtocol
import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The retry policy` {
    private func decision(
        _ repetition: RetryPolicy.Repetition,
        after outcome: RetryPolicy.Outcome,
        refusals: Int = 1,
        remaining: Duration = .seconds(1)
    ) -> RetryPolicy.Decision {
        RetryPolicy(repetition: repetition)
            .decision(after: outcome, attempt: 0, refusals: refusals, remaining: remaining)
    }

    @Test(arguments: [RetryPolicy.Outcome.lost, .expired])
    func `a write of unknown outcome is never repeated unasked`(_ outcome: RetryPolicy.Outcome) {
        #expect(decision(.harmful, after: outcome) == .stop)
        #expect(decision(.allowed, after: outcome) == .next)
        #expect(decision(.harmless, after: outcome) == .next)
    }

    @Test(arguments: FailureCode.allCases)
    func `a write that a node may have applied is never repeated unasked`(_ code: FailureCode) {
        #expect(decision(.harmful, after: .failed(code, mayBeWritten: true)) == .stop)
    }

    @Test func `what was not sent goes to the next node, whatever it is`() {
        for repetition in [RetryPolicy.Repetition.harmful, .allowed, .harmless] {
            #expect(decision(repetition, after: .unreachable) == .next)
            #expect(decision(repetition, after: .notSentInTime) == .nextAfter(.milliseconds(10)))
        }
    }

    @Test func `a refusal is put to two other coordinators at most`() {
        let refusal = RetryPolicy.Outcome.failed(.unavailable, mayBeWritten: false)
        #expect(decision(.harmful, after: refusal, refusals: 1) == .next)
        #expect(decision(.harmful, after: refusal, refusals: 2) == .next)
        #expect(decision(.harmful, after: refusal, refusals: 3) == .stop)
    }

    @Test func `an overloaded node is left alone for a while`() {
        let refusal = RetryPolicy.Outcome.failed(.overloaded, mayBeWritten: false)
        #expect(decision(.harmful, after: refusal) == .nextAfter(.milliseconds(10)))
    }

    @Test func `what no other node would answer otherwise is told at once`() {
        for code in [FailureCode.notFound, .conflict, .forbidden, .invalid, .tooLarge, .corrupt] {
            #expect(decision(.harmless, after: .failed(code, mayBeWritten: false)) == .stop)
        }
    }

    @Test func `what only one node can say is asked of it once`() {
        for code in FailureCode.allCases {
            #expect(decision(.useless, after: .failed(code, mayBeWritten: false)) == .stop)
        }
        #expect(decision(.useless, after: .lost) == .stop)
        #expect(decision(.useless, after: .expired) == .stop)
    }

    @Test func `nothing is repeated when the time is up`() {
        #expect(decision(.harmless, after: .unreachable, remaining: .milliseconds(4)) == .stop)
        #expect(decision(.harmless, after: .lost, remaining: .seconds(-1)) == .stop)
    }
}
