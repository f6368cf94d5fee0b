package import Causality
import ClusterPrimitives

/// How N replicas' answers to one write become one answer: a decision core without effects.
///
/// Acknowledgements count for one stamp only: after a restamp all answers that name the first
/// stamp are ignored.
package struct WriteCoordination: Sendable {
    /// The key's replicas.
    package let plan: ReplicaPlan
    /// What the level asks of them.
    package let rule: QuorumRule
    /// The stamp whose acknowledgements count.
    package private(set) var version: Version
    /// Those the write was sent to, directly or through a relay.
    package private(set) var contacted = ReplicaBits()
    /// Those that hold it durably and saw nothing newer.
    package private(set) var acknowledged = ReplicaBits()
    /// Those that hold it durably behind something newer.
    package private(set) var shadowed = ReplicaBits()
    /// Those that certainly applied nothing.
    package private(set) var refused = ReplicaBits()
    /// Those of which it cannot be said.
    package private(set) var lost = ReplicaBits()
    /// The newest version that was in the way; `Version.zero` if none.
    package private(set) var shadow = Version.zero
    /// Whether this is the second stamp.
    package private(set) var isRestamped = false
    /// Replicas that may have applied the first stamp; they make a refusal impossible.
    private var mayHoldFirstStamp = false
    /// Those a second copy was sent to, so that the refusal of one says nothing of the other.
    private var sentTwice = ReplicaBits()
    /// The first kind of refusal that came.
    package private(set) var refusal: WriteStatus?

    /// A write of `version` that nobody was asked for yet.
    package init(plan: ReplicaPlan, rule: QuorumRule, version: Version) {
        self.plan = plan
        self.rule = rule
        self.version = version
    }

    /// What is to be done now.
    package enum Verdict: Sendable {
        /// Wait for more answers.
        case waiting
        /// The level is reached.
        case reached
        /// Something newer was in the way; `Version` is the newest known.
        case shadowed(Version)
        /// The level cannot be reached any more; `isRefused` when certainly nothing was applied.
        case impossible(isRefused: Bool)
    }

    /// Notes that the write was sent to replica `index`.
    package mutating func contact(_ index: Int) {
        contacted.insert(index)
    }

    /// Notes that a second copy of the write was sent to replica `index`, past its relay.
    package mutating func contactAgain(_ index: Int) {
        sentTwice.insert(index)
    }

    /// Those that were asked and have not answered.
    package var pending: ReplicaBits {
        contacted
            .subtracting(acknowledged).subtracting(shadowed)
            .subtracting(refused).subtracting(lost)
    }

    /// Takes a replica's answer.
    ///
    /// - Returns: whether it counted; a duplicate, or an answer to another stamp, does not.
    @discardableResult
    package mutating func receive(
        _ status: WriteStatus,
        version: Version,
        shadow: Version,
        from index: Int
    ) -> Bool {
        // Who does not know the keyspace cannot read the record's version.
        guard version == self.version || status == .unknownKeyspace, contacted.contains(index)
        else { return false }
        guard !acknowledged.contains(index), !shadowed.contains(index) else { return false }
        // A late answer still says more than a broken link did.
        lost.remove(index)
        switch status {
        case .applied:
            acknowledged.insert(index)
        case .shadowed:
            shadowed.insert(index)
            self.shadow = max(self.shadow, shadow)
        case .refusedClock, .overloaded, .unknownKeyspace, .noRoom:
            if sentTwice.contains(index) {
                lost.insert(index)
            } else {
                refused.insert(index)
                if refusal == nil { refusal = status }
            }
        case .failed:
            lost.insert(index)
        }
        return true
    }

    /// Notes that replica `index` will not answer: its link broke.
    package mutating func lose(_ index: Int) {
        if pending.contains(index) { lost.insert(index) }
    }

    /// What is to be done now.
    package var verdict: Verdict {
        if !shadowed.isEmpty {
            let settled = isRestamped ? rule.isMet(by: acknowledged.union(shadowed)) : true
            if settled { return .shadowed(shadow) }
        }
        if rule.isMet(by: acknowledged) { return .reached }
        if !rule.isMet(by: acknowledged.union(shadowed).union(pending)) {
            return .impossible(
                isRefused: acknowledged.isEmpty && shadowed.isEmpty && lost.isEmpty
                    && pending.isEmpty && !mayHoldFirstStamp
            )
        }
        return .waiting
    }

    /// Begins anew under a second stamp, above what was in the way.
    package mutating func restamp(_ version: Version) {
        mayHoldFirstStamp = true
        isRestamped = true
        self.version = version
        contacted = ReplicaBits()
        sentTwice = ReplicaBits()
        acknowledged = ReplicaBits()
        shadowed = ReplicaBits()
        refused = ReplicaBits()
        lost = ReplicaBits()
        shadow = .zero
    }
}
