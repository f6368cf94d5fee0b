package import ByteCoding
package import Causality
package import ClusterPrimitives

/// Asks to change a counter, a set or a map; answered by `written`.
///
///     update := keyspace: uint32, level: uint8 (0 = the keyspace's), timeout: uint32 ms,
///               key: bytes, context: bytes, change
///     change := operation: uint8, then
///         1 increment:    amount: uint64, two's complement, id: bytes
///         2 add:          count: uint32, element: bytes × count
///         3 remove:       as add
///         4 change field: name: bytes, field change: uint8, then
///             1 write a register: bytes      2 increment: uint64
///             3, 4 add to, remove from a set 5, 6 the same of a last-writer set: as add
///         5 remove field: name: bytes, kind: uint8
package struct UpdateRequest: Equatable, Sendable {
    /// What is done.
    package enum Change: Equatable, Sendable {
        /// Counts an amount; once for an id that is not empty.
        case increment(Int64, id: [UInt8])
        /// Adds elements to a set.
        case add([[UInt8]])
        /// Removes elements from a set, as far as the context has seen them.
        case remove([[UInt8]])
        /// Changes a field of a map.
        case change(field: [UInt8], MapUpdate)
        /// Removes a field of a map, as far as the context has seen it.
        case removeField(MapFieldName)

        /// What a keyspace must hold for it.
        package var kind: DataKind {
            switch self {
            case .increment: .counter
            case .add, .remove: .set
            case .change, .removeField: .map
            }
        }
    }

    /// The most elements of one request: 10,000.
    ///
    /// Each costs memory beside its bytes.
    package static let maximumElements = 10_000

    /// The keyspace's number.
    package var keyspace: KeyspaceNumber
    /// Nil stands for the keyspace's write level.
    package var level: ConsistencyLevel?
    /// Milliseconds until the coordinator gives up.
    package var timeout: UInt32
    /// The key, in the bytes that were decoded.
    package var key: ByteRange
    /// The context of the read this update follows; empty for none.
    package var context: ByteRange
    /// What is done.
    package var change: Change

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        level = try reader.level(in: bytes)
        timeout = try reader.uint32(in: bytes, "timeout")
        key = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "key")
        context = try reader.prefixed(in: bytes, limit: CausalContext.maximumSize, "context")
        let operation = try reader.uint8(in: bytes, "operation")
        switch operation {
        case 1:
            let amount = Int64(bitPattern: try reader.uint64(in: bytes, "amount"))
            let id = try reader.prefixed(in: bytes, limit: Limits.keySize.upperBound, "id")
            change = .increment(amount, id: bytes.array(id))
        case 2: change = .add(try reader.elements(in: bytes, limit: Self.maximumElements))
        case 3: change = .remove(try reader.elements(in: bytes, limit: Self.maximumElements))
        case 4:
            let name = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "field")
            change = .change(field: bytes.array(name), try reader.mapUpdate(in: bytes))
        case 5:
            let name = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "field")
            change = .removeField(
                MapFieldName(bytes.array(name), try reader.mapFieldKind(in: bytes))
            )
        default:
            throw .invalid(field: "operation", value: UInt64(operation))
        }
        try reader.finish()
    }

    /// Appends a body.
    package static func encode(
        keyspace: KeyspaceNumber,
        level: ConsistencyLevel?,
        timeout: UInt32,
        key: [UInt8],
        context: [UInt8],
        change: Change,
        into writer: inout ByteWriter
    ) {
        writer.uint32(keyspace.rawValue)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint32(timeout)
        writer.prefixed(key)
        writer.prefixed(context)
        switch change {
        case .increment(let amount, let id):
            writer.uint8(1)
            writer.uint64(UInt64(bitPattern: amount))
            writer.prefixed(id)
        case .add(let elements):
            writer.uint8(2)
            writer.elements(elements)
        case .remove(let elements):
            writer.uint8(3)
            writer.elements(elements)
        case .change(let field, let update):
            writer.uint8(4)
            writer.prefixed(field)
            writer.mapUpdate(update)
        case .removeField(let field):
            writer.uint8(5)
            writer.prefixed(field.name)
            writer.uint8(field.kind.rawValue)
        }
    }
}

extension ByteReader {
    fileprivate mutating func mapUpdate(in bytes: RawSpan) throws(CodingError) -> MapUpdate {
        let raw = try uint8(in: bytes, "field change")
        let limit = UpdateRequest.maximumElements
        switch raw {
        case 1:
            let value = try prefixed(in: bytes, limit: Frame.maximumBodySize, "register")
            return .write(bytes.array(value))
        case 2: return .increment(Int64(bitPattern: try uint64(in: bytes, "amount")))
        case 3: return .add(try elements(in: bytes, limit: limit))
        case 4: return .remove(try elements(in: bytes, limit: limit))
        case 5: return .stampAdded(try elements(in: bytes, limit: limit))
        case 6: return .stampRemoved(try elements(in: bytes, limit: limit))
        default: throw .invalid(field: "field change", value: UInt64(raw))
        }
    }
}

extension ByteWriter {
    fileprivate mutating func mapUpdate(_ update: MapUpdate) {
        switch update {
        case .write(let value):
            uint8(1)
            prefixed(value)
        case .increment(let amount):
            uint8(2)
            uint64(UInt64(bitPattern: amount))
        case .add(let added):
            uint8(3)
            elements(added)
        case .remove(let removed):
            uint8(4)
            elements(removed)
        case .stampAdded(let added):
            uint8(5)
            elements(added)
        case .stampRemoved(let removed):
            uint8(6)
            elements(removed)
        }
    }
}
