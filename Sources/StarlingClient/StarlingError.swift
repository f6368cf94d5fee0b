public import ClusterPrimitives

/// Why a request did not succeed, and whether it may have changed anything.
public struct StarlingError: Error, Equatable, Sendable {
    /// The kind of an error; more may come in later versions.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name in logs and scripts: `not_found`.
        public let description: String

        private init(_ name: String) {
            description = name
        }

        /// What was named does not exist.
        public static let notFound = Code("not_found")
        /// Too few replicas can be reached for the level; nothing was written.
        public static let unavailable = Code("unavailable")
        /// The time was up, or a connection broke, after the request was sent.
        public static let timeout = Code("timeout")
        /// Siblings, or a shadowed write, where the caller asked to be told; or more siblings than
        /// are kept.
        public static let conflict = Code("conflict")
        /// The certificate does not allow it.
        public static let forbidden = Code("forbidden")
        /// The request makes no sense.
        public static let invalid = Code("invalid")
        /// A bound is reached; later it may work.
        public static let overloaded = Code("overloaded")
        /// A key or a value exceeds its limit.
        public static let tooLarge = Code("too_large")
        /// Data on disk is damaged.
        public static let corrupt = Code("corrupt")
        /// A defect or a failed disk.
        public static let `internal` = Code("internal")
        /// No node can be reached.
        public static let cannotConnect = Code("cannot_connect")
        /// A certificate, on either side, was refused or cannot be read.
        public static let tls = Code("tls")
        /// A node sent what the protocol does not allow.
        public static let protocolViolation = Code("protocol_violation")
    }

    /// Whether a request may have changed anything.
    public enum Written: String, Sendable {
        /// Nothing was written.
        case no
        /// Some replicas may have it.
        case unknown
    }

    /// The kind.
    public var code: Code
    /// What happened.
    public var message: String
    /// What to do; may be empty.
    public var advice: String
    /// The level that was asked for, where there was one.
    public var level: ConsistencyLevel?
    /// How many replicas the level needs.
    public var required: Int?
    /// How many of those are up.
    public var alive: Int?
    /// How many acknowledged.
    public var acknowledged: Int?
    /// Whether the request may have changed anything.
    public var written: Written
    /// The values in the way of a write that was refused because too many would be kept.
    public var values: [StoredValue]
    /// What one who reads those values has seen: opaque, for the write that replaces them.
    public var context: [UInt8]
    /// What happened, where it was asked for.
    public var trace: [TraceEntry]

    /// An error of these parts.
    public init(
        _ code: Code,
        _ message: String,
        advice: String = "",
        level: ConsistencyLevel? = nil,
        required: Int? = nil,
        alive: Int? = nil,
        acknowledged: Int? = nil,
        written: Written = .no,
        values: [StoredValue] = [],
        context: [UInt8] = [],
        trace: [TraceEntry] = []
    ) {
        self.code = code
        self.message = message
        self.advice = advice
        self.level = level
        self.required = required
        self.alive = alive
        self.acknowledged = acknowledged
        self.written = written
        self.values = values
        self.context = context
        self.trace = trace
    }
}

extension StarlingError: CustomStringConvertible {
    /// The kind, what happened and what to do.
    public var description: String {
        advice.isEmpty ? "\(code): \(message)" : "\(code): \(message) \(advice)"
    }
}
