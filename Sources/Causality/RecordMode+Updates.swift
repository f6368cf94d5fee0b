import ByteCoding
public import ClusterPrimitives

extension RecordMode {
    /// What has to be known before an update can be made.
    ///
    /// A removal takes away what its context names. Where there is none, or what is removed has
    /// no events for a context to name, as counters and last-writer sets, it takes away what is
    /// there; one replica's copy is not enough to say what that is.
    public func footing(
        of update: RecordUpdate,
        seen context: CausalContext?
    ) -> UpdateFooting {
        switch update {
        case .put, .increment, .add, .fold:
            return .nothing
        case .change(_, let change):
            guard case .remove = change else { return .nothing }
        case .remove:
            if self == .lastWriterSet { return .nothing }
        case .delete:
            if self == .siblings { return .nothing }
            // A map may hold counters and last-writer sets.
            if self != .set { return .copies }
        case .removeField(let field):
            if field.kind == .lastWriterSet { return .copies }
        }
        return context == nil ? .copies : .context
    }

    /// Makes an update of a copy.
    ///
    /// To be called by the actor's own node, one call for a key at a time: from the read of the
    /// copy to the moment the new one can be read.
    ///
    /// - Parameters:
    ///   - update: what is done.
    ///   - context: what the writer has seen; nil for nothing said.
    ///   - copy: the record that the node holds; empty for none.
    ///   - terms: who and when.
    /// - Returns: what became of it.
    public func apply(
        _ update: RecordUpdate,
        seen context: CausalContext?,
        to copy: [UInt8],
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        let bytes = copy.span.bytes
        let all = ByteRange(offset: 0, count: copy.count)
        // Siblings are judged as they are read to be changed.
        if self == .siblings { return putSibling(update, context, copy, terms) }
        if !copy.isEmpty {
            guard let summary = try? summary(all, of: bytes) else { return .refused(.unreadable) }
            guard summary.newestVersion < terms.version else {
                return .refused(.stale(summary.newestVersion))
            }
        }
        let outcome: UpdateOutcome
        switch self {
        case .lww, .siblings: return .refused(.unreadable)
        case .counter: outcome = count(update, bytes, all, terms)
        case .set: outcome = changeSet(update, context?.cloud, bytes, all, terms)
        case .map: outcome = changeMap(update, context?.cloud, bytes, all, terms)
        case .lastWriterSet: outcome = stampSet(update, bytes, all, terms)
        }
        guard case .changed(let record, var answer) = outcome, !update.isRemoval else {
            return outcome
        }
        // It is joined with the copy.
        let size = copy.count + record.count
        if size > terms.maximumSize { return .refused(.tooLarge(size)) }
        let limit = ReplicatedLimits.warningSize
        answer.isLarge = copy.count < limit && size >= limit
        return .changed(record: record, answer)
    }

    private func putSibling(
        _ update: RecordUpdate,
        _ context: CausalContext?,
        _ copy: [UInt8],
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        switch update {
        case .put(let value, let expiry):
            let write = SiblingWrite(
                version: terms.version,
                isTombstone: false,
                expiry: expiry,
                value: ByteRange(offset: 0, count: value.count)
            )
            return Self.put(write, of: value.span.bytes, seen: context, to: copy, terms)
        case .delete:
            let write = SiblingWrite(version: terms.version, isTombstone: true, expiry: nil)
            return Self.put(write, of: RawSpan(), seen: context, to: copy, terms)
        default:
            return .refused(.unreadable)
        }
    }

