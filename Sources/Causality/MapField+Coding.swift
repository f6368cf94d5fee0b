import ByteCoding

///     field    := kind: uint8, name: length as varint and bytes, contents
///     contents := writes: varint, at least 1, (dot, version (12 bytes), value: length as varint
///                 and bytes) × writes, ascending by dot                        a register
///               | cells: varint, at least 1, (dot, added: varint, taken: varint,
///                 resetAdded: varint, resetTaken: varint) × cells, by actor     a counter
///               | elements, at least 1                                          a set
///               | elements of a last-writer set                                 such a set
extension MapField {
    /// Reads the contents of a field whose dots are in `cloud`.
    init(
        _ kind: MapFieldKind,
        from reader: inout ByteReader,
        in bytes: RawSpan,
        cloud: DotCloud
    ) throws(CodingError) {
        switch kind {
        case .register:
            self = .register(try Self.register(&reader, bytes, cloud))
        case .counter:
            self = .counter(try Self.counter(&reader, bytes, cloud))
        case .set:
            let elements = try DottedElements(from: &reader, in: bytes, cloud: cloud)
            guard !elements.elements.isEmpty else { throw .invalid(field: "elements", value: 0) }
            self = .set(elements)
        case .lastWriterSet:
            self = .lastWriterSet(try LastWriterSet(from: &reader, in: bytes))
        }
    }

    private static func register(
        _ reader: inout ByteReader,
        _ bytes: RawSpan,
        _ cloud: DotCloud
    ) throws(CodingError) -> [RegisterWrite] {
        // A write has at least 15 bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 15, "writes")
        guard count > 0 else { throw .invalid(field: "writes", value: 0) }
        var writes: [RegisterWrite] = []
        writes.reserveCapacity(count)
        for _ in 0..<count {
            let dot = try reader.dot(in: bytes, cloud: cloud)
            if let last = writes.last, last.dot >= dot {
                throw .invalid(field: "order of writes", value: dot.counter)
            }
            let version = try reader.version(in: bytes)
            let value = try reader.shortPrefixed(
                in: bytes,
                limit: ReplicatedLimits.valueSize,
                "value"
            )
            writes.append(RegisterWrite(dot: dot, version: version, value: bytes.array(value)))
        }
        return writes
    }

    private static func counter(
        _ reader: inout ByteReader,
        _ bytes: RawSpan,
        _ cloud: DotCloud
    ) throws(CodingError) -> [CounterCell] {
        // A cell has at least six bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 6, "cells")
        guard count > 0 else { throw .invalid(field: "cells", value: 0) }
        var cells: [CounterCell] = []
        cells.reserveCapacity(count)
        for _ in 0..<count {
            let dot = try reader.dot(in: bytes, cloud: cloud)
            if let last = cells.last, last.dot.actor >= dot.actor {
                throw .invalid(field: "order of cells", value: dot.counter)
            }
            var totals = CounterState.Row(actor: dot.actor)
            totals.added = try reader.varint(in: bytes, "added")
            totals.taken = try reader.varint(in: bytes, "taken")
            totals.resetAdded = try reader.varint(in: bytes, "reset")
            totals.resetTaken = try reader.varint(in: bytes, "reset")
            guard totals.resetAdded <= totals.added, totals.resetTaken <= totals.taken else {
                throw .invalid(field: "reset", value: totals.resetAdded)
            }
            cells.append(CounterCell(dot: dot, totals: totals))
        }
        return cells
    }

    /// Appends the contents.
    func encode(into writer: inout ByteWriter, cloud: DotCloud) {
        switch self {
        case .register(let writes):
            writer.varint(UInt64(writes.count))
            for write in writes {
                writer.dot(write.dot, cloud: cloud)
                writer.version(write.version)
                writer.varint(UInt64(write.value.count))
                writer.raw(write.value)
            }
        case .counter(let cells):
            writer.varint(UInt64(cells.count))
            for cell in cells {
                writer.dot(cell.dot, cloud: cloud)
                writer.varint(cell.totals.added)
                writer.varint(cell.totals.taken)
                writer.varint(cell.totals.resetAdded)
                writer.varint(cell.totals.resetTaken)
            }
        case .set(let elements):
            elements.encode(into: &writer, cloud: cloud)
        case .lastWriterSet(let set):
            set.encode(into: &writer)
        }
    }
}
