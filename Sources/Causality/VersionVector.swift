public import ByteCoding

/// A causal history without holes: of each actor, all events up to a number.
///
///     vector := count: uint16, entry × count, ascending by actor
///     entry  := actor (16 bytes), counter: uint64, 1 to 2⁶³−1
public struct VersionVector: Equatable, Sendable {
    /// All events of one actor up to a number.
    public struct Entry: Equatable, Sendable {
        /// Who minted them.
        public var actor: ActorID
        /// The number of the latest, at least 1.
        public var counter: UInt64

        /// The entry of these parts.
        @inlinable
        public init(actor: ActorID, counter: UInt64) {
            self.actor = actor
            self.counter = counter
        }
    }

    /// How two histories stand to each other.
    public enum Order: Equatable, Sendable {
        /// The same events.
        case equal
        /// The other has all of this one's events, and more.
        case before
        /// This one has all of the other's events, and more.
        case after
        /// Each has an event that the other lacks.
        case concurrent
    }

    /// Bytes of an entry.
    @usableFromInline static let entrySize = ActorID.size + 8

    /// Ascending by actor, each once.
    public private(set) var entries: [Entry]

    /// No events.
    public init() {
        entries = []
    }

    init(sorted entries: [Entry]) {
        self.entries = entries
    }

    /// Whether there are no events.
    public var isEmpty: Bool { entries.isEmpty }

    /// The number of an actor's latest event, 0 for none.
    public func counter(of id: ActorID) -> UInt64 {
        let index = index(of: id)
        guard index < entries.count, entries[index].actor == id else { return 0 }
        return entries[index].counter
    }

    /// Whether the event is among these.
    public func contains(_ dot: Dot) -> Bool {
        dot.counter <= counter(of: dot.actor)
    }

    /// Adds an event and all of its actor before it.
    public mutating func insert(_ dot: Dot) {
        let index = index(of: dot.actor)
        if index < entries.count, entries[index].actor == dot.actor {
            entries[index].counter = max(entries[index].counter, dot.counter)
        } else {
            entries.insert(Entry(actor: dot.actor, counter: dot.counter), at: index)
        }
    }

    /// Adds all events of another history.
    public mutating func merge(_ other: VersionVector) {
        for entry in other.entries {
            insert(Dot(actor: entry.actor, counter: entry.counter))
        }
    }

    /// Whether all events of the other are among these.
    public func dominates(_ other: VersionVector) -> Bool {
        other.entries.allSatisfy { $0.counter <= counter(of: $0.actor) }
    }

    /// How this history stands to another.
    public func compare(_ other: VersionVector) -> Order {
        switch (dominates(other), other.dominates(self)) {
        case (true, true): .equal
        case (true, false): .after
        case (false, true): .before
        case (false, false): .concurrent
        }
    }

    /// The index of the actor's entry, or where it would be inserted.
    private func index(of id: ActorID) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].actor < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension VersionVector {
    /// The most entries of an encoded vector: 2,048, which are 48 KiB.
    public static let maximumCount = 2048

    /// Reads a vector.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`.
    public init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        let count = Int(try reader.uint16(in: bytes, "vector"))
        guard count <= Self.maximumCount else {
            throw .tooLong(field: "vector", length: UInt64(count), limit: Self.maximumCount)
        }
        guard count * Self.entrySize <= reader.remaining else {
            throw .truncated(
                field: "vector",
                needed: count * Self.entrySize,
                available: reader.remaining
            )
        }
        entries = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let id = try reader.actorID(in: bytes)
            if let last = entries.last, last.actor >= id {
                throw .invalid(field: "vector's order", value: id.high)
            }
            entries.append(Entry(actor: id, counter: try reader.counter(in: bytes)))
        }
    }

    /// Appends the vector.
    ///
    /// Of more than `maximumCount` entries those that come last are left out: a context that
    /// claims less than was seen leaves siblings, and loses nothing.
    public func encode(into writer: inout ByteWriter) {
        let kept = entries.prefix(Self.maximumCount)
        writer.uint16(UInt16(kept.count))
        for entry in kept {
            writer.integers([entry.actor.high, entry.actor.low, entry.counter])
        }
    }
}
