public import ByteCoding

/// What a replica keeps for a key of a set keyspace: an add-wins set without tombstones.
///
/// Bieniusa et al., "An optimized conflict-free replicated set" (2012), with the history as a
/// cloud of dots, so that deltas join blind, in any order and more than once (Almeida, Shoker,
/// Baquero, "Delta state replicated data types", 2018). An addition has a dot; the set holds an
/// element while an addition of it is known that no removal has seen. A dot in the history that
/// no element carries is an addition that was removed, or replaced by a later one.
///
/// Deleting the key is removing all its elements. What is left is the history alone, which is
/// absent to readers and can be purged like a tombstone.
///
///     state := newest: version (12 bytes), cloud, elements
public struct ObservedRemoveSet: Equatable, Sendable {
    /// The greatest version of a write in the state.
    public private(set) var newestVersion: Version = .zero
    /// All additions that the state has heard of: a reader's context.
    public private(set) var history = DotCloud()
    private var contents = DottedElements()

    /// The state of a key that was never written; it has no encoding.
    public init() {}

    /// The elements, ascending.
    public var elements: [[UInt8]] { contents.elements.map(\.value) }
    /// How many there are.
    public var count: Int { contents.elements.count }
    /// Whether there are none.
    public var isAbsent: Bool { contents.elements.isEmpty }

    /// Whether the element is in the set.
    public func contains(_ element: [UInt8]) -> Bool { contents.contains(element) }

    /// The additions of an element that no removal has seen; none where it is not in the set.
    public func dots(of element: [UInt8]) -> [Dot] { contents.dots(of: element) }

    /// Takes in another state, or a delta.
    public mutating func merge(_ other: ObservedRemoveSet) {
        newestVersion = max(newestVersion, other.newestVersion)
        contents = contents.joined(history, other.contents, other.history)
        history.merge(other.history)
    }
}

extension ObservedRemoveSet {
    /// Adds elements; an addition wins over a removal that has not seen it.
    ///
    /// To be called by the actor's node for its own copy of the key, one call for a key at a time.
    ///
    /// - Parameters:
    ///   - elements: what is added; also what is there already, which then survives removals
    ///     under way.
    ///   - actor: who mints the dots.
    ///   - version: the stamp of the write.
    ///   - floor: as for `SiblingSet.put`.
    /// - Returns: what became of it.
    public func add(
        _ elements: [[UInt8]],
        actor: ActorID,
        version: Version,
        floor: UInt64 = 0
    ) -> DeltaOutcome<ObservedRemoveSet> {
        guard elements.allSatisfy({ $0.count <= ReplicatedLimits.elementSize }) else {
            return .invalid
        }
        let sorted = elements.sorted { compareBytes($0, $1) < 0 }
        var delta = delta(version)
        var known = history
        var replaced: [Dot] = []
        for (index, element) in sorted.enumerated()
        where index == 0 || sorted[index - 1] != element {
            guard let dot = known.next(of: actor, floor: floor) else { return .exhausted }
            if known.find(actor) == nil {
                // The numbers up to the floor are of a life of the key that was purged.
                delta.history.insert(upTo: dot)
                known.insert(upTo: dot)
            } else {
                delta.history.insert(dot)
                known.insert(dot)
            }
            replaced += contents.dots(of: element)
            delta.contents.elements.append(DottedElement(value: element, dots: [dot]))
        }
        delta.history.insert(replaced)
        return sorted.isEmpty ? .unchanged : .changed(delta)
    }

    /// Removes elements, as far as the context has seen them added.
    ///
    /// - Parameters:
    ///   - elements: what is removed.
    ///   - context: what the client has seen; `history` of the coordinator's merged state where
    ///     it brought none and means what is there now.
    ///   - version: the stamp of the write.
    /// - Returns: what became of it.
    public func remove(
        _ elements: [[UInt8]],
        seen context: DotCloud,
        version: Version
    ) -> DeltaOutcome<ObservedRemoveSet> {
        guard history.contains(context) else { return .behind }
        var delta = delta(version)
        delta.history.insert(
            elements.flatMap { contents.dots(of: $0) }.filter(context.contains)
        )
        return delta.history.isEmpty ? .unchanged : .changed(delta)
    }

    /// Removes all elements that the context has seen added: the deletion of the key.
    ///
    /// - Parameters:
    ///   - context: as for `remove`.
    ///   - version: the stamp of the write.
    /// - Returns: what became of it.
    public func removeAll(seen context: DotCloud, version: Version) -> DeltaOutcome<
        ObservedRemoveSet
    > {
        remove(elements, seen: context, version: version)
    }

    private func delta(_ version: Version) -> ObservedRemoveSet {
        var delta = ObservedRemoveSet()
        delta.newestVersion = max(newestVersion, version)
        return delta
    }
}

extension ObservedRemoveSet {
    /// Reads a state that fills `range`.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        newestVersion = try reader.version(in: bytes)
        history = try DotCloud(from: &reader, in: bytes)
        guard !history.isEmpty else { throw .invalid(field: "cloud", value: 0) }
        contents = try DottedElements(from: &reader, in: bytes, cloud: history)
        try reader.finish()
    }

    /// Reads a state that fills all of the bytes.
    ///
    /// - Throws: as the other.
    public init(decoding bytes: RawSpan) throws(CodingError) {
        try self.init(decoding: ByteRange(offset: 0, count: bytes.byteCount), of: bytes)
    }

    /// Appends the state, which must not be that of a key never written.
    public func encode(into writer: inout ByteWriter) {
        writer.version(newestVersion)
        history.encode(into: &writer)
        contents.encode(into: &writer, cloud: history)
    }
}
