public import ByteCoding

/// The name of a field of a map: fields of one name and different kinds are different fields.
public struct MapFieldName: Hashable, Sendable {
    /// 1 to 1,024 bytes.
    public var name: [UInt8]
    /// What it holds.
    public var kind: MapFieldKind

    /// The field of this name and kind.
    public init(_ name: [UInt8], _ kind: MapFieldKind) {
        self.name = name
        self.kind = kind
    }

    /// The order that encodings keep: by name, then kind.
    static func compare(_ left: MapFieldName, _ right: MapFieldName) -> Int {
        let order = compareBytes(left.name, right.name)
        return order == 0 ? Int(left.kind.rawValue) - Int(right.kind.rawValue) : order
    }
}

/// What a replica keeps for a key of a map keyspace: fields that are joined one by one.
///
/// There is one history, the map's, and the dots of all fields are in it (the "parent clock" of
/// Riak's maps), so one context speaks of them all. A field is there while something is in it: a
/// register that was written, a counter that was moved, a set with an element. Removing a field
/// removes what the context has seen of its contents, and no more: an update that the removal has
/// not seen keeps the field, without the part that was seen.
///
/// A counter's actor adds to one cell. A removal that has seen the cell's latest increment resets
/// the cell's totals as they were then, so that a concurrent increment keeps its own amount only;
/// one that has not seen it, because the client read before it, leaves the cell whole. Increments
/// of fields have no operation ids. A cell that was ever made stays (an actor that began again
/// would hide behind its old totals), so a map that has had a counter is never purged; the stamps
/// of last-writer sets stay until the map is purged.
///
/// Deleting the key is removing all its fields.
///
///     state := newest: version (12 bytes), cloud, fields: varint, field × fields,
///              ascending by name, then kind
///
/// The cloud is empty only in a map that has nothing but last-writer sets.
public struct MapState: Equatable, Sendable {
    struct Field: Equatable, Sendable {
        var key: MapFieldName
        var contents: MapField
    }

    /// The greatest version of a write in the state.
    public internal(set) var newestVersion: Version = .zero
    /// All events that the state has heard of: a reader's context.
    public internal(set) var history = DotCloud()
    /// Ascending; none is empty.
    var all: [Field] = []

    /// The state of a key that was never written; it has no encoding.
    public init() {}

    /// The fields that a reader sees, ascending by name, then kind.
    public var fields: [MapFieldName] {
        all.filter { !$0.contents.isAbsent }.map(\.key)
    }

    /// Whether there are none.
    public var isAbsent: Bool { all.allSatisfy { $0.contents.isAbsent } }

    /// Whether it may be purged once the horizon has reached `newestVersion`.
    public var isDroppable: Bool { isAbsent && all.allSatisfy { $0.key.kind != .counter } }

    /// The value of a register; nil where it was not written, or removed.
    public func register(_ name: [UInt8]) -> [UInt8]? {
        guard case .register(let writes)? = contents(MapFieldName(name, .register)),
            let first = writes.first
        else { return nil }
        return writes.reduce(first) { $0.greater($1) }.value
    }

    /// The sum of a counter, kept within 64 bits; nil where the field is not there.
    public func counter(_ name: [UInt8]) -> Int64? {
        guard let field = contents(MapFieldName(name, .counter)), !field.isAbsent,
            case .counter(let cells) = field
        else { return nil }
        var sum: Int128 = 0
        for cell in cells {
            sum += Int128(cell.totals.added - cell.totals.resetAdded)
            sum -= Int128(cell.totals.taken - cell.totals.resetTaken)
        }
        return Int64(clamping: sum)
    }

    /// The elements of a set, ascending; none where the field is not there.
    public func set(_ name: [UInt8]) -> [[UInt8]] {
        guard case .set(let elements)? = contents(MapFieldName(name, .set)) else { return [] }
        return elements.elements.map(\.value)
    }

    /// The elements of a last-writer set, ascending; none where the field is not there.
    public func lastWriterSet(_ name: [UInt8]) -> [[UInt8]] {
        guard case .lastWriterSet(let set)? = contents(MapFieldName(name, .lastWriterSet)) else {
            return []
        }
        return set.elements
    }

    /// Takes in another state, or a delta.
    public mutating func merge(_ other: MapState) {
        newestVersion = max(newestVersion, other.newestVersion)
        let (mine, theirs) = (history, other.history)
        all = joinAscending(all, other.all, by: { MapFieldName.compare($0.key, $1.key) }) {
            guard let key = $0?.key ?? $1?.key else { return nil }
            // Also a field that one side lacks is joined: what it held may have been removed.
            let one = $0?.contents ?? .empty(key.kind)
            let two = $1?.contents ?? .empty(key.kind)
            let joined = one.joined(mine, two, theirs)
            return joined.isEmpty ? nil : Field(key: key, contents: joined)
        }
        history.merge(other.history)
    }

    /// What is kept of a field.
    func contents(_ key: MapFieldName) -> MapField? {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            let order = MapFieldName.compare(all[middle].key, key)
            if order == 0 { return all[middle].contents }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}

extension MapState {
    /// Reads a state that fills `range`.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        newestVersion = try reader.version(in: bytes)
        history = try DotCloud(from: &reader, in: bytes)
        // A field has at least six bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 6, "fields")
        guard count > 0 || !history.isEmpty else { throw .invalid(field: "cloud", value: 0) }
        all.reserveCapacity(count)
        for _ in 0..<count {
            let raw = try reader.uint8(in: bytes, "field kind")
            guard let kind = MapFieldKind(rawValue: raw) else {
                throw .invalid(field: "field kind", value: UInt64(raw))
            }
            let name = try reader.shortPrefixed(
                in: bytes,
                limit: ReplicatedLimits.nameSize.upperBound,
                "field name"
            )
            guard name.count > 0 else { throw .invalid(field: "field name", value: 0) }
            let key = MapFieldName(bytes.array(name), kind)
            if let last = all.last, MapFieldName.compare(last.key, key) >= 0 {
                throw .invalid(field: "order of fields", value: UInt64(raw))
            }
            let contents = try MapField(kind, from: &reader, in: bytes, cloud: history)
            all.append(Field(key: key, contents: contents))
        }
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
        writer.varint(UInt64(all.count))
        for field in all {
            writer.uint8(field.key.kind.rawValue)
            writer.varint(UInt64(field.key.name.count))
            writer.raw(field.key.name)
            field.contents.encode(into: &writer, cloud: history)
        }
    }
}
