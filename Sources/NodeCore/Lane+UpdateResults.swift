import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import Replication

/// What becomes of an update once this node's copy, or what the others hold, is known.
extension Lane {
    /// The most stamps that one update is given: each is above what the copy held before.
    private static var maximumStamps: UInt8 { 4 }

    /// What became of the change of this node's own copy.
    mutating func updated(
        _ id: RequestID,
        _ result: UpdateResult,
        at now: Instant,
        into effects: inout Effects
    ) {
        if !folds.isEmpty, let fold = folds.removeValue(forKey: id) {
            folded(id, fold, result, into: &effects)
            return
        }
        guard var write = writes[id] else { return }
        switch result {
        case .applied(let record, let answer):
            changed(id, write, record, answer, at: now, into: &effects)
        case .unchanged(let asked, let record, let answer):
            if !record.isEmpty {
                updates[id]?.answer = answer
                // It is the copy's newest version that is acknowledged.
                let range = ByteRange(offset: 0, count: record.count)
                let summary = try? updates[id]?.mode.summary(range, of: record.span.bytes)
                write.core = WriteCoordination(
                    plan: write.core.plan,
                    rule: write.core.rule,
                    version: summary?.newestVersion ?? write.core.version
                )
                write.purpose = .repair
                spread(record[...], of: id, write, at: now, into: &effects)
            } else if asked.base == nil {
                // That nothing is here says little; that the level has nothing says enough.
                readOthers(for: id, asked, at: now, into: &effects)
            } else {
                updates[id]?.answer = answer
                let readers = updates[id]?.readCount
                respond(id, write, .no, acknowledged: readers, at: now, into: &effects)
            }
        case .unreadable(let asked):
            guard asked.base == nil else {
                refuse(id, .unreadable, copy: [], at: now, into: &effects)
                return
            }
            // What this node mints is new in this life, whatever it held in an earlier one.
            let footing = updates[id]?.mode.footing(of: asked.change, seen: asked.context)
            updates[id]?.goesOnBlind = footing == .nothing
            if write.core.plan.count == 1 {
                // There is no other copy.
                changeOwnCopy(id, write, asked, over: [], at: now, into: &effects)
                return
            }
            readOthers(for: id, asked, at: now, into: &effects)
        case .refused(let asked, .stale(let newest), _)
        where updates[id].map { $0.stampCount < Self.maximumStamps } ?? false:
            guard let version = stamp(above: newest, write.sink, now, &effects) else {
                forget(write: id)
                return
            }
            write.core = WriteCoordination(
                plan: write.core.plan,
                rule: write.core.rule,
                version: version
            )
            writes[id] = write
            updates[id]?.stampCount += 1
            changeOwnCopy(id, write, asked, over: asked.base, at: now, into: &effects)
        case .refused(let asked, .behind, _) where asked.base == nil,
            .refused(let asked, .unreadable, _) where asked.base == nil:
            readOthers(for: id, asked, at: now, into: &effects)
        case .refused(_, let refusal, let copy):
            if refusal == .tooManyIDs { beginFold(of: id, write, at: now, into: &effects) }
            refuse(id, refusal, copy: copy, at: now, into: &effects)
        case .notTaken(let status):
            guard let own = write.core.plan.index(of: identity.id) else { return }
            write.core.contact(own)
            write.core.receive(status, version: write.core.version, shadow: .zero, from: own)
            writes[id] = write
            finish(failed: id, write, isRefused: status.isRefusal, at: now, into: &effects)
        }
    }

