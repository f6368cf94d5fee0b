import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import Replication

/// What every write begins with, whatever it changes.
extension Lane {
    /// Which key a client asks to change, and how.
    struct WriteTarget {
        var kind: ClientKind
        var placement: ClusterView.Placement
        var level: ConsistencyLevel?
        var timeout: UInt32
        var key: ByteRange
        var context: ByteRange
    }

    /// A write that can be coordinated here.
    struct WriteStart {
        var level: ConsistencyLevel
        var token: Token
        var plan: ReplicaPlan
        var rule: QuorumRule
        /// The replicas that can be asked: enough of them for the rule.
        var usable: ReplicaBits
        var deadline: MonotonicInstant
    }

    /// Finds the replicas of a write.
    ///
    /// - Returns: nil where the asker is answered, or another node coordinates.
    mutating func start(
        _ target: WriteTarget,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) -> WriteStart? {
        let keyspace = target.placement.keyspace
        let level = target.level ?? keyspace.writeConsistency
        let token = Token(ofKey: bytes, target.key)
        let plan = ReplicaPlan(target.placement.ring.replicas(for: token), view: view)
        guard var rule = rule(level, plan, keyspace, sink, into: &effects) else { return nil }
        if deviation == .oneAcknowledgementLess { rule = rule.weakened() }
        let deadline = deadline(target.timeout, remaining, now)
        let isHandedOn = forward(
            target.kind,
            body,
            of: bytes,
            plan: plan,
            sink: sink,
            deadline: deadline,
            // What is local to this datacenter no other one can serve.
            mayLeave: !level.isLocal && (keyspace.mode != .lww || isClockOff(at: now)),
            at: now,
            into: &effects
        )
        if isHandedOn { return nil }
        let usable = usable(in: plan)
        guard rule.isMet(by: usable) else {
            let key = bytes.array(target.key)
            fail(sink, unavailable(.write, level, rule, plan, usable, key: key), into: &effects)
            return nil
        }
        if refusesToStamp(sink, at: now, into: &effects) { return nil }
        return WriteStart(
            level: level,
            token: token,
            plan: plan,
            rule: rule,
            usable: usable,
            deadline: deadline
        )
    }

    /// Opens a write that is stamped.
    mutating func open(
        _ start: WriteStart,
        _ target: WriteTarget,
        _ version: Version,
        _ conflict: WriteRequest.Conflict,
        _ sink: ResponseSink,
        holding held: [UInt8],
        keySize: Int,
        _ now: Instant,
        _ effects: inout Effects
    ) -> (RequestID, OpenWrite) {
        let write = OpenWrite(
            core: WriteCoordination(plan: start.plan, rule: start.rule, version: version),
            sink: sink,
            keyspace: target.placement.keyspace.number,
            level: start.level,
            conflict: conflict,
            startedAt: now.monotonic,
            deadline: start.deadline,
            keySize: keySize,
            isUpdate: target.placement.keyspace.mode != .lww
        )
        let id = writes.insert(write, holding: held)
        wheel.insert(id, .deadline, due: start.deadline, now: now.monotonic)
        if sink.isTraced {
            traces[id] = []
            let detail = describe(
                start.level,
                start.rule,
                start.plan,
                start.usable,
                target.placement.keyspace
            )
            trace(id, since: now.monotonic, at: now, identity.id, "plan", detail)
        }
        return (id, write)
    }

    /// A context that a client sent; answers the asker where it is none of the key.
    func decodeContext(
        _ context: ByteRange,
        _ mode: RecordMode,
        _ keyspace: KeyspaceNumber,
        _ key: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ effects: inout Effects
    ) -> CausalContext? {
        let decoded = contexts.decode(
            context,
            of: bytes,
            mode: mode,
            keyspace: keyspace,
            key: bytes.extracting(key.offset..<key.end)
        )
        if decoded == nil {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "the context is malformed, or belongs to another key, keyspace "
                        + "or cluster",
                    advice: "Nothing was written. Use the context that a read of this key "
                        + "returned."
                ),
                into: &effects
            )
        }
        return decoded
    }
}

extension Lane.WriteTarget {
    /// What a put or a delete asks for.
    init(_ write: WriteRequest, _ kind: ClientKind, _ placement: ClusterView.Placement) {
        self.init(
            kind: kind,
            placement: placement,
            level: write.level,
            timeout: write.timeout,
            key: write.key,
            context: write.context
        )
    }
}
