import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

extension Lane {
    /// Coordinates a read, or hands it to a replica that does.
    mutating func begin(
        _ get: GetRequest,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        guard let placement = placement(get.keyspace, key: get.key, sink, into: &effects) else {
            return
        }
        let keyspace = placement.keyspace
        if let kind = get.kind {
            guard holds(kind, keyspace, sink, into: &effects) else { return }
        }
        let deadline = deadline(get.timeout, remaining, now)
        if get.scope == .ownCopy {
            beginOwnCopy(get, keyspace.mode.records, bytes, sink, deadline, now, &effects)
            return
        }
        let level = get.level ?? keyspace.readConsistency
        let plan = ReplicaPlan(
            placement.ring.replicas(for: Token(ofKey: bytes, get.key)),
            view: view
        )
        guard let rule = rule(level, plan, keyspace, sink, into: &effects) else { return }
        if forward(
            .get,
            body,
            of: bytes,
            plan: plan,
            sink: sink,
            deadline: deadline,
            at: now,
            into: &effects
        ) {
            return
        }
        let usable = usable(in: plan)
        guard let chosen = rule.leastSet(inOrder: readOrder(plan, among: usable)) else {
            fail(
                sink,
                unavailable(.read, level, rule, plan, usable, key: bytes.array(get.key)),
                into: &effects
            )
            return
        }
        let open = OpenRead(
            core: ReadCoordination(
                plan: plan,
                rule: rule,
                mode: keyspace.mode.records,
                repairs: deviation != .noReadRepair
            ),
            sink: sink,
            keyspace: get.keyspace,
            level: level,
            startedAt: now.monotonic,
            deadline: deadline,
            isOwnCopy: false
        )
        begin(
            open,
            key: bytes.array(get.key),
            asking: readOrder(plan, among: chosen),
            plan: sink.isTraced ? describe(level, rule, plan, usable, keyspace) : "",
            at: now,
            into: &effects
        )
    }

    /// Opens a read and asks the first replicas, in their order; `detail` is told in its trace.
    mutating func begin(
        _ read: OpenRead,
        key: [UInt8],
        asking order: [Int],
        plan detail: String = "",
        at now: Instant,
        into effects: inout Effects
    ) {
        let plan = read.core.plan
        let id = reads.insert(read, holding: key)
        readCount &+= 1
        wheel.insert(id, .deadline, due: read.deadline, now: now.monotonic)
        if read.sink.isTraced, read.asker == .client {
            traces[id] = []
            trace(id, since: now.monotonic, at: now, identity.id, "plan", detail)
        }
        var contents = ReadContents.record
        var isAllLocal = true
        for index in order {
            isAllLocal = isAllLocal && plan[index] == identity.id
            ask(index, for: contents, of: id, at: now, into: &effects)
            // What is to be folded has to be seen as it is on each.
            if read.asker != .fold { contents = .digest }
        }
        if !isAllLocal {
            wheel.insert(
                id,
                .patience,
                due: now.monotonic + settings.speculativeDelay,
                now: now.monotonic
            )
        }
    }

    /// The most bytes that an answer holds: a frame with room for a context and a trace.
    static var maximumAnswerSize: Int { Frame.maximumBodySize - 512 * 1024 }

    /// Places in the plan, best first: this node, then this datacenter, then the plan's order.
    func readOrder(_ plan: ReplicaPlan, among bits: ReplicaBits) -> [Int] {
        let local = plan.replicas(in: view.localDatacenter)
        var order: [Int] = []
        order.reserveCapacity(plan.count)
        if let own = plan.index(of: identity.id), bits.contains(own) { order.append(own) }
        for index in 0..<plan.count
        where bits.contains(index) && local.contains(index) && plan[index] != identity.id {
            order.append(index)
        }
        for index in 0..<plan.count where bits.contains(index) && !local.contains(index) {
            order.append(index)
        }
        return order
    }

    private mutating func beginOwnCopy(
        _ get: GetRequest,
        _ mode: RecordMode,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ deadline: MonotonicInstant,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        let plan = ReplicaPlan(ReplicaSet([identity.id]), view: view)
        guard case .rule(let rule) = QuorumRule.make(.one, plan: plan, local: view.localDatacenter)
        else { return }
        let id = reads.insert(
            OpenRead(
                core: ReadCoordination(plan: plan, rule: rule, mode: mode),
                sink: sink,
                keyspace: get.keyspace,
                level: .one,
                startedAt: now.monotonic,
                deadline: deadline,
                isOwnCopy: true
            ),
            holding: bytes.array(get.key)
        )
        wheel.insert(id, .deadline, due: deadline, now: now.monotonic)
        ask(0, for: .record, of: id, at: now, into: &effects)
    }

