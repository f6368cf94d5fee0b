import ByteCoding
import Causality
import ClusterPrimitives
import PeerProtocol
import Replication

/// This node's votes in the topology's register: on disk first, then sent.
extension ControlPlane {
    /// Whether a ballot's counter, which begins at a stamp of its proposer's clock, lies less than
    /// a day ahead: one near the end of the numbers would leave no room for any other.
    private func isBelievable(
        _ ballot: Ballot,
        from node: NodeID,
        at now: Instant,
        _ effects: inout ControlEffects
    ) -> Bool {
        let limit = HybridTimestamp(wall: now.wall).advanced(byMilliseconds: 86_400_000)
        if ballot.counter <= limit.rawValue { return true }
        effects.notices.append(
            .malformedFrame(from: node, reason: "ballot \(ballot) lies a day or more ahead")
        )
        return false
    }

    mutating func vote(
        prepare ballot: Ballot,
        _ attempt: UInt64,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard !isRolledBack, isBelievable(ballot, from: node, at: now, &effects) else { return }
        let before = acceptor
        let reply = acceptor.prepare(ballot)
        if acceptor == before {
            answer(promise: reply, attempt, to: node, at: now, into: &effects)
        } else {
            persist(
                .acceptor(acceptor.encode()),
                then: .promise(reply, attempt: attempt, to: node),
                into: &effects
            )
        }
    }

    mutating func vote(
        accept proposal: AcceptedValue,
        _ attempt: UInt64,
        from node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        guard !isRolledBack, isBelievable(proposal.ballot, from: node, at: now, &effects) else {
            return
        }
        let reply = acceptor.accept(ballot: proposal.ballot, value: proposal.value)
        if case .refused = reply {
            answer(accepted: reply, attempt, to: node, at: now, into: &effects)
        } else {
            // Also for a repeated proposal: the first may still be on its way to the disk.
            persist(
                .acceptor(acceptor.encode()),
                then: .accepted(reply, attempt: attempt, to: node),
                into: &effects
            )
        }
    }

    mutating func answer(
        promise reply: PrepareReply,
        _ attempt: UInt64,
        to node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        if node == identity.id {
            receive(promise: reply, attempt, from: node, at: now, into: &effects)
        } else {
            send(.promise, to: node, attempt, into: &effects) { $0.promise(reply) }
        }
    }

    mutating func answer(
        accepted reply: AcceptReply,
        _ attempt: UInt64,
        to node: NodeID,
        at now: Instant,
        into effects: inout ControlEffects
    ) {
        if node == identity.id {
            receive(accepted: reply, attempt, from: node, at: now, into: &effects)
        } else {
            send(.accepted, to: node, attempt, into: &effects) { $0.accepted(reply) }
        }
    }
}
