import ByteCoding
package import Causality
import ClusterPrimitives

/// How the answers of a key's replicas to one read become one answer: a decision core without
/// effects.
///
/// One replica is asked for the record, the others of the level for its digest. Where they
/// differ, all records are fetched and merged, and those behind are repaired before the answer,
/// so that no later read at the same level can see less.
package struct ReadCoordination: Sendable {
    /// Where the read stands.
    package enum Phase: Sendable {
        /// Record and digests are awaited.
        case comparing
        /// The records of all that answered are awaited.
        case fetching
        /// Acknowledgements of the repair are awaited.
        case repairing
    }

    /// A record that a replica sent; empty bytes stand for absence.
    package struct ReplicaRecord: Sendable {
        /// The replica's place in the plan.
        package var index: Int
        /// The encoded record.
        package var bytes: [UInt8]
    }

    /// The key's replicas.
    package let plan: ReplicaPlan
    /// What the level asks of them.
    package let rule: QuorumRule
    /// Where the read stands.
    package private(set) var phase = Phase.comparing
    /// Those that were asked in the first phase.
    package private(set) var contacted = ReplicaBits()
    /// Those that answered.
    package private(set) var responded = ReplicaBits()
    /// Those that failed or do not know.
    package private(set) var failed = ReplicaBits()
    /// What the key's records are.
    package let mode: RecordMode
    private let repairs: Bool
    private var digests = InlineArray<16, UInt64>(repeating: 0)
    /// Records at hand; usually one.
    package private(set) var records: [ReplicaRecord] = []
    private var awaitingRecords = ReplicaBits()
    /// Those that have what the answer says.
    package private(set) var agreeing = ReplicaBits()
    /// Those that were sent the merged record.
    package private(set) var repaired = ReplicaBits()
    private var repairsLost = ReplicaBits()
    private var joined: [UInt8]?

    /// A read that nobody was asked for yet.
    ///
    /// With `repairs` false it has the planted bug `CoordinationDeviation.noReadRepair`.
    package init(
        plan: ReplicaPlan,
        rule: QuorumRule,
        mode: RecordMode,
        repairs: Bool = true
    ) {
        self.plan = plan
        self.rule = rule
        self.mode = mode
        self.repairs = repairs
    }

    /// What is to be done now.
    package enum Verdict: Sendable {
        /// Wait for more answers.
        case waiting
        /// Answer with the record that `answer` holds.
        case answer
        /// Ask these for their records.
        case fetch(ReplicaBits)
        /// Send the record that `answer` holds to these.
        case repair(ReplicaBits)
        /// Ask one more replica for its record, if there is one; else the level cannot be met.
        case short
    }

    /// Notes that replica `index` was asked.
    package mutating func contact(_ index: Int, for contents: ReadContents) {
        contacted.insert(index)
        if contents == .record { awaitingRecords.insert(index) }
    }

    /// Those that were asked and have not answered.
    package var pending: ReplicaBits {
        switch phase {
        case .comparing: contacted.subtracting(responded).subtracting(failed)
        case .fetching: awaitingRecords
        case .repairing: repaired.subtracting(agreeing).subtracting(repairsLost)
        }
    }

    /// Takes a replica's answer to a read.
    ///
    /// - Returns: whether it counted.
    @discardableResult
    package mutating func receive(
        _ status: ReadStatus,
        contents: ReadContents,
        digest: UInt64,
        record: [UInt8],
        from index: Int
    ) -> Bool {
        guard contacted.contains(index), !failed.contains(index), phase != .repairing else {
            return false
        }
        guard status == .found || status == .absent else {
            lose(index)
            return true
        }
        if contents == .record {
            guard awaitingRecords.contains(index) else { return false }
            awaitingRecords.remove(index)
            records.append(ReplicaRecord(index: index, bytes: record))
        } else if responded.contains(index) || phase == .fetching {
            // While records are compared, a late digest alone says nothing.
            return false
        }
        digests[index] = digest
        responded.insert(index)
        return true
    }

    /// Takes a replica's acknowledgement of a repair.
    package mutating func receiveRepair(_ status: WriteStatus, from index: Int) {
        guard phase == .repairing, repaired.contains(index) else { return }
        // A replica that holds something newer than the answer is not behind it.
        if status == .applied || status == .shadowed {
            agreeing.insert(index)
        } else {
            repairsLost.insert(index)
        }
    }

    /// Notes that replica `index` will not answer.
    package mutating func lose(_ index: Int) {
        switch phase {
        case .comparing, .fetching:
            // A digest without its record is of no use where records are needed.
            if phase == .comparing, responded.contains(index), !awaitingRecords.contains(index) {
                return
            }
            if contacted.contains(index) {
                failed.insert(index)
                responded.remove(index)
                awaitingRecords.remove(index)
            }
        case .repairing:
            if repaired.contains(index), !agreeing.contains(index) { repairsLost.insert(index) }
        }
    }

    /// What is to be done now; call it after each change and do what it says.
    package mutating func next() -> Verdict {
        switch phase {
        case .comparing: comparing()
        case .fetching: fetching()
        case .repairing: repairing()
        }
    }

    private mutating func comparing() -> Verdict {
        guard rule.isMet(by: responded) else {
            return rule.isMet(by: responded.union(pending)) ? .waiting : .short
        }
        var first: UInt64?
        for index in 0..<plan.count where responded.contains(index) {
            if let first, first != digests[index] {
                phase = .fetching
                var missing = responded
                for record in records { missing.remove(record.index) }
                awaitingRecords = awaitingRecords.intersection(responded).union(missing)
                return missing.isEmpty ? fetching() : .fetch(missing)
            }
            first = digests[index]
        }
        if let record = records.firstIndex(where: { responded.contains($0.index) }) {
            joined = records[record].bytes
            agreeing = responded
            return .answer
        }
        // Enough digests agree, but the record is still to come, or its sender is gone.
        return awaitingRecords.isEmpty ? .short : .waiting
    }

    private mutating func fetching() -> Verdict {
        guard awaitingRecords.isEmpty else { return .waiting }
        guard rule.isMet(by: responded) else {
            // One more may be asked; it joins with its record.
            return .short
        }
        let all = records.reduce([]) { mode.joined($0, $1.bytes) }
        joined = all
        agreeing = ReplicaBits()
        var behind = ReplicaBits()
        for record in records where responded.contains(record.index) {
            if record.bytes == all {
                agreeing.insert(record.index)
            } else {
                behind.insert(record.index)
            }
        }
        phase = .repairing
        guard repairs, !behind.isEmpty else { return .answer }
        repaired = behind
        return .repair(behind)
    }

    private func repairing() -> Verdict {
        if rule.isMet(by: agreeing) { return .answer }
        return rule.isMet(by: agreeing.union(pending)) ? .waiting : .short
    }

    /// Adds a replica to those that are sent the merged record.
    package mutating func repair(_ index: Int) {
        repaired.insert(index)
    }

    /// The record to answer with; empty when the key is absent.
    ///
    /// Nil before the verdict says so.
    package var answer: [UInt8]? { joined }
}
