package import ByteCoding
package import ClusterPrimitives

/// Asks a node for upkeep of its own store.
///
///     upkeep := kind: uint8, keyspace: text (empty: all)
package struct UpkeepRequest: Equatable, Sendable {
    /// The work.
    package var kind: StoreUpkeep
    /// The keyspace's name; nil for all.
    package var keyspace: String?

    /// A request for upkeep of a keyspace, or of all.
    package init(kind: StoreUpkeep, keyspace: String?) {
        self.kind = kind
        self.keyspace = keyspace
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let raw = try reader.uint8(in: bytes, "upkeep")
        guard let kind = StoreUpkeep(rawValue: raw) else {
            throw .invalid(field: "upkeep", value: UInt64(raw))
        }
        self.kind = kind
        let name = try reader.string(in: bytes, limit: 256, "keyspace name")
        keyspace = name.isEmpty ? nil : name
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(kind.rawValue)
        writer.string(keyspace ?? "")
    }
}
