package import ByteCoding
package import Causality
package import ClusterPrimitives
package import Replication

/// Asks a replica for its record of a key, or only for the record's digest.
///
///     read := keyspace: uint32, contents: uint8, key: bytes
package struct PeerRead: Sendable {
    /// The keyspace.
    package var keyspace: KeyspaceNumber
    /// What is wanted.
    package var contents: ReadContents
    /// The key, in the bytes that were decoded.
    package var key: ByteRange

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        let raw = try reader.uint8(in: bytes, "contents")
        guard let contents = ReadContents(rawValue: raw) else {
            throw .invalid(field: "contents", value: UInt64(raw))
        }
        self.contents = contents
        key = try reader.prefixed(in: bytes, limit: Limits.keySize.upperBound, "key")
        try reader.finish()
        guard Limits.keySize.contains(key.count) else {
            throw .invalid(field: "key", value: UInt64(key.count))
        }
    }

    /// Appends a body whose key lies in `held`.
    package static func encode(
        keyspace: KeyspaceNumber,
        contents: ReadContents,
        key: ByteRange,
        of held: RawSpan,
        into writer: inout ByteWriter
    ) {
        writer.uint32(keyspace.rawValue)
        writer.uint8(contents.rawValue)
        writer.prefixed(key, of: held)
    }
}

/// What a replica has of a key.
///
///     reply := status: uint8, contents: uint8, digest: uint64, version (12 bytes), record: bytes
package struct PeerReadReply: Sendable {
    /// Whether it has anything.
    package var status: ReadStatus
    /// What was asked for.
    package var contents: ReadContents
    /// The record's digest; 0 where nothing is stored.
    package var digest: UInt64
    /// The record's version; `Version.zero` where nothing is stored.
    package var version: Version
    /// The encoded record, in the bytes that were decoded; empty in an answer to `digest`.
    package var record: ByteRange

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let rawStatus = try reader.uint8(in: bytes, "read status")
        guard let status = ReadStatus(rawValue: rawStatus) else {
            throw .invalid(field: "read status", value: UInt64(rawStatus))
        }
        self.status = status
        let rawContents = try reader.uint8(in: bytes, "contents")
        guard let contents = ReadContents(rawValue: rawContents) else {
            throw .invalid(field: "contents", value: UInt64(rawContents))
        }
        self.contents = contents
        digest = try reader.uint64(in: bytes, "digest")
        version = try reader.version(in: bytes)
        record = try reader.prefixed(in: bytes, limit: Frame.maximumPeerBodySize, "record")
        try reader.finish()
    }

    /// Appends a body.
    package static func encode(
        status: ReadStatus,
        contents: ReadContents,
        digest: UInt64,
        version: Version,
        record: [UInt8],
        into writer: inout ByteWriter
    ) {
        writer.uint8(status.rawValue)
        writer.uint8(contents.rawValue)
        writer.uint64(digest)
        writer.version(version)
        writer.prefixed(record)
    }
}
