public import ByteCoding
import ClusterPrimitives

extension CounterState {
    /// Reads a state that fills `range`.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        newestVersion = try reader.version(in: bytes)
        rows = []
        // A row has at least 22 bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 22, "rows")
        guard count > 0 else { throw .invalid(field: "rows", value: 0) }
        rows.reserveCapacity(count)
        for _ in 0..<count {
            let row = try Self.row(&reader, bytes)
            if let last = rows.last, last.actor >= row.actor {
                throw .invalid(field: "order of rows", value: row.actor.high)
            }
            rows.append(row)
        }
        try reader.finish()
        if voidDuplicates() { throw .invalid(field: "operation id", value: 0) }
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
        writer.varint(UInt64(rows.count))
        for row in rows {
            writer.actorID(row.actor)
            row.encodeTotals(into: &writer)
            writer.varint(UInt64(row.entries.count))
            var previous = row.folded
            for entry in row.entries {
                writer.varint(entry.number - previous - 1)
                previous = entry.number
                writer.uint8(entry.kind.rawValue)
                writer.uint64(entry.timestamp.rawValue)
                writer.varint(UInt64(entry.id.count))
                writer.raw(entry.id)
                writer.varint(UInt64(bitPattern: entry.amount << 1 ^ entry.amount >> 63))
            }
        }
    }

    private static func row(
        _ reader: inout ByteReader,
        _ bytes: RawSpan
    ) throws(CodingError) -> Row {
        var row = Row(actor: try reader.actorID(in: bytes))
        try row.decodeTotals(&reader, bytes)
        // An entry has at least 13 bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 13, "entries")
        guard count > 0 || row.folded > 0 || row.added > 0 || row.taken > 0 else {
            throw .invalid(field: "row", value: 0)
        }
        row.entries.reserveCapacity(count)
        for _ in 0..<count {
            row.entries.append(try entry(after: row.last, &reader, bytes))
        }
        return row
    }

    private static func entry(
        after previous: UInt64,
        _ reader: inout ByteReader,
        _ bytes: RawSpan
    ) throws(CodingError) -> Entry {
        let gap = try reader.varint(in: bytes, "entry")
        guard previous < Dot.maximumCounter, gap < Dot.maximumCounter - previous else {
            throw .invalid(field: "entry", value: gap)
        }
        let number = previous + 1 + gap
        let raw = try reader.uint8(in: bytes, "entry kind")
        guard let kind = Kind(rawValue: raw) else {
            throw .invalid(field: "entry kind", value: UInt64(raw))
        }
        let timestamp = HybridTimestamp(rawValue: try reader.uint64(in: bytes, "entry"))
        let id = try reader.shortPrefixed(
            in: bytes,
            limit: idSize.upperBound,
            "operation id"
        )
        guard id.count > 0 else { throw .invalid(field: "operation id", value: 0) }
        let zigzag = try reader.varint(in: bytes, "amount")
        return Entry(
            number: number,
            kind: kind,
            timestamp: timestamp,
            id: bytes.array(id),
            amount: Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
        )
    }
}

extension CounterState.Row {
    /// Appends what precedes the entries, but for the actor.
    func encodeTotals(into writer: inout ByteWriter) {
        writer.varint(folded)
        writer.varint(added)
        writer.varint(taken)
        writer.varint(resetAdded)
        writer.varint(resetTaken)
    }

    /// Reads what precedes the entries, but for the actor.
    mutating func decodeTotals(
        _ reader: inout ByteReader,
        _ bytes: RawSpan
    ) throws(CodingError) {
        folded = try reader.varint(in: bytes, "folded")
        guard folded <= Dot.maximumCounter else { throw .invalid(field: "folded", value: folded) }
        added = try reader.varint(in: bytes, "added")
        taken = try reader.varint(in: bytes, "taken")
        resetAdded = try reader.varint(in: bytes, "reset")
        resetTaken = try reader.varint(in: bytes, "reset")
        guard resetAdded <= added, resetTaken <= taken else {
            throw .invalid(field: "reset", value: resetAdded)
        }
    }
}
