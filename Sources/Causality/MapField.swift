import ByteCoding

/// What a field of a map holds.
public enum MapFieldKind: UInt8, CaseIterable, Sendable {
    // On disk: never renumber.

    /// A value of which the later write counts.
    case register = 1
    /// A sum.
    case counter = 2
    /// An add-wins set.
    case set = 3
    /// A set in which of an addition and a removal the later counts.
    case lastWriterSet = 4
}

/// The contents of one field; the history that its dots are in is the map's.
enum MapField: Equatable, Sendable {
    /// The writes that none has replaced, ascending by dot, at least one; the reader sees the one
    /// with the greatest version, then the greatest dot.
    case register([RegisterWrite])
    /// Ascending by actor, at least one.
    case counter([CounterCell])
    case set(DottedElements)
    case lastWriterSet(LastWriterSet)

    /// A write of a register.
    struct RegisterWrite: Equatable, Sendable {
        var dot: Dot
        var version: Version
        var value: [UInt8]
    }

    /// What one actor counted.
    struct CounterCell: Equatable, Sendable {
        /// The actor's latest increment; a removal that has seen it resets the totals as they
        /// are, and one that has not leaves them whole.
        var dot: Dot
        /// Only the totals are used.
        var totals: CounterState.Row
    }

    var kind: MapFieldKind {
        switch self {
        case .register: .register
        case .counter: .counter
        case .set: .set
        case .lastWriterSet: .lastWriterSet
        }
    }

    /// Whether a reader does not see the field.
    var isAbsent: Bool {
        switch self {
        case .register(let writes): writes.isEmpty
        case .counter(let cells):
            cells.allSatisfy {
                $0.totals.added == $0.totals.resetAdded && $0.totals.taken == $0.totals.resetTaken
            }
        case .set(let elements): elements.elements.isEmpty
        case .lastWriterSet(let set): set.isAbsent
        }
    }

    /// Whether nothing is kept of the field.
    var isEmpty: Bool {
        switch self {
        case .register(let writes): writes.isEmpty
        case .counter(let cells): cells.isEmpty
        case .set(let elements): elements.elements.isEmpty
        case .lastWriterSet(let set): set.all.isEmpty
        }
    }

    /// A field of a kind without contents.
    static func empty(_ kind: MapFieldKind) -> MapField {
        switch kind {
        case .register: .register([])
        case .counter: .counter([])
        case .set: .set(DottedElements())
        case .lastWriterSet: .lastWriterSet(LastWriterSet())
        }
    }

    /// Joins with the same field of another map; each comes with its map's history.
    func joined(_ cloud: DotCloud, _ other: MapField, _ otherCloud: DotCloud) -> MapField {
        switch (self, other) {
        case (.register(let mine), .register(let theirs)):
            .register(
                joinAscending(mine, theirs, by: { $0.dot == $1.dot ? 0 : $0.dot < $1.dot ? -1 : 1 })
                { one, two in
                    switch (one, two) {
                    case (let write?, nil): otherCloud.contains(write.dot) ? nil : write
                    case (nil, let write?): cloud.contains(write.dot) ? nil : write
                    case (let one?, let two?): one.greater(two)
                    case (nil, nil): nil
                    }
                }
            )
        case (.counter(let mine), .counter(let theirs)):
            .counter(
                joinAscending(
                    mine,
                    theirs,
                    by: { $0.dot.actor == $1.dot.actor ? 0 : $0.dot.actor < $1.dot.actor ? -1 : 1 }
                ) {
                    guard let one = $0, let two = $1 else { return $0 ?? $1 }
                    return CounterCell(
                        dot: max(one.dot, two.dot),
                        totals: one.totals.merged(with: two.totals)
                    )
                }
            )
        case (.set(let mine), .set(let theirs)):
            .set(mine.joined(cloud, theirs, otherCloud))
        case (.lastWriterSet(var mine), .lastWriterSet(let theirs)):
            {
                mine.merge(theirs)
                return .lastWriterSet(mine)
            }()
        default:
            // Fields of different kinds have different keys.
            self
        }
    }
}

extension MapField.RegisterWrite {
    /// The one that a reader sees of two; of one dot with two values, which only a fault makes,
    /// the greater.
    func greater(_ other: MapField.RegisterWrite) -> MapField.RegisterWrite {
        if version != other.version { return version < other.version ? other : self }
        if dot != other.dot { return dot < other.dot ? other : self }
        return compareBytes(value, other.value) < 0 ? other : self
    }
}
