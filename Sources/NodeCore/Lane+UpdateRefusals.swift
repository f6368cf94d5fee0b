import Causality
import ClientProtocol
import ClusterPrimitives
import Replication

/// What the writer is told whose update the coordinator's own copy refused.
extension Lane {
    /// The bytes of a turn's answers beyond which a refusal brings no values: 32 MiB.
    ///
    /// A few bytes of requests can ask for as many; whoever is left without them can read.
    private static var maximumTurnSize: Int { 32 * 1024 * 1024 }

    mutating func refuse(
        _ id: RequestID,
        _ refusal: UpdateRefusal,
        copy: [UInt8],
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let write = writes[id], let update = updates[id] else { return }
        let key = self.key(of: id, write)
        let name = "\"\(describe(key))\""
        var failure: FailureResponse
        switch refusal {
        case .stale(let newest):
            failure = FailureResponse(
                code: .overloaded,
                message: "\(name) changes faster than a write can be stamped; its newest version "
                    + "is \(describe(newest))",
                advice: "Nothing was written. Try again."
            )
        case .behind:
            failure = FailureResponse(
                code: .unavailable,
                level: write.level,
                message: "the context speaks of changes of \(name) that none of the replicas "
                    + "asked at \(write.level) holds",
                advice: "Nothing was written. Read the key again and use that context, or use a "
                    + "higher level."
            )
        case .tooManySiblings(let count):
            failure = FailureResponse(
                code: .conflict,
                message: "\(name) would have \(count) siblings, more than the "
                    + "\(SiblingSet.maximumCount) that are kept",
                advice: "Nothing was written. Read the key, and write the merger of its values "
                    + "with the context that the read prints."
            )
            if let seen = contents(of: copy, update.mode, at: now.wall) {
                if seen.contents.size <= Self.maximumAnswerSize,
                    effects.connections.count < Self.maximumTurnSize
                {
                    failure.values = seen.contents.values
                }
                failure.context = token(seen.context, write.keyspace, key.span.bytes)
            }
        case .tooLarge(let size):
            failure = FailureResponse(
                code: .tooLarge,
                message: "\(name) would have a record of \(size) bytes, more than "
                    + "\(Limits.maximumRecordSize)",
                advice: "Nothing was written. Spread it over several keys, or resolve its siblings."
            )
        case .tooManyIDs:
            failure = FailureResponse(
                code: .overloaded,
                message: "counter \(name) remembers \(CounterState.maximumEntries) operations "
                    + "with ids, as many as it may",
                advice: "Nothing was written. Ids are forgotten ten minutes after they were used, "
                    + "once all replicas can be read; those from a disk that is lost stay. Try "
                    + "again then, or count without an id."
            )
        case .invalid(let reason):
            failure = FailureResponse(
                code: .invalid,
                message: "\(reason)",
                advice: "Nothing was written."
            )
        case .exhausted:
            failure = FailureResponse(
                code: .invalid,
                message: "the numbers of \(name) do not go any further",
                advice: "Nothing was written. Use another key."
            )
        case .unreadable:
            failure = FailureResponse(
                code: .corrupt,
                message: "the copy of \(name) on \(identity.name) cannot be read",
                advice: "Nothing was written. See the node's log; write through another node."
            )
        }
        failure.trace = traces[id] ?? []
        fail(write.sink, failure, into: &effects)
        forget(write: id)
    }
}
