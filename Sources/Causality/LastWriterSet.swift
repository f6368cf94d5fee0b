public import ByteCoding

/// A set in which of an element's addition and removal the later stamp counts.
///
/// At equal stamps the removal counts. Removals stay as stamps, like tombstones. It needs no
/// history and no context, and a write wins or loses by its clock alone: the add-wins set is the
/// better choice where that matters. Deleting the key removes all elements that are there.
///
///     state    := elements, at least 1
///     elements := count: varint, element × count, ascending by value
///     element  := value: length as varint and bytes, added: version (12 bytes), removed: version
///
/// A stamp of zero says that it never happened; one of the two did.
public struct LastWriterSet: Equatable, Sendable {
    /// An element and its stamps.
    struct Element: Equatable, Sendable {
        var value: [UInt8]
        var added: Version
        var removed: Version

        var isPresent: Bool { added > removed }
    }

    /// Ascending by value.
    private(set) var all: [Element] = []

    /// The state of a key that was never written; it has no encoding.
    public init() {}

    /// The elements that are present, ascending.
    public var elements: [[UInt8]] { all.filter(\.isPresent).map(\.value) }
    /// How many are present.
    public var count: Int { all.count { $0.isPresent } }
    /// Whether none is.
    public var isAbsent: Bool { !all.contains { $0.isPresent } }
    /// The greatest stamp in the state.
    public var newestVersion: Version {
        all.reduce(.zero) { max($0, $1.added, $1.removed) }
    }

    /// Whether the element is present.
    public func contains(_ element: [UInt8]) -> Bool {
        all.contains { $0.value == element && $0.isPresent }
    }

    /// Takes in another state, or a delta.
    public mutating func merge(_ other: LastWriterSet) {
        all = joinAscending(all, other.all, by: { compareBytes($0.value, $1.value) }) {
            guard let one = $0, let two = $1 else { return $0 ?? $1 }
            return Element(
                value: one.value,
                added: max(one.added, two.added),
                removed: max(one.removed, two.removed)
            )
        }
    }

    /// The delta that adds elements at a stamp above zero; nil where one is too long.
    public static func adding(_ elements: [[UInt8]], version: Version) -> LastWriterSet? {
        stamping(elements) { Element(value: $0, added: version, removed: .zero) }
    }

    /// The delta that removes elements at a stamp above zero; nil where one is too long.
    public static func removing(_ elements: [[UInt8]], version: Version) -> LastWriterSet? {
        stamping(elements) { Element(value: $0, added: .zero, removed: version) }
    }

    private static func stamping(
        _ elements: [[UInt8]],
        _ stamp: ([UInt8]) -> Element
    ) -> LastWriterSet? {
        guard elements.allSatisfy({ $0.count <= ReplicatedLimits.elementSize }) else { return nil }
        var result = LastWriterSet()
        for value in elements.sorted(by: { compareBytes($0, $1) < 0 })
        where result.all.last?.value != value {
            result.all.append(stamp(value))
        }
        return result
    }
}

extension LastWriterSet {
    /// Reads a state that fills `range`.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        try self.init(from: &reader, in: bytes)
        try reader.finish()
    }

    /// Reads a state that fills all of the bytes.
    ///
    /// - Throws: as the other.
    public init(decoding bytes: RawSpan) throws(CodingError) {
        try self.init(decoding: ByteRange(offset: 0, count: bytes.byteCount), of: bytes)
    }

    init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        // An element has at least 25 bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 25, "elements")
        guard count > 0 else { throw .invalid(field: "elements", value: 0) }
        all.reserveCapacity(count)
        for _ in 0..<count {
            let range = try reader.shortPrefixed(
                in: bytes,
                limit: ReplicatedLimits.elementSize,
                "element"
            )
            let element = Element(
                value: bytes.array(range),
                added: try reader.version(in: bytes),
                removed: try reader.version(in: bytes)
            )
            guard element.added != .zero || element.removed != .zero else {
                throw .invalid(field: "stamps", value: 0)
            }
            if let last = all.last, compareBytes(last.value, element.value) >= 0 {
                throw .invalid(field: "order of elements", value: UInt64(range.count))
            }
            all.append(element)
        }
    }

    /// Appends the state, which must not be that of a key never written.
    public func encode(into writer: inout ByteWriter) {
        writer.varint(UInt64(all.count))
        for element in all {
            writer.varint(UInt64(element.value.count))
            writer.raw(element.value)
            writer.version(element.added)
            writer.version(element.removed)
        }
    }
}
