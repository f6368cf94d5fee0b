import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

extension Lane {
    /// The most bytes of a page that one replica returns, so that it fits a frame with room for
    /// one value of the greatest size: 512 KiB.
    static var maximumReplicaPageSize: UInt32 { 512 * 1024 }

    /// Coordinates one page of a scan, or hands it to a replica that does.
    ///
    /// A page lies within one token range of the ring, so that it has one set of replicas.
    mutating func begin(
        _ request: ScanRequest,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ sink: ResponseSink,
        _ remaining: Duration?,
        _ now: Instant,
        _ effects: inout Effects
    ) {
        guard let placement = placement(request.keyspace, key: nil, sink, into: &effects) else {
            return
        }
        guard request.maximumEntries > 0, request.maximumSize > 0 else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "a page has at least one entry and one byte",
                    advice: "Ask for more than nothing."
                ),
                into: &effects
            )
            return
        }
        let keyspace = placement.keyspace
        let level = request.level ?? keyspace.readConsistency
        let ring = placement.ring
        let entry = ring.ranges[ring.index(of: Token(ordered: request.start.token))]
        let plan = ReplicaPlan(entry.replicas, view: view)
        guard let rule = rule(level, plan, keyspace, sink, into: &effects) else { return }
        let deadline = deadline(request.timeout, remaining, now)
        if forward(
            .scan,
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
                unavailable(.read, level, rule, plan, usable, range: entry.range),
                into: &effects
            )
            return
        }
        let id = scans.insert(
            OpenScan(
                plan: plan,
                rule: rule,
                sink: sink,
                keyspace: request.keyspace,
                level: level,
                contents: request.contents,
                mode: keyspace.mode.records,
                deadline: deadline,
                scan: ReplicaScan(
                    fromToken: request.start.token,
                    after: request.start.after,
                    throughToken: entry.range.end.ordered,
                    maximumEntries: min(
                        request.maximumEntries,
                        UInt32(ScanRequest.maximumPageEntries)
                    ),
                    maximumSize: min(request.maximumSize, Self.maximumReplicaPageSize),
                    prefix: request.prefix
                )
            ),
            holding: []
        )
        wheel.insert(id, .deadline, due: deadline, now: now.monotonic)
        for index in 0..<plan.count where chosen.contains(index) {
            ask(index, scan: id, into: &effects)
        }
    }

    private mutating func ask(_ index: Int, scan id: RequestID, into effects: inout Effects) {
        guard var open = scans[id] else { return }
        open.contacted.insert(index)
        scans[id] = open
        let node = open.plan[index]
        if node == identity.id {
            effects.jobs.append(
                StorageJob(
                    origin: JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                    keyspace: open.keyspace,
                    token: open.scan.fromToken,
                    work: .scan(open.scan)
                )
            )
        } else {
            send(.scan, to: node, id.rawValue, into: &effects) {
                PeerScan(keyspace: open.keyspace, scan: open.scan).encode(into: &$0)
            }
        }
    }

    /// A replica's answer to a scan.
    mutating func answered(
        scan id: RequestID,
        by node: NodeID,
        _ page: ReplicaPage,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var open = scans[id], let index = open.plan.index(of: node),
            open.contacted.contains(index), !open.failed.contains(index), open.answer == nil,
            !open.pages.contains(where: { $0.index == index })
        else { return }
        let isReadable = page.records.allSatisfy { record in
            Limits.keySize.contains(record.key.count) && Self.isRecord(record.record, open.mode)
        }
        guard page.status == .found || page.status == .absent, isReadable else {
            lose(node, scan: id, at: now, into: &effects)
            return
        }
        open.pages.append((index, page))
        scans[id] = open
        if open.pages.count == open.contacted.subtracting(open.failed).count {
            merge(id, at: now, into: &effects)
        }
    }

    mutating func lose(
        _ node: NodeID,
        scan id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var open = scans[id], let index = open.plan.index(of: node),
            open.contacted.contains(index)
        else { return }
        if open.answer != nil {
            open.repairs.removeAll { $0 == index }
            scans[id] = open
            answerIfRepaired(id, into: &effects)
            return
        }
        guard !open.failed.contains(index), !open.pages.contains(where: { $0.index == index })
        else { return }
        open.failed.insert(index)
        scans[id] = open
        let answering = open.contacted.subtracting(open.failed)
        if open.rule.isMet(by: answering) {
            if open.pages.count == answering.count { merge(id, at: now, into: &effects) }
            return
        }
        let untried = usable(in: open.plan).subtracting(open.contacted)
        let order = readOrder(open.plan, among: answering.union(untried))
        guard let chosen = open.rule.leastSet(inOrder: order) else {
            let message =
                "\(open.level) cannot be met for tokens up to "
                + "\(Token(ordered: open.scan.throughToken)): "
                + "\(view.name(of: node)) could not answer"
            fail(
                open.sink,
                FailureResponse(
                    code: .unavailable,
                    level: open.level,
                    required: UInt8(open.rule.required),
                    alive: UInt8(open.rule.counted(answering)),
                    message: message,
                    advice: "Go on from the last cursor, or use a lower level."
                ),
                into: &effects
            )
            scans.remove(id)
            return
        }
        for other in 0..<open.plan.count
        where chosen.contains(other) && !open.contacted.contains(other) {
            ask(other, scan: id, into: &effects)
        }
    }

    /// Merges the replicas' pages, repairs what differs, and makes the answer.
    private mutating func merge(
        _ id: RequestID,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard var open = scans[id] else { return }
        let merged = ScanMerge(pages: open.pages, mode: open.mode)
        var answer = PageResponse(entries: [], next: nil, repaired: 0)
        // Replicas that lack each other's keys make a page longer than was asked for.
        var size = 0
        var last: ScanMerge.Item?
        for item in merged.items {
            if let last,
                answer.entries.count >= Int(open.scan.maximumEntries)
                    || size >= Int(open.scan.maximumSize)
            {
                answer.next = ScanCursor(token: last.token, after: last.key)
                break
            }
            let seen = visibleContents(of: item, open, at: now.wall)
            if let seen, seen.size > Self.maximumAnswerSize - Int(Self.maximumReplicaPageSize) {
                // It has a page of its own, if one holds it.
                if let last, !answer.entries.isEmpty {
                    answer.next = ScanCursor(token: last.token, after: last.key)
                    break
                }
                guard seen.size <= Self.maximumAnswerSize else {
                    refuse(scan: id, open, atKey: item.key, holding: seen.size, into: &effects)
                    return
                }
            }
            last = item
            for index in item.behind {
                answer.repaired &+= 1
                open.repairs.append(index)
                sendRepair(
                    JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                    open.keyspace,
                    open.mode,
                    to: open.plan[index],
                    key: item.key,
                    item.record,
                    into: &effects
                )
            }
            guard let seen else { continue }
            size += item.key.count + (open.contents == .values ? item.record.count : 0)
            answer.entries.append(ScanEntry(key: item.key, contents: seen))
        }
        if answer.next != nil {
            // The page is full before the replicas' pages are used up.
        } else if let end = merged.end {
            answer.next = ScanCursor(token: end.token, after: end.key)
        } else if open.scan.throughToken < .max {
            answer.next = ScanCursor(token: open.scan.throughToken + 1, after: nil)
        }
        if answer.repaired > 0 {
            effects.notices.append(
                .readRepaired(keyspace: open.keyspace, replicas: Int(answer.repaired))
            )
        }
        open.answer = answer
        scans[id] = open
        answerIfRepaired(id, into: &effects)
    }

    /// What a page shows of a key; nil where it shows nothing.
    private func visibleContents(
        of item: ScanMerge.Item,
        _ open: OpenScan,
        at wall: WallClockTime
    ) -> KeyContents? {
        let all = ByteRange(offset: 0, count: item.record.count)
        guard !open.mode.isAbsent(all, of: item.record.span.bytes, at: wall),
            let seen = contents(of: item.record, open.mode, at: wall)
        else { return nil }
        return open.contents == .values ? seen.contents : seen.contents.withoutContents
    }

    /// Ends a scan at a key whose contents no answer holds.
    private mutating func refuse(
        scan id: RequestID,
        _ open: OpenScan,
        atKey key: [UInt8],
        holding size: Int,
        into effects: inout Effects
    ) {
        scans.remove(id)
        fail(
            open.sink,
            FailureResponse(
                code: .tooLarge,
                level: open.level,
                message: "what \"\(describe(key))\" holds comes to \(size) bytes, more than the "
                    + "\(Self.maximumAnswerSize) of an answer",
                advice: "Read the key, and write a value in its place with the context that comes "
                    + "with the refusal; or scan without values."
            ),
            into: &effects
        )
    }

    mutating func repairAcknowledged(
        scan id: RequestID,
        by node: NodeID,
        into effects: inout Effects
    ) {
        guard var open = scans[id], let index = open.plan.index(of: node),
            let position = open.repairs.firstIndex(of: index)
        else { return }
        open.repairs.remove(at: position)
        scans[id] = open
        answerIfRepaired(id, into: &effects)
    }

    private mutating func answerIfRepaired(_ id: RequestID, into effects: inout Effects) {
        guard let open = scans[id], let answer = open.answer, open.repairs.isEmpty else { return }
        respond(to: open.sink, .page, into: &effects) { answer.encode(into: &$0) }
        scans.remove(id)
    }

    mutating func expire(scan id: RequestID, at now: Instant, into effects: inout Effects) {
        guard let open = scans[id] else { return }
        scans.remove(id)
        fail(
            open.sink,
            FailureResponse(
                code: .timeout,
                level: open.level,
                required: UInt8(open.rule.required),
                acknowledged: UInt8(open.pages.count),
                message: "a page of keyspace \(keyspaceName(open.keyspace)) was not read in time",
                advice: "Go on from the last cursor, with a longer --timeout."
            ),
            into: &effects
        )
    }

    /// The name of a keyspace, or its number where it is gone.
    func keyspaceName(_ number: KeyspaceNumber) -> String {
        view.placement(of: number)?.keyspace.name ?? "#\(number)"
    }
}