    /// Puts a value, or a deletion, into a copy of a set of siblings: as `apply`, for a value that
    /// lies in other bytes.
    ///
    /// - Parameters:
    ///   - write: what is put; its version is that of the terms, its value lies in `source`.
    ///   - source: where the value's bytes lie.
    ///   - context: what the writer has seen; nil for nothing said.
    ///   - copy: the record that the node holds; empty for none.
    ///   - terms: who and when.
    /// - Returns: what became of it.
    public static func put(
        _ write: SiblingWrite,
        of source: RawSpan,
        seen context: CausalContext?,
        to copy: [UInt8],
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        let bytes = copy.span.bytes
        var local: SiblingSet?
        if !copy.isEmpty {
            guard let set = try? SiblingSet(decoding: bytes) else { return .refused(.unreadable) }
            guard set.newestVersion < terms.version else {
                return .refused(.stale(set.newestVersion))
            }
            local = set
        }
        var writer = ByteWriter(capacity: copy.count + write.value.count + 64)
        let outcome = SiblingSet.put(
            write,
            of: source,
            over: local,
            of: bytes,
            seen: SiblingSet.seen(by: context?.vector, of: local, in: bytes, at: terms.wall),
            by: terms.actor,
            into: &writer
        )
        switch outcome {
        case .tooManySiblings(let count):
            return .refused(.tooManySiblings(count))
        case .exhausted:
            return .refused(.exhausted)
        case .written(_, let values, let seen):
            var live = write.isAbsent(at: terms.wall) ? 0 : 1
            if values > 1 {
                let record = writer.bytes.span.bytes
                guard let set = try? SiblingSet(decoding: record) else {
                    return .refused(.unreadable)
                }
                live = set.liveCount(at: terms.wall, in: record)
            }
            var answer = UpdateAnswer(context: CausalContext(siblings: seen), siblings: live)
            // One value may be as large as any.
            if !write.isTombstone, live != 1 {
                let size = writer.count
                if live > 1, size > terms.maximumSize { return .refused(.tooLarge(size)) }
                let limit = ReplicatedLimits.warningSize
                answer.isLarge = copy.count < limit && size >= limit
            }
            return .changed(record: writer.bytes, answer)
        }
    }

    private func count(
        _ update: RecordUpdate,
        _ bytes: RawSpan,
        _ range: ByteRange,
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        guard var state = decoded(range, CounterState(), { try CounterState(decoding: bytes) })
        else { return .refused(.unreadable) }
        let outcome: CounterOutcome
        switch update {
        case .increment(let amount, let id, let direction) where id.isEmpty:
            outcome = state.increment(
                by: amount,
                direction,
                actor: terms.actor,
                version: terms.version
            )
        case .increment(let amount, let id, let direction):
            outcome = state.increment(
                by: amount,
                id: id,
                direction,
                actor: terms.actor,
                version: terms.version
            )
        case .delete:
            outcome = state.reset(version: terms.version).map(CounterOutcome.changed) ?? .unchanged
        case .fold(let records, let limit):
            var replicas: [CounterState] = []
            for record in records {
                let range = ByteRange(offset: 0, count: record.count)
                let replica = decoded(range, CounterState()) {
                    try CounterState(decoding: record.span.bytes)
                }
                guard let replica else { return .refused(.unreadable) }
                replicas.append(replica)
            }
            outcome =
                state.fold(
                    actors: terms.earlier.union([terms.actor]),
                    replicas: replicas,
                    olderThan: limit,
                    version: terms.version
                )
                .map(CounterOutcome.changed) ?? .unchanged
        default:
            return .refused(.unreadable)
        }
        switch outcome {
        case .changed(let delta):
            state.merge(delta)
            return .changed(
                record: encoded { delta.encode(into: &$0) },
                UpdateAnswer(
                    context: CausalContext(counter: state.newestVersion),
                    sum: state.value,
                    isFoldable: state.isFoldable(
                        actors: terms.earlier,
                        terms.actor,
                        olderThan: terms.idsFrom
                    )
                )
            )
        case .unchanged:
            return .unchanged(
                UpdateAnswer(
                    context: CausalContext(counter: state.newestVersion),
                    sum: state.value
                )
            )
        case .invalid:
            return .refused(.invalid(Self.reason(forRefusing: update)))
        case .tooManyEntries:
            return .refused(.tooManyIDs)
        case .overflow:
            return .refused(.exhausted)
        }
    }

    /// What of an increment is not allowed.
    private static func reason(forRefusing update: RecordUpdate) -> String {
        guard case .increment(let amount, let id, let direction) = update else { return "" }
        if amount < 0, direction == .growOnly {
            return "the counters of this keyspace only grow, the amount is \(amount)"
        }
        if !id.isEmpty, !CounterState.idSize.contains(id.count) {
            return "an operation's id has at most \(CounterState.idSize.upperBound) bytes, this "
                + "one has \(id.count)"
        }
        return "the operation's id was used with another amount than \(amount)"
    }

