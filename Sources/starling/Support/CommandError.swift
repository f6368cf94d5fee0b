import ClusterPrimitives
import StarlingClient

/// Why a command failed: what, what to do, and the exit code that says so to scripts.
struct CommandError: Error {
    /// The exit codes of the contract.
    enum Exit: Int32 {
        case failed = 1
        case notFound = 2
        case unavailable = 3
        case unknownOutcome = 4
        case conflict = 5
        case refused = 6
        case usage = 64
        case cannotConnect = 69
        case configuration = 78
        case interrupted = 130
    }

    /// One of the contract's codes: `not_found`.
    var code: String
    /// What happened, one line.
    var message: String
    /// What to do, one line; may be empty.
    var advice: String
    /// The exit code.
    var exit: Exit
    /// Further members of the JSON object, between `message` and `written`.
    var details: [JSONValue.Member]
    /// Whether anything may have been written: `no` or `unknown`; `yes` where a write that was done
    /// left what the caller asked to be told of.
    var written: String
    /// Further members of the JSON object, at its end.
    var trailer: [JSONValue.Member]
    /// What happened to the request, where it was asked for.
    var trace: [TraceEntry]

    init(
        _ code: String,
        _ message: String,
        advice: String = "",
        exit: Exit,
        details: [JSONValue.Member] = [],
        written: String = "no",
        trailer: [JSONValue.Member] = [],
        trace: [TraceEntry] = []
    ) {
        self.code = code
        self.message = message
        self.advice = advice
        self.exit = exit
        self.details = details
        self.written = written
        self.trailer = trailer
        self.trace = trace
    }

    /// A request that makes no sense: exit code 64.
    static func usage(_ message: String, advice: String = "") -> CommandError {
        CommandError("invalid", message, advice: advice, exit: .usage)
    }

    /// A profile or configuration that cannot be used: exit code 78.
    static func configuration(_ message: String, advice: String = "") -> CommandError {
        CommandError("invalid", message, advice: advice, exit: .configuration)
    }
}

extension CommandError {
    /// What the client library says, in the contract's words.
    init(_ error: StarlingError) {
        var details: [JSONValue.Member] = []
        if let level = error.level { details.append(("level", .string(level.description))) }
        if let required = error.required { details.append(("required", .integer(required))) }
        if let alive = error.alive { details.append(("alive", .integer(alive))) }
        if let acknowledged = error.acknowledged {
            details.append(("acknowledged", .integer(acknowledged)))
        }
        var trailer: [JSONValue.Member] = []
        if !error.values.isEmpty { trailer.append(("values", .values(error.values))) }
        if !error.context.isEmpty {
            trailer.append(("context", .string(Base64URL.text(error.context))))
        }
        let (code, exit) = Self.contract(error.code)
        var advice = error.advice
        if error.code == .tooLarge, !error.context.isEmpty {
            // What is too long to be shown can still be replaced.
            advice += " That is: --context \(Base64URL.text(error.context))"
        }
        self.init(
            code,
            error.message,
            advice: advice,
            exit: exit,
            details: details,
            written: error.written.rawValue,
            trailer: trailer,
            trace: error.trace
        )
    }

    /// The contract knows ten codes; what keeps a client from its cluster goes under the nearest,
    /// and its exit code tells it apart.
    private static func contract(_ code: StarlingError.Code) -> (String, Exit) {
        switch code {
        case .notFound: (code.description, .notFound)
        case .unavailable, .overloaded: (code.description, .unavailable)
        case .timeout: (code.description, .unknownOutcome)
        case .conflict: (code.description, .conflict)
        case .forbidden: (code.description, .refused)
        case .invalid, .tooLarge: (code.description, .usage)
        case .cannotConnect: ("unavailable", .cannotConnect)
        case .tls: ("forbidden", .refused)
        case .corrupt: (code.description, .failed)
        default: ("internal", .failed)
        }
    }

    /// The object that `-o json` prints.
    var json: JSONValue {
        var members: [JSONValue.Member] = [
            ("code", .string(code)), ("message", .string(message)),
        ]
        members += details
        members.append(("written", .string(written)))
        if !advice.isEmpty { members.append(("advice", .string(advice))) }
        members += trailer
        if !trace.isEmpty { members.append(("trace", .trace(trace))) }
        return .object([("error", .object(members))])
    }

    /// The lines that people see.
    var text: String {
        let first = "error: \(code): \(Self.line(message))\n"
        return advice.isEmpty ? first : first + "  \(Self.line(advice))\n"
    }

    private static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
