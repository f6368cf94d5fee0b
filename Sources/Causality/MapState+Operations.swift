/// A change of one field of a map.
public enum MapUpdate: Equatable, Sendable {
    /// Writes a register.
    case write([UInt8])
    /// Moves a counter.
    case increment(Int64)
    /// Adds elements to a set.
    case add([[UInt8]])
    /// Removes elements from a set, as far as the context has seen them.
    case remove([[UInt8]])
    /// Adds elements to a last-writer set.
    case stampAdded([[UInt8]])
    /// Removes elements from a last-writer set.
    case stampRemoved([[UInt8]])

    /// The kind of field that it changes.
    public var kind: MapFieldKind {
        switch self {
        case .write: .register
        case .increment: .counter
        case .add, .remove: .set
        case .stampAdded, .stampRemoved: .lastWriterSet
        }
    }
}

extension MapState {
    /// Changes a field.
    ///
    /// To be called by the actor's node for its own copy of the key, one call for a key at a time.
    ///
    /// - Parameters:
    ///   - name: the field's name.
    ///   - change: what is done, which also says what the field holds.
    ///   - context: what the client has seen, for the removal of elements; `history` of the
    ///     coordinator's merged state where it brought none and means what is there now.
    ///   - actor: who mints the dots.
    ///   - version: the stamp of the write.
    ///   - floor: as for `SiblingSet.put`.
    /// - Returns: what became of it.
    public func update(
        _ name: [UInt8],
        _ change: MapUpdate,
        seen context: DotCloud,
        actor: ActorID,
        version: Version,
        floor: UInt64 = 0
    ) -> DeltaOutcome<MapState> {
        guard ReplicatedLimits.nameSize.contains(name.count) else { return .invalid }
        let key = MapFieldName(name, change.kind)
        var minting = Minting(state: self, actor: actor, version: version, floor: floor)
        switch change {
        case .write(let value):
            guard value.count <= ReplicatedLimits.valueSize else { return .invalid }
            guard let dot = minting.next() else { return .exhausted }
            if case .register(let writes)? = contents(key) {
                minting.delta.history.insert(writes.map(\.dot))
            }
            return minting.changed(
                key,
                .register([.init(dot: dot, version: version, value: value)])
            )
        case .increment(let amount):
            guard let dot = minting.next() else { return .exhausted }
            var totals = CounterState.Row(actor: actor)
            if case .counter(let cells)? = contents(key),
                let cell = cells.first(where: { $0.dot.actor == actor })
            {
                totals = cell.totals
            }
            guard totals.add(amount) else { return .exhausted }
            if amount == 0 { return .unchanged }
            return minting.changed(key, .counter([.init(dot: dot, totals: totals)]))
        case .add(let elements):
            return add(elements, to: key, &minting)
        case .remove(let elements):
            guard history.contains(context) else { return .behind }
            if case .set(let set)? = contents(key) {
                minting.delta.history.insert(
                    elements.flatMap { set.dots(of: $0) }.filter(context.contains)
                )
            }
            return minting.delta.history.isEmpty ? .unchanged : .changed(minting.delta)
        case .stampAdded(let elements):
            guard let set = LastWriterSet.adding(elements, version: version) else {
                return .invalid
            }
            return minting.changed(key, .lastWriterSet(set))
        case .stampRemoved(let elements):
            guard let set = LastWriterSet.removing(elements, version: version) else {
                return .invalid
            }
            return minting.changed(key, .lastWriterSet(set))
        }
    }

    private func add(
        _ elements: [[UInt8]],
        to key: MapFieldName,
        _ minting: inout Minting
    ) -> DeltaOutcome<MapState> {
        guard elements.allSatisfy({ $0.count <= ReplicatedLimits.elementSize }) else {
            return .invalid
        }
        var present = DottedElements()
        if case .set(let set)? = contents(key) { present = set }
        let sorted = elements.sorted { compareBytes($0, $1) < 0 }
        var added = DottedElements()
        var replaced: [Dot] = []
        for element in sorted where added.elements.last?.value != element {
            guard let dot = minting.next() else { return .exhausted }
            replaced += present.dots(of: element)
            added.elements.append(DottedElement(value: element, dots: [dot]))
        }
        minting.delta.history.insert(replaced)
        return minting.changed(key, .set(added))
    }

