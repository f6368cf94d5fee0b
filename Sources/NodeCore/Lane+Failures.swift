import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import Replication

/// What an operator reads when a request did not succeed: what happened, to which key and nodes,
/// and what would work.
extension Lane {
    /// What a request wanted.
    enum Intent {
        case read
        case write
    }

    /// The refusal of a request whose level too few usable replicas can meet.
    func unavailable(
        _ intent: Intent,
        _ level: ConsistencyLevel,
        _ rule: QuorumRule,
        _ plan: ReplicaPlan,
        _ usable: ReplicaBits,
        key: [UInt8]? = nil,
        range: TokenRange? = nil
    ) -> FailureResponse {
        var clause = rule[0]
        for index in 0..<rule.count where rule[index].counted(usable) < rule[index].required {
            clause = rule[index]
            break
        }
        let subject =
            key.map { "\"\(describe($0))\"" } ?? range.map { "the range \($0)" } ?? "the key"
        let place = clause.datacenter.map { " in \(view.name(of: $0))" } ?? ""
        let names = names(plan, clause.replicas)
        let missing = clause.replicas.subtracting(usable)
        let nothing = intent == .write ? "Nothing was written. " : ""
        let alternative =
            alternative(to: level, plan, usable).map { "-c \($0) would succeed." }
            ?? "Start one of the nodes that are down."
        return FailureResponse(
            code: .unavailable,
            level: level,
            required: UInt8(clamping: clause.required),
            alive: UInt8(clamping: clause.counted(usable)),
            message: "\(level) needs \(clause.required) of \(clause.replicas.count) replicas of "
                + "\(subject)\(place) (\(names)); \(reasons(plan, missing)).",
            advice: nothing + alternative
        )
    }

    /// The strongest level that could be met now; nil when there is none.
    private func alternative(
        to level: ConsistencyLevel,
        _ plan: ReplicaPlan,
        _ usable: ReplicaBits
    ) -> ConsistencyLevel? {
        let strongestFirst: [ConsistencyLevel] = [
            .eachQuorum, .quorum, .localQuorum, .three, .two, .localOne, .one,
        ]
        return strongestFirst.first { candidate in
            guard candidate != level,
                case .rule(let rule) = QuorumRule.make(
                    candidate,
                    plan: plan,
                    local: view.localDatacenter
                )
            else { return false }
            return rule.isMet(by: usable)
        }
    }

    private func names(_ plan: ReplicaPlan, _ bits: ReplicaBits) -> String {
        (0..<plan.count).filter(bits.contains).map { view.name(of: plan[$0]) }
            .joined(separator: ", ")
    }

    private func reasons(_ plan: ReplicaPlan, _ missing: ReplicaBits) -> String {
        let reasons = (0..<plan.count).filter(missing.contains).map { index in
            "\(view.name(of: plan[index])) is down (\(reason(plan[index])))"
        }
        return reasons.isEmpty ? "all are up" : reasons.joined(separator: ", ")
    }

    /// Why a node is not used: `φ 9.7, 38 s`.
    private func reason(_ node: NodeID) -> String {
        guard let entry = liveness[node] else { return "not heard of" }
        let seconds = Double(entry.silence.wholeMilliseconds) / 1000
        let tenths = (entry.phi * 10).rounded() / 10
        var text = "φ \(tenths), \(Int(seconds)) s"
        if entry.isRefused {
            text = "connection refused, \(Int(seconds)) s"
        } else if entry.isUsable {
            text = "its request link is down"
        }
        return text
    }

    /// The failure of a write that was sent but did not reach its level.
    ///
    /// `isRepeatable`: whether sending it again does no more than sending it once. `isUpdate`:
    /// whether this node's own copy is changed before any other is asked.
    func unfinished(
        _ write: OpenWrite,
        key: [UInt8],
        isRefused: Bool,
        isRepeatable: Bool,
        isUpdate: Bool
    ) -> FailureResponse {
        let core = write.core
        let counted = core.rule.counted(core.acknowledged)
        let required = core.rule.required
        if isRefused {
            return FailureResponse(
                code: core.refusal == .overloaded || core.refusal == .noRoom
                    ? .overloaded : .unavailable,
                written: .no,
                level: write.level,
                required: UInt8(clamping: required),
                acknowledged: 0,
                message: "\(write.level) needs \(required) replicas of \"\(describe(key))\"; "
                    + "\(names(core.plan, core.refused)) applied nothing: "
                    + "\(reason(core.refusal)).",
                advice: core.refusal == .noRoom
                    ? "Nothing was written. Make room on the disks; reads and deletions go on."
                    : "Nothing was written. Try again."
            )
        }
        var parts: [String] = []
        if !core.lost.isEmpty { parts.append("\(names(core.plan, core.lost)) failed") }
        if !core.pending.isEmpty {
            parts.append("\(names(core.plan, core.pending)) did not answer in time")
        }
        if !core.refused.isEmpty {
            let refused = names(core.plan, core.refused)
            parts.append("\(refused) refused: \(reason(core.refusal))")
        }
        if parts.isEmpty, isUpdate, core.contacted.isEmpty {
            parts.append("\(identity.name) had not changed its own copy yet")
        } else if parts.isEmpty {
            let others = ReplicaBits(first: core.plan.count).subtracting(core.contacted)
            parts.append("\(names(core.plan, others)) could not be asked")
        }
        return FailureResponse(
            code: .timeout,
            written: .unknown,
            level: write.level,
            required: UInt8(clamping: required),
            alive: UInt8(clamping: core.rule.counted(usable(in: core.plan))),
            acknowledged: UInt8(clamping: counted),
            message: "\(write.level) got \(counted) of \(required) acknowledgements for "
                + "\"\(describe(key))\"; \(parts.joined(separator: ", ")).",
            advice: isRepeatable
                ? "Some replicas may have it. Read it, or write it again."
                : "Some replicas may have it; written again, it may be there twice. Read the key."
        )
    }