    /// Asks one replica for its record or digest.
    private mutating func ask(
        _ index: Int,
        for contents: ReadContents,
        of id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id] else { return }
        read.core.contact(index, for: contents)
        let node = read.core.plan[index]
        reads[id] = read
        let key = reads.held(id)
        let range = ByteRange(offset: 0, count: key.count)
        if node == identity.id {
            appendRead(
                JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                read.keyspace,
                key: range,
                contents,
                of: key.span.bytes,
                into: &effects
            )
        } else {
            send(.read, to: node, id.rawValue, into: &effects) {
                PeerRead.encode(
                    keyspace: read.keyspace,
                    contents: contents,
                    key: range,
                    of: key.span.bytes,
                    into: &$0
                )
            }
        }
        trace(id, since: read.startedAt, at: now, node, "asked", "for its \(contents)")
    }

    /// A replica's answer to a read.
    mutating func answered(
        read id: RequestID,
        by node: NodeID,
        _ status: ReadStatus,
        _ contents: ReadContents,
        digest: UInt64,
        record: [UInt8],
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id], let index = read.core.plan.index(of: node) else { return }
        // What is no record says nothing of the key, like data that could not be read.
        let isReadable = record.isEmpty || Self.isRecord(record, read.core.mode)
        guard
            read.core.receive(
                isReadable ? status : .unknown,
                contents: contents,
                digest: digest,
                record: record,
                from: index
            )
        else { return }
        reads[id] = read
        trace(id, since: read.startedAt, at: now, node, "answered", "\(status) \(contents)")
        advance(id, at: now, into: &effects)
    }

    /// Whether bytes can be read as a record of a mode.
    static func isRecord(_ bytes: [UInt8], _ mode: RecordMode) -> Bool {
        let range = ByteRange(offset: 0, count: bytes.count)
        return (try? mode.summary(range, of: bytes.span.bytes)) != nil
    }

    mutating func repairAcknowledged(
        read id: RequestID,
        by node: NodeID,
        _ status: WriteStatus,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id], let index = read.core.plan.index(of: node) else { return }
        read.core.receiveRepair(status, from: index)
        reads[id] = read
        trace(id, since: read.startedAt, at: now, node, "repaired", "\(status)")
        advance(id, at: now, into: &effects)
    }

    /// Does what the answers so far ask for.
    private mutating func advance(
        _ id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id] else { return }
        let verdict = read.core.next()
        reads[id] = read
        switch verdict {
        case .waiting:
            return
        case .answer:
            answer(id, read, at: now, into: &effects)
        case .fetch(let replicas):
            for index in 0..<read.core.plan.count where replicas.contains(index) {
                ask(index, for: .record, of: id, at: now, into: &effects)
            }
        case .repair(let replicas):
            effects.notices.append(
                .readRepaired(keyspace: read.keyspace, replicas: replicas.count)
            )
            for index in 0..<read.core.plan.count where replicas.contains(index) {
                repair(index, of: id, at: now, into: &effects)
            }
            advance(id, at: now, into: &effects)
        case .short:
            extend(id, at: now, into: &effects)
        }
    }

    /// Sends the merged record to a replica that is behind.
    private mutating func repair(
        _ index: Int,
        of id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard let read = reads[id], let record = read.core.answer, !record.isEmpty else { return }
        sendRepair(
            JobOrigin(route: .request, target: 0, correlation: id.rawValue),
            read.keyspace,
            read.core.mode,
            to: read.core.plan[index],
            key: reads.held(id),
            record,
            into: &effects
        )
    }

    /// Sends a stored version to a replica that lacks it.
    func sendRepair(
        _ origin: JobOrigin,
        _ keyspace: KeyspaceNumber,
        _ mode: RecordMode,
        to node: NodeID,
        key: [UInt8],
        _ record: [UInt8],
        into effects: inout Effects
    ) {
        let range = ByteRange(offset: 0, count: record.count)
        guard let summary = try? mode.summary(range, of: record.span.bytes) else { return }
        if node == identity.id {
            appendWrite(
                origin,
                keyspace,
                key: key.span.bytes,
                record: record.span.bytes,
                version: summary.newestVersion,
                .repair,
                into: &effects
            )
            return
        }
        send(.write, to: node, origin.correlation, into: &effects) {
            PeerWrite.encode(
                keyspace: keyspace,
                purpose: .repair,
                origin: identity.id,
                relays: PeerWrite.NodeList(),
                key: key.span.bytes,
                record: record.span.bytes,
                into: &$0
            )
        }
    }

    /// Asks one more replica, or says that the level cannot be met.
    private mutating func extend(
        _ id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id] else { return }
        let plan = read.core.plan
        let untried = usable(in: plan)
            .subtracting(read.core.contacted).subtracting(read.core.repaired)
        let next = readOrder(plan, among: untried).first { candidate in
            var help = read.core.agreeing.union(read.core.responded).union(read.core.pending)
            for other in readOrder(plan, among: untried) { help.insert(other) }
            guard read.core.rule.isMet(by: help) else { return false }
            // A replica outside the rule's datacenters does not help.
            for clause in 0..<read.core.rule.count
            where read.core.rule[clause].replicas.contains(candidate) {
                return true
            }
            return false
        }
        guard let next else {
            finish(failed: id, read, isLate: false, at: now, into: &effects)
            return
        }
        if read.core.phase == .repairing {
            read.core.repair(next)
            reads[id] = read
            repair(next, of: id, at: now, into: &effects)
        } else {
            ask(next, for: .record, of: id, at: now, into: &effects)
        }
    }

    /// Asks one more replica where the first ones are slow, within the budget.
    mutating func speculate(_ id: RequestID, at now: Instant, into effects: inout Effects) {
        guard let read = reads[id], !read.core.pending.isEmpty else { return }
        guard speculationCount &* 100 <= readCount &* settings.speculativeBudget else { return }
        let plan = read.core.plan
        let untried = usable(in: plan)
            .subtracting(read.core.contacted).subtracting(read.core.repaired)
        guard read.core.phase == .comparing, !read.isOwnCopy,
            let next = readOrder(plan, among: untried).first
        else { return }
        speculationCount &+= 1
        ask(next, for: .record, of: id, at: now, into: &effects)
    }

    private mutating func answer(
        _ id: RequestID,
        _ read: OpenRead,
        at now: Instant,
        into effects: inout Effects
    ) {
        let record = read.core.answer ?? []
        let counted = read.core.rule.counted(read.core.responded.union(read.core.agreeing))
        switch read.asker {
        case .client:
            break
        case .update(let update):
            close(read: id)
            goOn(update, with: record, from: counted, at: now, into: &effects)
            return
        case .fold:
            fold(id, read, at: now, into: &effects)
            return
        }
        guard let seen = contents(of: record, read.core.mode, at: now.wall) else {
            var failure = FailureResponse(
                code: .corrupt,
                level: read.level,
                message: "the replicas agree on a record of \(describe(reads.held(id))) "
                    + "that cannot be decoded"
            )
            failure.trace = traces[id] ?? []
            fail(read.sink, failure, into: &effects)
            close(read: id)
            return
        }
        guard seen.contents.size <= Self.maximumAnswerSize else {
            var failure = FailureResponse(
                code: .tooLarge,
                level: read.level,
                message: "what \"\(describe(reads.held(id)))\" holds comes to "
                    + "\(seen.contents.size) bytes, more than the \(Self.maximumAnswerSize) of an "
                    + "answer",
                advice: "Write a value in its place, or delete it, with the context that came "
                    + "with this.",
                context: token(seen.context, read.keyspace, reads.held(id).span.bytes)
            )
            failure.trace = traces[id] ?? []
            fail(read.sink, failure, into: &effects)
            close(read: id)
            return
        }
        let response = ValueResponse(
            contents: seen.contents,
            context: token(seen.context, read.keyspace, reads.held(id).span.bytes),
            level: read.isOwnCopy ? nil : read.level,
            coordinator: identity.id,
            required: UInt8(read.core.rule.required),
            responded: UInt8(counted),
            repaired: UInt8(read.core.repaired.count),
            trace: traces[id] ?? []
        )
        respond(to: read.sink, .value, into: &effects) { response.encode(into: &$0) }
        close(read: id)
    }

    private mutating func finish(
        failed id: RequestID,
        _ read: OpenRead,
        isLate: Bool,
        at now: Instant,
        into effects: inout Effects
    ) {
        var failure = unfinished(read, key: reads.held(id), isLate: isLate)
        if read.asker != .client {
            close(read: id)
            if case .update(let update) = read.asker {
                giveUp(update, after: failure, at: now, into: &effects)
            }
            return
        }
        failure.trace = traces[id] ?? []
        fail(read.sink, failure, into: &effects)
        close(read: id)
    }

    /// Closes a read; late answers find nothing.
    mutating func close(read id: RequestID) {
        if reads[id]?.asker == .fold { foldCount -= 1 }
        reads.remove(id)
        traces[id] = nil
    }

    mutating func expire(read id: RequestID, at now: Instant, into effects: inout Effects) {
        guard let read = reads[id] else { return }
        finish(failed: id, read, isLate: true, at: now, into: &effects)
    }

    mutating func lose(
        _ node: NodeID,
        read id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var read = reads[id], let index = read.core.plan.index(of: node),
            read.core.pending.contains(index)
        else { return }
        read.core.lose(index)
        reads[id] = read
        trace(id, since: read.startedAt, at: now, node, "lost", "the link broke")
        advance(id, at: now, into: &effects)
    }
}
