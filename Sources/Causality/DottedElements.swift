import ByteCoding

/// An element of an add-wins set, and the dots of the additions that no removal has seen.
struct DottedElement: Equatable, Sendable {
    var value: [UInt8]
    /// Ascending, at least one.
    var dots: [Dot]
}

/// The elements of an add-wins set without the history that belongs to them.
///
///     elements := count: varint, element × count, ascending by value
///     element  := value: length as varint and bytes, dots: varint, at least 1, dot × dots
///     dot      := actor: varint, its place in the cloud, counter: varint
///
/// Dots ascend, and each is in the cloud.
struct DottedElements: Equatable, Sendable {
    /// Ascending by value.
    var elements: [DottedElement] = []

    /// The additions of an element that are known.
    func dots(of value: [UInt8]) -> [Dot] {
        let index = position(of: value)
        guard index < elements.count, elements[index].value == value else { return [] }
        return elements[index].dots
    }

    /// Whether the element is in the set.
    func contains(_ value: [UInt8]) -> Bool { !dots(of: value).isEmpty }

    /// Joins with another list; each comes with its history.
    ///
    /// An addition stays if both have it, or if the one that lacks it has not heard of it.
    func joined(
        _ cloud: DotCloud,
        _ other: DottedElements,
        _ otherCloud: DotCloud
    ) -> DottedElements {
        let joined = joinAscending(
            elements,
            other.elements,
            by: { compareBytes($0.value, $1.value) },
            { mine, theirs in
                let dots = joinDots(mine?.dots ?? [], cloud, theirs?.dots ?? [], otherCloud)
                guard !dots.isEmpty, let value = mine?.value ?? theirs?.value else { return nil }
                return DottedElement(value: value, dots: dots)
            }
        )
        return DottedElements(elements: joined)
    }

    private func position(of value: [UInt8]) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if compareBytes(elements[middle].value, value) < 0 {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

/// The dots that two lists leave: those in both, and those of which the other has not heard.
func joinDots(
    _ left: [Dot],
    _ leftCloud: DotCloud,
    _ right: [Dot],
    _ rightCloud: DotCloud
) -> [Dot] {
    if left == right { return left }
    return joinAscending(left, right, by: { $0 == $1 ? 0 : $0 < $1 ? -1 : 1 }) { mine, theirs in
        switch (mine, theirs) {
        case (let dot?, nil): rightCloud.contains(dot) ? nil : dot
        case (nil, let dot?): leftCloud.contains(dot) ? nil : dot
        case (let dot, _): dot
        }
    }
}

extension DottedElements {
    /// Reads elements whose dots are in `cloud`.
    init(
        from reader: inout ByteReader,
        in bytes: RawSpan,
        cloud: DotCloud
    ) throws(CodingError) {
        // An element has at least four bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 4, "elements")
        elements.reserveCapacity(count)
        for _ in 0..<count {
            let range = try reader.shortPrefixed(
                in: bytes,
                limit: ReplicatedLimits.elementSize,
                "element"
            )
            let value = bytes.array(range)
            if let last = elements.last, compareBytes(last.value, value) >= 0 {
                throw .invalid(field: "order of elements", value: UInt64(range.count))
            }
            let dotCount = try reader.shortCount(
                in: bytes,
                limit: reader.remaining / 2,
                "dots"
            )
            guard dotCount > 0 else { throw .invalid(field: "dots", value: 0) }
            var dots: [Dot] = []
            dots.reserveCapacity(dotCount)
            for _ in 0..<dotCount {
                let dot = try reader.dot(in: bytes, cloud: cloud)
                if let last = dots.last, last >= dot {
                    throw .invalid(field: "order of dots", value: dot.counter)
                }
                dots.append(dot)
            }
            elements.append(DottedElement(value: value, dots: dots))
        }
    }

    /// Appends the elements.
    func encode(into writer: inout ByteWriter, cloud: DotCloud) {
        writer.varint(UInt64(elements.count))
        for element in elements {
            writer.varint(UInt64(element.value.count))
            writer.raw(element.value)
            writer.varint(UInt64(element.dots.count))
            for dot in element.dots { writer.dot(dot, cloud: cloud) }
        }
    }
}

extension ByteReader {
    /// Reads a dot that is in `cloud`.
    mutating func dot(in bytes: RawSpan, cloud: DotCloud) throws(CodingError) -> Dot {
        let place = try varint(in: bytes, "dot")
        let counter = try varint(in: bytes, "dot")
        guard place < UInt64(cloud.entries.count) else {
            throw .invalid(field: "dot's actor", value: place)
        }
        let entry = cloud.entries[Int(place)]
        guard counter > 0, entry.contains(counter) else {
            throw .invalid(field: "dot", value: counter)
        }
        return Dot(actor: entry.actor, counter: counter)
    }
}

extension ByteWriter {
    /// Appends a dot that is in `cloud`.
    mutating func dot(_ dot: Dot, cloud: DotCloud) {
        varint(UInt64(cloud.find(dot.actor) ?? 0))
        varint(dot.counter)
    }
}
