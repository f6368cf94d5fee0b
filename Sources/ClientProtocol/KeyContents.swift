package import ByteCoding
import Causality
import ClusterPrimitives

/// What the keys of a keyspace hold, as the verbs of a client name it.
package enum DataKind: UInt8, Sendable {
    // On the wire: never renumber.
    /// Bytes: put, get.
    case value = 1
    /// A sum.
    case counter = 2
    /// Elements.
    case set = 3
    /// Fields.
    case map = 4
}

/// What a field of a map holds for a reader.
///
///     field := name: bytes, kind: uint8, then bytes of a register, sum: uint64 of a counter,
///              count: uint32 and element: bytes × count of a set
package struct MapEntry: Equatable, Sendable {
    /// The contents of a field.
    package enum Contents: Equatable, Sendable {
        /// A register's value.
        case register([UInt8])
        /// A counter's sum.
        case counter(Int64)
        /// An add-wins set's elements, ascending.
        case set([[UInt8]])
        /// A last-writer set's elements, ascending.
        case lastWriterSet([[UInt8]])
    }

    /// The field's name.
    package var name: [UInt8]
    /// What it holds.
    package var contents: Contents

    /// A field with its contents.
    package init(name: [UInt8], contents: Contents) {
        self.name = name
        self.contents = contents
    }
}

/// What a key holds for a reader.
///
///     contents := kind: uint8, then
///         value:   count: uint32, value × count
///         counter: sum: uint64, two's complement
///         set:     count: uint32, element: bytes × count, ascending
///         map:     count: uint32, field × count, ascending by name, then kind
package enum KeyContents: Equatable, Sendable {
    /// Values; more than one only where siblings are kept, none where the key is absent.
    case values([VersionedValue])
    /// A counter's sum; 0 where the key is absent.
    case counter(Int64)
    /// A set's elements, ascending; none where the key is absent.
    case set([[UInt8]])
    /// A map's fields; none where the key is absent.
    case map([MapEntry])

    /// The values; none where something else is held.
    package var values: [VersionedValue] {
        if case .values(let values) = self { return values }
        return []
    }

    /// Bytes of all that it holds, without what surrounds it on the wire.
    package var size: Int {
        func sum(_ elements: [[UInt8]]) -> Int { elements.reduce(0) { $0 + $1.count + 4 } }
        return switch self {
        case .values(let values): values.reduce(0) { $0 + $1.bytes.count + 24 }
        case .counter: 8
        case .set(let elements): sum(elements)
        case .map(let fields):
            fields.reduce(0) { total, field in
                let contents =
                    switch field.contents {
                    case .register(let value): value.count
                    case .counter: 8
                    case .set(let elements), .lastWriterSet(let elements): sum(elements)
                    }
                return total + field.name.count + contents + 9
            }
        }
    }

    /// The same where only keys were asked for: values keep their versions, and that is all.
    package var withoutContents: KeyContents {
        switch self {
        case .values(let values):
            .values(
                values.map { VersionedValue(version: $0.version, expiry: $0.expiry, bytes: []) }
            )
        case .counter: .counter(0)
        case .set: .set([])
        case .map: .map([])
        }
    }

    /// Reads contents.
    package init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        let raw = try reader.uint8(in: bytes, "kind of contents")
        guard let kind = DataKind(rawValue: raw) else {
            throw .invalid(field: "kind of contents", value: UInt64(raw))
        }
        switch kind {
        case .value:
            var values: [VersionedValue] = []
            for _ in 0..<(try reader.count(in: bytes, limit: 1024, "values")) {
                values.append(try VersionedValue(from: &reader, in: bytes))
            }
            self = .values(values)
        case .counter:
            self = .counter(Int64(bitPattern: try reader.uint64(in: bytes, "sum")))
        case .set:
            self = .set(try reader.elements(in: bytes))
        case .map:
            var fields: [MapEntry] = []
            let limit = reader.remaining / 9
            for _ in 0..<(try reader.count(in: bytes, limit: limit, "fields")) {
                fields.append(try MapEntry(from: &reader, in: bytes))
            }
            self = .map(fields)
        }
    }

    /// Appends the contents.
    package func encode(into writer: inout ByteWriter) {
        switch self {
        case .values(let values):
            writer.uint8(DataKind.value.rawValue)
            writer.uint32(UInt32(values.count))
            for value in values { value.encode(into: &writer) }
        case .counter(let sum):
            writer.uint8(DataKind.counter.rawValue)
            writer.uint64(UInt64(bitPattern: sum))
        case .set(let elements):
            writer.uint8(DataKind.set.rawValue)
            writer.elements(elements)
        case .map(let fields):
            writer.uint8(DataKind.map.rawValue)
            writer.uint32(UInt32(fields.count))
            for field in fields { field.encode(into: &writer) }
        }
    }
}

extension MapEntry {
    /// Reads a field.
    init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        name = bytes.array(
            try reader.prefixed(in: bytes, limit: ReplicatedLimits.nameSize.upperBound, "field")
        )
        switch try reader.mapFieldKind(in: bytes) {
        case .register:
            contents = .register(
                bytes.array(
                    try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "register")
                )
            )
        case .counter:
            contents = .counter(Int64(bitPattern: try reader.uint64(in: bytes, "sum")))
        case .set:
            contents = .set(try reader.elements(in: bytes))
        case .lastWriterSet:
            contents = .lastWriterSet(try reader.elements(in: bytes))
        }
    }

    /// Appends the field.
    func encode(into writer: inout ByteWriter) {
        writer.prefixed(name)
        switch contents {
        case .register(let value):
            writer.uint8(MapFieldKind.register.rawValue)
            writer.prefixed(value)
        case .counter(let sum):
            writer.uint8(MapFieldKind.counter.rawValue)
            writer.uint64(UInt64(bitPattern: sum))
        case .set(let elements):
            writer.uint8(MapFieldKind.set.rawValue)
            writer.elements(elements)
        case .lastWriterSet(let elements):
            writer.uint8(MapFieldKind.lastWriterSet.rawValue)
            writer.elements(elements)
        }
    }
}

extension VersionedValue {
    /// Reads a value.
    init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        version = try reader.version(in: bytes)
        expiry = try reader.expiry(in: bytes)
        self.bytes = bytes.array(
            try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "value")
        )
    }

    /// Appends the value.
    func encode(into writer: inout ByteWriter) {
        writer.version(version)
        writer.uint64(expiry?.milliseconds ?? 0)
        writer.prefixed(bytes)
    }
}

extension ByteReader {
    /// A count and as many elements.
    mutating func elements(
        in bytes: RawSpan,
        limit: Int = .max
    ) throws(CodingError) -> [[UInt8]] {
        var elements: [[UInt8]] = []
        for _ in 0..<(try count(in: bytes, limit: min(limit, remaining / 4), "elements")) {
            let range = try prefixed(in: bytes, limit: ReplicatedLimits.elementSize, "element")
            elements.append(bytes.array(range))
        }
        return elements
    }

    /// The kind of a map's field.
    mutating func mapFieldKind(in bytes: RawSpan) throws(CodingError) -> MapFieldKind {
        let raw = try uint8(in: bytes, "kind of field")
        guard let kind = MapFieldKind(rawValue: raw) else {
            throw .invalid(field: "kind of field", value: UInt64(raw))
        }
        return kind
    }
}

extension ByteWriter {
    /// Appends a count and elements.
    mutating func elements(_ elements: [[UInt8]]) {
        uint32(UInt32(elements.count))
        for element in elements { prefixed(element) }
    }
}
