package import ByteCoding
package import ClusterPrimitives

/// One thing that happened to a traced request.
///
///     trace := count: uint32, events
///     event := at: uint32 µs, node: uint16, event: text, detail: text
package struct TraceEvent: Equatable, Sendable {
    /// Microseconds since the coordinator took the request.
    package var microseconds: UInt32
    /// The node it speaks of.
    package var node: NodeID
    /// What happened, one word or two: `plan`, `sent`, `answered`, `repaired`.
    package var event: String
    /// The figures.
    package var detail: String

    /// An event with these parts.
    package init(microseconds: UInt32, node: NodeID, event: String, detail: String) {
        self.microseconds = microseconds
        self.node = node
        self.event = event
        self.detail = detail
    }
}

extension ByteWriter {
    /// Appends a trace.
    package mutating func trace(_ events: [TraceEvent]) {
        uint32(UInt32(events.count))
        for event in events {
            uint32(event.microseconds)
            uint16(event.node.rawValue)
            string(event.event)
            string(event.detail)
        }
    }
}

extension ByteReader {
    /// Reads a trace.
    package mutating func trace(in bytes: RawSpan) throws(CodingError) -> [TraceEvent] {
        var events: [TraceEvent] = []
        for _ in 0..<(try count(in: bytes, limit: 4096, "trace")) {
            events.append(
                TraceEvent(
                    microseconds: try uint32(in: bytes, "trace"),
                    node: NodeID(try uint16(in: bytes, "trace")),
                    event: try string(in: bytes, limit: 256, "trace"),
                    detail: try string(in: bytes, limit: 4096, "trace")
                )
            )
        }
        return events
    }
}