    /// Removes a field, as far as the context has seen it.
    ///
    /// - Parameters:
    ///   - key: the field.
    ///   - context: what the client has seen, as for `update`.
    ///   - version: the stamp of the write; what a last-writer set holds now is stamped removed.
    /// - Returns: what became of it.
    public func remove(
        _ key: MapFieldName,
        seen context: DotCloud,
        version: Version
    ) -> DeltaOutcome<MapState> {
        remove(all.filter { $0.key == key }, seen: context, version)
    }

    /// Removes all fields, as far as the context has seen them: the deletion of the key.
    ///
    /// - Parameters:
    ///   - context: what the client has seen, as for `update`.
    ///   - version: the stamp of the write.
    /// - Returns: what became of it.
    public func removeAll(seen context: DotCloud, version: Version) -> DeltaOutcome<MapState> {
        remove(all, seen: context, version)
    }

    private func remove(
        _ fields: [Field],
        seen context: DotCloud,
        _ version: Version
    ) -> DeltaOutcome<MapState> {
        guard history.contains(context) else { return .behind }
        var delta = MapState()
        delta.newestVersion = max(newestVersion, version)
        var seen: [Dot] = []
        for field in fields {
            switch field.contents {
            case .register(let writes):
                seen += writes.map(\.dot).filter(context.contains)
            case .set(let set):
                seen += set.elements.flatMap(\.dots).filter(context.contains)
            case .counter(let cells):
                guard !field.contents.isAbsent else { continue }
                var reset: [MapField.CounterCell] = []
                for var cell in cells where context.contains(cell.dot) {
                    cell.totals.resetAdded = cell.totals.added
                    cell.totals.resetTaken = cell.totals.taken
                    reset.append(cell)
                    // A cell's dot is in the history of whatever holds the cell.
                    seen.append(cell.dot)
                }
                if reset.isEmpty { continue }
                delta.all.append(Field(key: field.key, contents: .counter(reset)))
            case .lastWriterSet(let set):
                guard !set.isAbsent,
                    let removed = LastWriterSet.removing(set.elements, version: version)
                else { continue }
                delta.all.append(Field(key: field.key, contents: .lastWriterSet(removed)))
            }
        }
        delta.history.insert(seen)
        let isAny = !delta.history.isEmpty || !delta.all.isEmpty
        return isAny ? .changed(delta) : .unchanged
    }

    /// A delta in the making, and the numbers that go into it.
    private struct Minting {
        var delta = MapState()
        private var known: DotCloud
        private let id: ActorID
        private let floor: UInt64

        init(state: MapState, actor: ActorID, version: Version, floor: UInt64) {
            known = state.history
            id = actor
            self.floor = floor
            delta.newestVersion = max(state.newestVersion, version)
        }

        /// The next dot, noted in the delta's history; nil when they are used up.
        mutating func next() -> Dot? {
            guard let dot = known.next(of: id, floor: floor) else { return nil }
            if known.find(id) == nil {
                // The numbers up to the floor are of a life of the key that was purged.
                known.insert(upTo: dot)
                delta.history.insert(upTo: dot)
            } else {
                known.insert(dot)
                delta.history.insert(dot)
            }
            return dot
        }

        /// The delta with one field; unchanged where that is empty.
        func changed(_ key: MapFieldName, _ contents: MapField) -> DeltaOutcome<MapState> {
            guard !contents.isEmpty else { return .unchanged }
            var result = delta
            result.all = [Field(key: key, contents: contents)]
            return .changed(result)
        }
    }
}
