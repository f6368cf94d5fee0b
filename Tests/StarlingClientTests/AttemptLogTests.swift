import ByteCoding
import ClientProtocol
import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The error of a request` {
    private let node = CoordinatorChoice.Candidate(
        endpoint: Endpoint(host: "127.0.0.1", port: 7401),
        name: "dc1-n1"
    )
    private let other = CoordinatorChoice.Candidate(
        endpoint: Endpoint(host: "127.0.0.1", port: 7411)
    )

    private func log(isWrite: Bool) -> AttemptLog {
        AttemptLog(
            operation: StarlingClient.Operation(
                kind: isWrite ? .put : .get,
                answer: isWrite ? .written : .value,
                repetition: isWrite ? .harmful : .harmless,
                isWrite: isWrite
            ),
            timeout: .seconds(2)
        )
    }

    private func failure(_ response: FailureResponse) -> Reply {
        var writer = ByteWriter()
        response.encode(into: &writer)
        return Reply(kind: ClientKind.failure.rawValue, epoch: 1, body: writer.bytes)
    }

    @Test func `a later refusal does not take back that a write may have happened`() throws {
        var log = log(isWrite: true)
        #expect(log.lost(node, ConnectionFailure(kind: .unreachable, message: "reset")) == .lost)
        let refusal = FailureResponse(code: .unavailable, message: "too few")
        _ = try log.failed(other, failure(refusal), nil)
        #expect(log.finalError().code == .timeout)
        #expect(log.finalError().written == .unknown)
    }

    @Test func `of several refusals the first is told, with its figures`() throws {
        var log = log(isWrite: true)
        let first = FailureResponse(
            code: .unavailable,
            level: .all,
            required: 3,
            alive: 2,
            message: "first",
            advice: "wait"
        )
        _ = try log.failed(node, failure(first), nil)
        _ = try log.failed(
            other,
            failure(FailureResponse(code: .unavailable, message: "second")),
            nil
        )
        let error = log.finalError()
        #expect(error.message == "first" && error.advice == "wait")
        #expect(error.required == 3 && error.alive == 2 && error.acknowledged == nil)
        #expect(error.level == .all && error.written == .no)
        #expect(log.refusals == 2)
    }

    @Test func `a read that got no answer wrote nothing`() {
        var log = log(isWrite: false)
        #expect(log.expired(node) == .expired)
        #expect(log.finalError().code == .timeout)
        #expect(log.finalError().written == .no)
    }

    @Test func `nodes that cannot be reached are all named`() {
        var log = log(isWrite: true)
        let refused = ConnectionFailure(kind: .unreachable, message: "connection refused")
        _ = log.unreachable(node, refused)
        _ = log.unreachable(other, refused)
        let error = log.finalError()
        #expect(error.code == .cannotConnect)
        #expect(error.message.contains("dc1-n1 at 127.0.0.1:7401 (connection refused)"))
        #expect(error.message.contains("127.0.0.1:7411"))
        #expect(error.advice.hasPrefix("Nothing was written."))
    }

    @Test func `an untrusted certificate is told before nodes that are merely down`() {
        var log = log(isWrite: false)
        _ = log.unreachable(other, ConnectionFailure(kind: .unreachable, message: "refused"))
        _ = log.unreachable(node, ConnectionFailure(kind: .tls, message: "unknown ca"))
        #expect(log.finalError().code == .tls)
    }

    @Test func `an answer of a foreign kind is a violation, and leaves a write's outcome open`() {
        var log = log(isWrite: true)
        let foreign = Reply(kind: ClientKind.page.rawValue, epoch: 1, body: [])
        #expect {
            _ = try log.failed(node, foreign, nil)
        } throws: { error in
            let error = error as? StarlingError
            return error?.code == .protocolViolation && error?.written == .unknown
        }
    }
}