    /// Why replicas applied nothing.
    private func reason(_ refusal: WriteStatus?) -> String {
        switch refusal {
        case .refusedClock: "its stamp lies too far ahead of their clocks"
        case .overloaded: "they are overloaded"
        case .unknownKeyspace: "they do not know the keyspace yet"
        case .noRoom: "their disks have less room than storage.disk_reserve keeps free"
        default: "they refused it"
        }
    }

    /// The failure of a read whose level was not met.
    ///
    /// `isLate`: whether its time was up; else too few replicas were left that could answer.
    func unfinished(_ read: OpenRead, key: [UInt8], isLate: Bool) -> FailureResponse {
        let core = read.core
        if read.isOwnCopy {
            return FailureResponse(
                code: .corrupt,
                message: "\(identity.name) does not know its copy of \"\(describe(key))\": the "
                    + "data could not be read",
                advice: "Read it at a quorum level; the node's log says why."
            )
        }
        let required = core.rule.required
        let counted = core.rule.counted(core.responded)
        let isRepair = core.phase == .repairing
        guard isLate || isRepair else {
            let left = usable(in: core.plan).subtracting(core.failed)
            return FailureResponse(
                code: .unavailable,
                level: read.level,
                required: UInt8(clamping: required),
                alive: UInt8(clamping: core.rule.counted(left)),
                acknowledged: UInt8(clamping: counted),
                message: "\(read.level) needs \(required) of \(core.plan.count) replicas of "
                    + "\"\(describe(key))\"; failed, or without a copy that can be read: "
                    + "\(names(core.plan, core.failed)).",
                advice: alternative(to: read.level, core.plan, left)
                    .map { "-c \($0) would succeed." }
                    ?? "No level would succeed now; the logs of these nodes say why."
            )
        }
        var parts: [String] = []
        if !core.failed.isEmpty { parts.append("\(names(core.plan, core.failed)) failed") }
        if !core.pending.isEmpty {
            parts.append("\(names(core.plan, core.pending)) did not answer in time")
        }
        return FailureResponse(
            code: .timeout,
            level: read.level,
            required: UInt8(clamping: required),
            alive: UInt8(clamping: core.rule.counted(usable(in: core.plan))),
            acknowledged: UInt8(clamping: counted),
            message: isRepair
                ? "replicas of \"\(describe(key))\" differ and too few could be repaired for "
                    + "\(read.level): \(parts.joined(separator: ", "))."
                : "\(read.level) got \(counted) of \(required) answers for "
                    + "\"\(describe(key))\"; \(parts.joined(separator: ", ")).",
            advice: "Try again, or use a lower level."
        )
    }

    /// A key as text: itself when it is short, printable UTF-8, else in hex; cut at 64 bytes.
    func describe(_ key: [UInt8]) -> String {
        let cut = Array(key.prefix(64))
        let more = key.count > cut.count ? "…" : ""
        if let text = String(validating: cut, as: UTF8.self),
            text.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
        {
            return text + more
        }
        let digits = Array("0123456789abcdef")
        return "0x" + String(cut.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }) + more
    }

    /// A version as people read it: `2026-11-22T10:02:11.120Z/0/dc1-n1`.
    func describe(_ version: Version) -> String {
        "\(version.timestamp)/\(view.name(of: version.node))"
    }

    /// The arithmetic of a level, for a trace.
    func describe(
        _ level: ConsistencyLevel,
        _ rule: QuorumRule,
        _ plan: ReplicaPlan,
        _ usable: ReplicaBits,
        _ keyspace: Keyspace
    ) -> String {
        let clauses = (0..<rule.count).map { index in
            let place = rule[index].datacenter.map { " in \(view.name(of: $0))" } ?? ""
            return "\(rule[index].required) of \(rule[index].replicas.count)\(place)"
        }
        let nodes = (0..<plan.count).map { index in
            let node = plan[index]
            let phi = ((liveness[node]?.phi ?? 0) * 10).rounded() / 10
            let state = node == identity.id ? "self" : isUsable(node) ? "φ \(phi)" : "down"
            return "\(view.name(of: node)) (\(state))"
        }
        return "\(level) needs \(clauses.joined(separator: " and ")): "
            + nodes.joined(separator: ", ") + "; " + sessions(keyspace, plan)
    }

    /// Which session guarantees hold between reads and writes at the keyspace's own levels.
    private func sessions(_ keyspace: Keyspace, _ plan: ReplicaPlan) -> String {
        func count(_ level: ConsistencyLevel) -> Int {
            guard
                case .rule(let rule) = QuorumRule.make(
                    level,
                    plan: plan,
                    local: view.localDatacenter
                )
            else { return 0 }
            return rule.required
        }
        let local = keyspace.readConsistency.isLocal && keyspace.writeConsistency.isLocal
        let total = local ? plan.replicas(in: view.localDatacenter).count : plan.count
        let reads = count(keyspace.readConsistency)
        let writes = count(keyspace.writeConsistency)
        // Only an lww write has to meet the one before it to come after it.
        let holds =
            reads + writes > total && (keyspace.mode != .lww || 2 * writes > total)
        let scope = local ? "within \(view.name(of: view.localDatacenter)) " : ""
        return "at the keyspace's levels R=\(reads) W=\(writes) N=\(total): read-your-writes and "
            + "monotonic reads \(scope)\(holds ? "hold" : "do not hold")"
    }
}