    private func changeSet(
        _ update: RecordUpdate,
        _ context: DotCloud?,
        _ bytes: RawSpan,
        _ range: ByteRange,
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        guard let state = decoded(range, ObservedRemoveSet(), { try .init(decoding: bytes) })
        else { return .refused(.unreadable) }
        let outcome: DeltaOutcome<ObservedRemoveSet>
        switch update {
        case .add(let elements):
            outcome = state.add(elements, actor: terms.actor, version: terms.version)
        case .remove(let elements):
            outcome = state.remove(
                elements,
                seen: context ?? state.history,
                version: terms.version
            )
        case .delete:
            outcome = state.removeAll(seen: context ?? state.history, version: terms.version)
        default:
            return .refused(.unreadable)
        }
        return concluded(
            outcome,
            seen: context,
            Self.elementLimit,
            history: \.history,
            context: CausalContext.init(set:)
        ) { $0.encode(into: &$1) }
    }

    private static var elementLimit: String {
        "an element has at most \(ReplicatedLimits.elementSize) bytes"
    }

    private func changeMap(
        _ update: RecordUpdate,
        _ context: DotCloud?,
        _ bytes: RawSpan,
        _ range: ByteRange,
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        guard let state = decoded(range, MapState(), { try MapState(decoding: bytes) }) else {
            return .refused(.unreadable)
        }
        let outcome: DeltaOutcome<MapState>
        switch update {
        case .change(let field, let change):
            outcome = state.update(
                field,
                change,
                seen: context ?? state.history,
                actor: terms.actor,
                version: terms.version
            )
        case .removeField(let field):
            outcome = state.remove(
                field,
                seen: context ?? state.history,
                version: terms.version
            )
        case .delete:
            outcome = state.removeAll(seen: context ?? state.history, version: terms.version)
        default:
            return .refused(.unreadable)
        }
        return concluded(
            outcome,
            seen: context,
            "a field's name has 1 to \(ReplicatedLimits.nameSize.upperBound) bytes, a value at "
                + "most \(ReplicatedLimits.valueSize), and " + Self.elementLimit,
            history: \.history,
            context: CausalContext.init(map:)
        ) { $0.encode(into: &$1) }
    }

    /// What a delta comes to: its writer has seen now what the delta speaks of.
    private func concluded<State>(
        _ outcome: DeltaOutcome<State>,
        seen context: DotCloud?,
        _ limits: String,
        history: (State) -> DotCloud,
        context token: (DotCloud) -> CausalContext,
        _ encode: (State, inout ByteWriter) -> Void
    ) -> UpdateOutcome {
        var seen = context ?? DotCloud()
        switch outcome {
        case .changed(let delta):
            seen.merge(history(delta))
            return .changed(
                record: encoded { encode(delta, &$0) },
                UpdateAnswer(context: token(seen))
            )
        case .unchanged: return .unchanged(UpdateAnswer(context: token(seen)))
        case .behind: return .refused(.behind)
        case .invalid: return .refused(.invalid(limits))
        case .exhausted: return .refused(.exhausted)
        }
    }

    private func stampSet(
        _ update: RecordUpdate,
        _ bytes: RawSpan,
        _ range: ByteRange,
        _ terms: UpdateTerms
    ) -> UpdateOutcome {
        guard
            let state = decoded(range, LastWriterSet(), { try LastWriterSet(decoding: bytes) })
        else { return .refused(.unreadable) }
        let delta: LastWriterSet?
        switch update {
        case .add(let elements):
            delta = LastWriterSet.adding(elements, version: terms.version)
        case .remove(let elements):
            delta = LastWriterSet.removing(elements, version: terms.version)
        case .delete:
            delta = LastWriterSet.removing(state.elements, version: terms.version)
        default:
            return .refused(.unreadable)
        }
        guard let delta else { return .refused(.invalid(Self.elementLimit)) }
        if delta.newestVersion == .zero {
            let context = CausalContext(lastWriterSet: state.newestVersion)
            return .unchanged(UpdateAnswer(context: context))
        }
        return .changed(
            record: encoded { delta.encode(into: &$0) },
            UpdateAnswer(context: CausalContext(lastWriterSet: terms.version))
        )
    }

    /// A copy that was read, or the state of a key that has none.
    private func decoded<State>(
        _ range: ByteRange,
        _ none: State,
        _ read: () throws -> State
    ) -> State? {
        range.count == 0 ? none : try? read()
    }

    private func encoded(_ encode: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        encode(&writer)
        return writer.bytes
    }
}

extension SiblingSet {
    /// Walks the values that a reader at this time sees, in the order of the set.
    public func forEachLive(
        at wall: WallClockTime,
        in bytes: RawSpan,
        _ body: (Sibling) -> Void
    ) {
        var cursor = Cursor(self)
        while let sibling = cursor.next(in: bytes) {
            if !sibling.isAbsent(at: wall) { body(sibling) }
        }
    }
}
