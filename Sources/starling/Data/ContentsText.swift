import StarlingClient

extension StoredContents {
    /// What scripts and people see: a value, a sum, or a member for each line; a field as name,
    /// kind and value between tabs, on a line for each member of a set.
    var lines: [[UInt8]] {
        switch self {
        case .values(let values): values.map(\.bytes)
        case .counter(let sum): [Array(String(sum).utf8)]
        case .set(let members): members
        case .map(let fields): fields.flatMap(\.lines)
        }
    }

    /// The members of a JSON object that say what a key holds: `values`, `value`, `members` or
    /// `fields`.
    var json: [JSONValue.Member] {
        switch self {
        case .values(let values): [("values", .values(values))]
        case .counter(let sum): [("value", .integer(Int(sum)))]
        case .set(let members): [("members", .members(members))]
        case .map(let fields): [("fields", .array(fields.map(\.json)))]
        }
    }

    /// What a keyspace of such keys is full of: `counters`.
    var plural: String {
        switch self {
        case .values: "values"
        case .counter: "counters"
        case .set: "sets"
        case .map: "maps"
        }
    }
}

extension MapField {
    fileprivate var lines: [[UInt8]] {
        let values: [[UInt8]] =
            switch contents {
            case .register(let value): [value]
            case .counter(let sum): [Array(String(sum).utf8)]
            case .set(let members), .lastWriterSet(let members): members
            }
        return values.map { name + Array("\t\(kind)\t".utf8) + $0 }
    }

    fileprivate var json: JSONValue {
        let value: JSONValue =
            switch contents {
            case .register(let value): .bytes(value)
            case .counter(let sum): .integer(Int(sum))
            case .set(let members), .lastWriterSet(let members): .members(members)
            }
        return .object([
            ("field", .bytes(name)), ("kind", .string(kind.description)), ("value", value),
        ])
    }
}

extension JSONValue {
    /// Values with their versions.
    static func values(_ values: [StoredValue]) -> JSONValue {
        .array(
            values.map {
                .object([
                    ("value", .bytes($0.bytes)),
                    ("version", .string($0.version.description)),
                    ("expires_at", .optional($0.expiry?.description)),
                ])
            }
        )
    }

    /// Members of a set.
    static func members(_ members: [[UInt8]]) -> JSONValue {
        .array(members.map(JSONValue.bytes))
    }
}
