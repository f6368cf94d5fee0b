internal import ClientProtocol

/// One thing that happened to a traced request.
public struct TraceEntry: Equatable, Sendable {
    /// Microseconds since the coordinator took the request.
    public var microseconds: Int
    /// Name of the node it speaks of.
    public var node: String
    /// What happened: `plan`, `sent`, `answered`, `repaired`.
    public var event: String
    /// The figures.
    public var detail: String
}

extension ClusterSnapshot {
    /// A trace with the names of its nodes.
    func named(_ trace: [TraceEvent]) -> [TraceEntry] {
        trace.map {
            TraceEntry(
                microseconds: Int($0.microseconds),
                node: name(of: $0.node),
                event: $0.event,
                detail: $0.detail
            )
        }
    }
}
