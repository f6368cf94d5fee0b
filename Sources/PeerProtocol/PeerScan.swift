package import ByteCoding
package import ClusterPrimitives
package import Replication

/// Asks a replica for the records of a token range.
///
///     scan := keyspace: uint32, from: uint64, hasKey: uint8, after: bytes, through: uint64,
///             entries: uint32, size: uint32, prefix: bytes
package struct PeerScan: Equatable, Sendable {
    /// The keyspace.
    package var keyspace: KeyspaceNumber
    /// The range and its bounds.
    package var scan: ReplicaScan

    /// A scan of a keyspace.
    package init(keyspace: KeyspaceNumber, scan: ReplicaScan) {
        self.keyspace = keyspace
        self.scan = scan
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        let keyLimit = Limits.keySize.upperBound
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        let from = try reader.uint64(in: bytes, "token")
        let flag = try reader.uint8(in: bytes, "cursor")
        guard flag <= 1 else { throw .invalid(field: "cursor", value: UInt64(flag)) }
        let after = bytes.array(try reader.prefixed(in: bytes, limit: keyLimit, "cursor key"))
        guard flag == 1 || after.isEmpty else { throw .invalid(field: "cursor", value: 0) }
        scan = ReplicaScan(
            fromToken: from,
            after: flag == 1 ? after : nil,
            throughToken: try reader.uint64(in: bytes, "token"),
            maximumEntries: try reader.uint32(in: bytes, "entries"),
            maximumSize: try reader.uint32(in: bytes, "size"),
            prefix: bytes.array(try reader.prefixed(in: bytes, limit: keyLimit, "prefix"))
        )
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint32(keyspace.rawValue)
        writer.uint64(scan.fromToken)
        writer.uint8(scan.after == nil ? 0 : 1)
        writer.prefixed(scan.after ?? [])
        writer.uint64(scan.throughToken)
        writer.uint32(scan.maximumEntries)
        writer.uint32(scan.maximumSize)
        writer.prefixed(scan.prefix)
    }
}

extension ReplicaPage {
    /// The most records a page may carry.
    package static let maximumRecords = 100_000

    /// Reads a body.
    ///
    ///     page := status: uint8, isComplete: uint8, token: uint64, key: bytes, count: uint32,
    ///             records; record := token: uint64, key: bytes, record: bytes
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        let keyLimit = Limits.keySize.upperBound
        var reader = ByteReader(body)
        let raw = try reader.uint8(in: bytes, "scan status")
        guard let status = ReadStatus(rawValue: raw) else {
            throw .invalid(field: "scan status", value: UInt64(raw))
        }
        let flag = try reader.uint8(in: bytes, "scan end")
        guard flag <= 1 else { throw .invalid(field: "scan end", value: UInt64(flag)) }
        self.init(
            status: status,
            records: [],
            isComplete: flag == 1,
            coveredToken: try reader.uint64(in: bytes, "token"),
            coveredKey: bytes.array(try reader.prefixed(in: bytes, limit: keyLimit, "key"))
        )
        for _ in 0..<(try reader.count(in: bytes, limit: Self.maximumRecords, "records")) {
            records.append(
                ScannedRecord(
                    token: try reader.uint64(in: bytes, "token"),
                    key: bytes.array(try reader.prefixed(in: bytes, limit: keyLimit, "key")),
                    record: bytes.array(
                        try reader.prefixed(in: bytes, limit: Frame.maximumPeerBodySize, "record")
                    )
                )
            )
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(status.rawValue)
        writer.uint8(isComplete ? 1 : 0)
        writer.uint64(coveredToken)
        writer.prefixed(coveredKey)
        writer.uint32(UInt32(records.count))
        for record in records {
            writer.uint64(record.token)
            writer.prefixed(record.key)
            writer.prefixed(record.record)
        }
    }
}
