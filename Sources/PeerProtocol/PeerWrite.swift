package import ByteCoding
package import Causality
package import ClusterPrimitives
package import Replication

/// Asks a replica to merge a record, and, as the relay of its datacenter, to pass it on.
///
///     write := keyspace: uint32, purpose: uint8, origin: uint16, relays: uint8,
///              relays × node: uint16, key: bytes, record: bytes
///
/// The acknowledgement goes to `origin`: in a frame on the inbound connection where that is the
/// sender, else on the replica's own link to it.
package struct PeerWrite: Sendable {
    /// The keyspace.
    package var keyspace: KeyspaceNumber
    /// Why it is written.
    package var purpose: WritePurpose
    /// The coordinator.
    package var origin: NodeID
    /// The other replicas of this datacenter, to which the receiver passes the write on.
    package var relays: NodeList
    /// The key, in the bytes that were decoded.
    package var key: ByteRange
    /// The encoded record.
    package var record: ByteRange

    /// Up to 16 node numbers without a heap allocation.
    package struct NodeList: Sendable {
        private var storage = InlineArray<16, UInt16>(repeating: 0)
        /// How many there are.
        package private(set) var count = 0

        /// None.
        package init() {}

        /// Appends a node; the seventeenth is left out.
        package mutating func append(_ node: NodeID) {
            guard count < 16 else { return }
            storage[count] = node.rawValue
            count += 1
        }

        /// The node at `index`.
        package subscript(index: Int) -> NodeID { NodeID(storage[index]) }
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        let raw = try reader.uint8(in: bytes, "purpose")
        guard let purpose = WritePurpose(rawValue: raw) else {
            throw .invalid(field: "purpose", value: UInt64(raw))
        }
        self.purpose = purpose
        origin = NodeID(try reader.uint16(in: bytes, "origin"))
        let count = Int(try reader.uint8(in: bytes, "relays"))
        guard count <= Limits.replicas else {
            throw .tooLong(field: "relays", length: UInt64(count), limit: Limits.replicas)
        }
        relays = NodeList()
        for _ in 0..<count { relays.append(NodeID(try reader.uint16(in: bytes, "relay"))) }
        key = try reader.prefixed(in: bytes, limit: Limits.keySize.upperBound, "key")
        record = try reader.prefixed(in: bytes, limit: Frame.maximumPeerBodySize, "record")
        try reader.finish()
        guard Limits.keySize.contains(key.count) else {
            throw .invalid(field: "key", value: UInt64(key.count))
        }
    }

    /// Appends a body.
    package static func encode(
        keyspace: KeyspaceNumber,
        purpose: WritePurpose,
        origin: NodeID,
        relays: NodeList,
        key: RawSpan,
        record: RawSpan,
        into writer: inout ByteWriter
    ) {
        // Keyspace, purpose, origin and the number of relays, as they follow each other.
        writer.uint64(
            UInt64(keyspace.rawValue) | UInt64(purpose.rawValue) << 32
                | UInt64(origin.rawValue) << 40 | UInt64(relays.count) << 56
        )
        for index in 0..<relays.count { writer.uint16(relays[index].rawValue) }
        writer.prefixed(key)
        writer.prefixed(record)
    }
}

/// What became of a write at one replica.
///
///     reply := status: uint8, stamp (12 bytes), shadow (12 bytes)
package struct PeerWriteReply: Equatable, Sendable {
    /// What became of it.
    package var status: WriteStatus
    /// The version of the write it answers, so that an acknowledgement of a first stamp is never
    /// taken for one of the second.
    package var version: Version
    /// The version that hides it; `Version.zero` if none.
    package var shadow: Version

    /// A reply with these parts.
    package init(status: WriteStatus, version: Version, shadow: Version) {
        self.status = status
        self.version = version
        self.shadow = shadow
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let raw = try reader.uint8(in: bytes, "write status")
        guard let status = WriteStatus(rawValue: raw) else {
            throw .invalid(field: "write status", value: UInt64(raw))
        }
        self.status = status
        version = try reader.version(in: bytes)
        shadow = try reader.version(in: bytes)
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(status.rawValue)
        writer.version(version)
        writer.version(shadow)
    }
}
