internal import ByteCoding
internal import ClientProtocol
internal import ClusterPrimitives

/// What became of a request's attempts, and the one error that they amount to.
struct AttemptLog {
    /// Attempts so far.
    private(set) var count = 0
    /// Those that were refused as unavailable.
    private(set) var refusals = 0

    private let operation: StarlingClient.Operation
    private let timeout: Duration
    private var failure: StarlingError?
    private var unreached: [(node: String, failure: ConnectionFailure)] = []
    private var openedTooLate: [String] = []
    /// Set once an attempt's outcome is not known; nothing that follows takes it back.
    private var unknown: StarlingError?

    /// A log of the attempts at an operation.
    init(operation: StarlingClient.Operation, timeout: Duration) {
        self.operation = operation
        self.timeout = timeout
    }

    /// Notes an answer that is not the one that was hoped for.
    ///
    /// - Throws: `protocolViolation` for an answer of a kind that does not belong to the request.
    mutating func failed(
        _ candidate: CoordinatorChoice.Candidate,
        _ reply: Reply,
        _ snapshot: ClusterSnapshot?
    ) throws(StarlingError) -> RetryPolicy.Outcome {
        guard reply.kind == ClientKind.failure.rawValue else {
            throw StarlingError(
                .protocolViolation,
                "\(candidate.label) answered \(operation.kind) with kind \(reply.kind).",
                advice: "Compare the versions of client and nodes.",
                written: operation.isWrite ? .unknown : .no
            )
        }
        let response: FailureResponse
        do throws(CodingError) {
            response = try FailureResponse(
                decoding: ByteRange(offset: 0, count: reply.body.count),
                of: reply.body.span.bytes
            )
        } catch {
            throw .malformed("failure", error, written: operation.isWrite ? .unknown : .no)
        }
        count += 1
        let error = StarlingError(response, snapshot)
        if response.code == .unavailable { refusals += 1 }
        let mayBeWritten = operation.isWrite && response.written == .unknown
        if mayBeWritten {
            unknown = unknown ?? error
        } else if failure == nil || response.code != .unavailable {
            // Of several refusals the first is told: it comes from the preferred coordinator.
            failure = error
        }
        return .failed(response.code, mayBeWritten: mayBeWritten)
    }

    /// Notes a node that cannot be reached.
    mutating func unreachable(
        _ candidate: CoordinatorChoice.Candidate,
        _ failure: ConnectionFailure
    ) -> RetryPolicy.Outcome {
        count += 1
        unreached.removeAll { $0.node == candidate.label }
        unreached.append((candidate.label, failure))
        return .unreachable
    }

    /// Notes a node whose connection was not open in time, or is full.
    mutating func notSentInTime(
        _ candidate: CoordinatorChoice.Candidate
    ) -> RetryPolicy.Outcome {
        count += 1
        if !openedTooLate.contains(candidate.label) { openedTooLate.append(candidate.label) }
        return .notSentInTime
    }

    /// Notes a connection that broke after the request was sent.
    mutating func lost(
        _ candidate: CoordinatorChoice.Candidate,
        _ failure: ConnectionFailure
    ) -> RetryPolicy.Outcome {
        count += 1
        noteUnknown("the connection to \(candidate.label) broke before it answered")
        return .lost
    }

    /// Notes that the time was up after the request was sent.
    mutating func expired(_ candidate: CoordinatorChoice.Candidate) -> RetryPolicy.Outcome {
        count += 1
        noteUnknown("no answer from \(candidate.label) within \(timeout)")
        return .expired
    }

    private mutating func noteUnknown(_ message: String) {
        let error = StarlingError(
            .timeout,
            message + ".",
            advice: adviceWhenUnknown,
            level: operation.level,
            written: operation.isWrite ? .unknown : .no
        )
        if operation.isWrite { unknown = unknown ?? error } else { failure = failure ?? error }
    }

    private var adviceWhenUnknown: String {
        guard operation.isWrite else { return "Allow more time, or see which nodes are up." }
        return operation.isIdempotent
            ? "It may have been written: read it, or repeat the same write."
            : "It may have been written: read it before you send it again."
    }

    /// The error of a request for which no node may be asked.
    func nobody(local datacenter: String?) -> StarlingError {
        StarlingError(
            .unavailable,
            "no node of datacenter '\(datacenter ?? "")' is known.",
            advice: "Name one of its nodes in the profile, or choose another datacenter.",
            level: operation.level
        )
    }

    /// The error that the attempts amount to.
    func finalError() -> StarlingError {
        if let unknown { return unknown }
        if let failure { return failure }
        if let cause = unreached.first(where: { $0.failure.isRefusal }) {
            return cause.failure.error(from: cause.node)
        }
        let tried =
            unreached.map { "\($0.node) (\($0.failure.message))" }
            + openedTooLate.map { "\($0) (no connection in time)" }
        return StarlingError(
            .cannotConnect,
            tried.isEmpty
                ? "there was no time to ask any node."
                : "cannot reach \(tried.joined(separator: ", ")).",
            advice: (operation.isWrite ? "Nothing was written. " : "")
                + "See that the nodes run and that their addresses are right.",
            level: operation.level
        )
    }
}

extension CoordinatorChoice.Candidate {
    /// How errors name it: `dc1-n1 at 127.0.0.1:7401`.
    var label: String { name.map { "\($0) at \(endpoint)" } ?? endpoint.description }
}

extension ConnectionFailure {
    /// Whether a node is there but will not talk to this client.
    fileprivate var isRefusal: Bool {
        switch kind {
        case .tls, .refused, .protocolViolation: true
        case .unreachable, .closed: false
        }
    }

    fileprivate func error(from node: String) -> StarlingError {
        switch kind {
        case .tls:
            StarlingError(
                .tls,
                "no trusted connection to \(node): \(message)",
                advice: "Check the authority, the certificate and its cluster's name."
            )
        case .refused(let code):
            StarlingError(
                StarlingError.Code(code),
                "\(node) refused the connection: \(message)",
                advice: "Check the cluster's name and the client's certificate."
            )
        case .unreachable, .protocolViolation, .closed:
            StarlingError(
                .protocolViolation,
                "\(node) does not speak as a node of this cluster: \(message).",
                advice: "Check the address and the cluster's name."
            )
        }
    }
}

extension StarlingError.Code {
    /// The kind of a node's failure.
    init(_ code: FailureCode) {
        self =
            switch code {
            case .notFound: .notFound
            case .unavailable: .unavailable
            case .timeout: .timeout
            case .conflict: .conflict
            case .forbidden: .forbidden
            case .invalid: .invalid
            case .overloaded: .overloaded
            case .tooLarge: .tooLarge
            case .corrupt: .corrupt
            case .internal: .internal
            }
    }
}

extension StarlingError {
    /// What a node said.
    init(_ response: FailureResponse, _ snapshot: ClusterSnapshot?) {
        let speaksOfReplicas = response.required > 0
        self.init(
            Code(response.code),
            response.message,
            advice: response.advice,
            level: response.level,
            required: speaksOfReplicas ? Int(response.required) : nil,
            alive: speaksOfReplicas && response.code == .unavailable ? Int(response.alive) : nil,
            acknowledged: speaksOfReplicas && response.code == .timeout
                ? Int(response.acknowledged) : nil,
            written: response.written == .no ? .no : .unknown,
            values: response.values.compactMap { snapshot?.named($0) },
            context: response.context,
            trace: snapshot?.named(response.trace) ?? []
        )
    }
}