    /// This node's own copy is changed, durably.
    private mutating func changed(
        _ id: RequestID,
        _ write: OpenWrite,
        _ record: ArraySlice<UInt8>,
        _ answer: UpdateAnswer,
        at now: Instant,
        into effects: inout Effects
    ) {
        if answer.isFoldable { beginFold(of: id, write, at: now, into: &effects) }
        trace(id, since: write.startedAt, at: now, identity.id, "changed", "its own copy")
        var answer = answer
        if deviation == .contextOfEverything, let mode = updates[id]?.mode,
            let everything = contents(of: Array(record), mode, at: now.wall)?.context
        {
            answer.context = everything
        }
        updates[id]?.answer = answer
        // Once for each eight, not for each write.
        if answer.siblings > 0, answer.siblings % SiblingSet.warningCount == 0 {
            effects.notices.append(
                .manySiblings(
                    keyspace: write.keyspace,
                    key: key(of: id, write),
                    count: answer.siblings
                )
            )
        }
        if answer.isLarge {
            effects.notices.append(
                .largeRecord(keyspace: write.keyspace, key: key(of: id, write))
            )
        }
        spread(record, of: id, write, at: now, into: &effects)
    }

    /// Sends the others what they are to join with their copies; this node's own is durable.
    private mutating func spread(
        _ record: ArraySlice<UInt8>,
        of id: RequestID,
        _ write: OpenWrite,
        at now: Instant,
        into effects: inout Effects
    ) {
        var write = write
        guard let own = write.core.plan.index(of: identity.id) else { return }
        write.core.contact(own)
        write.core.receive(.applied, version: write.core.version, shadow: .zero, from: own)
        var others = usable(in: write.core.plan)
        others.remove(own)
        // It holds nothing else yet.
        let key = writes.held(id)
        dispatch(
            id,
            &write,
            key: key.span.bytes,
            record: record.span.bytes,
            usable: others,
            at: now,
            into: &effects
        )
        // Who is to pass it on may turn out to be silent.
        if !write.relayed.isEmpty { writes.hold(key + record, for: id) }
        settle(id, write, at: now, into: &effects)
    }

    // MARK: What the others hold

    /// Reads what the other replicas hold, where this node cannot go on with what it has.
    mutating func readOthers(
        for id: RequestID,
        _ asked: KeyUpdate,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let write = writes[id], let mode = updates[id]?.mode else { return }
        updates[id]?.parked = asked
        let plan = write.core.plan
        var order = readOrder(plan, among: usable(in: plan))
        // This node comes last: what it holds is known, or cannot be.
        if let own = order.firstIndex(where: { plan[$0] == identity.id }) {
            order.append(order.remove(at: own))
        }
        guard let chosen = write.core.rule.leastSet(inOrder: order) else {
            let usable = usable(in: plan)
            let key = self.key(of: id, write)
            let failure = unavailable(.read, write.level, write.core.rule, plan, usable, key: key)
            giveUp(id, after: failure, at: now, into: &effects)
            return
        }
        trace(id, since: write.startedAt, at: now, identity.id, "reads", "what the others hold")
        let read = OpenRead(
            core: ReadCoordination(plan: plan, rule: write.core.rule, mode: mode),
            sink: write.sink,
            keyspace: write.keyspace,
            level: write.level,
            startedAt: now.monotonic,
            deadline: write.deadline,
            isOwnCopy: false,
            asker: .update(id)
        )
        let key = self.key(of: id, write)
        begin(read, key: key, asking: order.filter(chosen.contains), at: now, into: &effects)
    }

    /// What the other replicas hold is known.
    mutating func goOn(
        _ id: RequestID,
        with base: [UInt8],
        from readers: Int,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let write = writes[id], let asked = updates[id]?.parked.take() else { return }
        updates[id]?.readCount = readers
        changeOwnCopy(id, write, asked, over: base, at: now, into: &effects)
    }

    /// What the other replicas hold could not be read.
    mutating func giveUp(
        _ id: RequestID,
        after failure: FailureResponse,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let write = writes[id] else { return }
        if updates[id]?.goesOnBlind == true {
            goOn(id, with: [], from: 0, at: now, into: &effects)
            return
        }
        var failure = failure
        failure.code = .unavailable
        failure.advice = "Nothing was written. " + failure.advice
        failure.trace = traces[id] ?? []
        fail(write.sink, failure, into: &effects)
        forget(write: id)
    }
}
