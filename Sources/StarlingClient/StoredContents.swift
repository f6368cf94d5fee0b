internal import Causality
internal import ClientProtocol

/// What a key holds, in the terms of its keyspace's mode.
public enum StoredContents: Equatable, Sendable {
    /// Values: none where the key is absent, more than one only where siblings are kept.
    case values([StoredValue])
    /// The sum of a counter; 0 where the key is absent.
    case counter(Int64)
    /// The members of a set in the order of their bytes; none where the key is absent.
    case set([[UInt8]])
    /// The fields of a map in the order of their names, then kinds; none where the key is absent.
    case map([MapField])

    /// The values; none where the key holds something else.
    public var values: [StoredValue] {
        if case .values(let values) = self { return values }
        return []
    }

    /// The sum of a counter; 0 where the key holds something else.
    public var sum: Int64 {
        if case .counter(let sum) = self { return sum }
        return 0
    }

    /// The members of a set; none where the key holds something else.
    public var members: [[UInt8]] {
        if case .set(let members) = self { return members }
        return []
    }

    /// The fields of a map; none where the key holds something else.
    public var fields: [MapField] {
        if case .map(let fields) = self { return fields }
        return []
    }
}

/// A field of a map; fields of one name and different kinds are different fields.
public struct MapField: Equatable, Sendable {
    /// What a field can hold.
    public enum Kind: String, Sendable, CaseIterable, CustomStringConvertible {
        /// A value of which the later write counts.
        case register
        /// A sum.
        case counter
        /// A set in which an addition wins over a concurrent removal.
        case set
        /// A set in which of an addition and a removal the later counts.
        case lastWriterSet = "lww-set"

        /// The name in commands: `lww-set`.
        public var description: String { rawValue }
    }

    /// What a field holds.
    public enum Contents: Equatable, Sendable {
        /// A register's value.
        case register([UInt8])
        /// A counter's sum.
        case counter(Int64)
        /// A set's members, in the order of their bytes.
        case set([[UInt8]])
        /// A last-writer set's members, in the order of their bytes.
        case lastWriterSet([[UInt8]])
    }

    /// The field's name: 1 to 1,024 bytes.
    public let name: [UInt8]
    /// What it holds.
    public let contents: Contents

    /// A field of a name.
    public init(name: [UInt8], contents: Contents) {
        self.name = name
        self.contents = contents
    }

    /// What kind of field it is.
    public var kind: Kind {
        switch contents {
        case .register: .register
        case .counter: .counter
        case .set: .set
        case .lastWriterSet: .lastWriterSet
        }
    }
}

extension ClusterSnapshot {
    /// What a key holds, with the names of nodes.
    func named(_ contents: KeyContents) -> StoredContents {
        switch contents {
        case .values(let values): .values(values.map(named))
        case .counter(let sum): .counter(sum)
        case .set(let elements): .set(elements)
        case .map(let fields): .map(fields.map(MapField.init))
        }
    }
}

extension MapField {
    fileprivate init(_ entry: MapEntry) {
        let contents: Contents =
            switch entry.contents {
            case .register(let value): .register(value)
            case .counter(let sum): .counter(sum)
            case .set(let elements): .set(elements)
            case .lastWriterSet(let elements): .lastWriterSet(elements)
            }
        self.init(name: entry.name, contents: contents)
    }
}

extension MapField.Kind {
    /// The kind as nodes name it.
    var stored: MapFieldKind {
        switch self {
        case .register: .register
        case .counter: .counter
        case .set: .set
        case .lastWriterSet: .lastWriterSet
        }
    }
}
