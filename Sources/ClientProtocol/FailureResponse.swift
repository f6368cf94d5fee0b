package import ByteCoding
import Causality
package import ClusterPrimitives

/// The kind of a failure, as scripts see it.
package enum FailureCode: UInt8, Sendable, CaseIterable {
    // On the wire: never renumber.
    /// The key, or the thing that was named, does not exist.
    case notFound = 1
    /// Too few replicas are up for the level; nothing was written.
    case unavailable = 2
    /// The deadline passed, or a link broke, after the request was sent.
    case timeout = 3
    /// Siblings, or a shadowed write, where the caller asked to be told.
    case conflict = 4
    /// The certificate does not allow it.
    case forbidden = 5
    /// The request makes no sense.
    case invalid = 6
    /// A bound is reached; try later.
    case overloaded = 7
    /// A key or a value exceeds its limit.
    case tooLarge = 8
    /// Data on disk is damaged.
    case corrupt = 9
    /// A defect or a failed disk.
    case `internal` = 10

    /// The code's name in JSON: `not_found`.
    package var name: String {
        switch self {
        case .notFound: "not_found"
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .conflict: "conflict"
        case .forbidden: "forbidden"
        case .invalid: "invalid"
        case .overloaded: "overloaded"
        case .tooLarge: "too_large"
        case .corrupt: "corrupt"
        case .internal: "internal"
        }
    }
}

/// The answer to a request that did not succeed.
///
///     failure := code: uint8, written: uint8, level: uint8, required: uint8, alive: uint8,
///                acknowledged: uint8, message: text, advice: text, count: uint32,
///                value × count, context: bytes, trace
package struct FailureResponse: Equatable, Sendable {
    /// Whether the request may have changed anything.
    package enum Written: UInt8, Sendable {
        // On the wire: never renumber.
        /// Nothing was written.
        case no = 0
        /// Some replicas may have it.
        case unknown = 1
    }

    /// The kind.
    package var code: FailureCode
    /// Whether the request may have changed anything.
    package var written: Written
    /// The level that was asked for; nil where there was none.
    package var level: ConsistencyLevel?
    /// How many replicas the level needs; 0 where it says nothing.
    package var required: UInt8
    /// How many of those are up.
    package var alive: UInt8
    /// How many acknowledged.
    package var acknowledged: UInt8
    /// What happened: for which key, range or node.
    package var message: String
    /// What to do; may be empty.
    package var advice: String
    /// The values in the way of a write that was refused for them; usually none.
    package var values: [VersionedValue]
    /// What one who reads those values has seen; empty where there are none.
    package var context: [UInt8]
    /// What happened, where it was asked for.
    package var trace: [TraceEvent]

    /// A failure with these parts.
    package init(
        code: FailureCode,
        written: Written = .no,
        level: ConsistencyLevel? = nil,
        required: UInt8 = 0,
        alive: UInt8 = 0,
        acknowledged: UInt8 = 0,
        message: String,
        advice: String = "",
        values: [VersionedValue] = [],
        context: [UInt8] = [],
        trace: [TraceEvent] = []
    ) {
        self.code = code
        self.written = written
        self.level = level
        self.required = required
        self.alive = alive
        self.acknowledged = acknowledged
        self.message = message
        self.advice = advice
        self.values = values
        self.context = context
        self.trace = trace
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let rawCode = try reader.uint8(in: bytes, "failure code")
        guard let code = FailureCode(rawValue: rawCode) else {
            throw .invalid(field: "failure code", value: UInt64(rawCode))
        }
        self.code = code
        let rawWritten = try reader.uint8(in: bytes, "written")
        guard let written = Written(rawValue: rawWritten) else {
            throw .invalid(field: "written", value: UInt64(rawWritten))
        }
        self.written = written
        level = try reader.level(in: bytes)
        required = try reader.uint8(in: bytes)
        alive = try reader.uint8(in: bytes)
        acknowledged = try reader.uint8(in: bytes)
        message = try reader.string(in: bytes, limit: 64 * 1024, "message")
        advice = try reader.string(in: bytes, limit: 64 * 1024, "advice")
        values = []
        for _ in 0..<(try reader.count(in: bytes, limit: 1024, "values")) {
            values.append(try VersionedValue(from: &reader, in: bytes))
        }
        context = bytes.array(
            try reader.prefixed(in: bytes, limit: CausalContext.maximumSize, "context")
        )
        trace = try reader.trace(in: bytes)
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(code.rawValue)
        writer.uint8(written.rawValue)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint8(required)
        writer.uint8(alive)
        writer.uint8(acknowledged)
        writer.string(message)
        writer.string(advice)
        writer.uint32(UInt32(values.count))
        for value in values { value.encode(into: &writer) }
        writer.prefixed(context)
        writer.trace(trace)
    }
}
