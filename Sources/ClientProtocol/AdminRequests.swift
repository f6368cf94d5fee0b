package import ByteCoding
package import ClusterPrimitives

/// Asks for a new keyspace.
///
///     create := name: text, mode: uint8, lifetime: uint64 ms, read: uint8, write: uint8,
///               compression: uint8, count: uint32,
///               count × (datacenter: text, replicas: uint8)
package struct CreateKeyspaceRequest: Equatable, Sendable {
    /// Replicas in one datacenter.
    package struct Replication: Equatable, Sendable {
        /// The datacenter's name.
        package var datacenter: String
        /// Replicas of each key there.
        package var replicas: UInt8

        /// So many replicas in a datacenter.
        package init(datacenter: String, replicas: UInt8) {
            self.datacenter = datacenter
            self.replicas = replicas
        }
    }

    /// The keyspace's name.
    package var name: String
    /// The conflict mode's number; the topology knows the modes.
    package var mode: UInt8
    /// Milliseconds until its values expire; 0 for never.
    package var lifetime: UInt64
    /// The read level of requests that name none.
    package var readConsistency: ConsistencyLevel
    /// The write level of requests that name none.
    package var writeConsistency: ConsistencyLevel
    /// The compression's number; the topology knows them.
    package var compression: UInt8
    /// Replicas for each datacenter.
    package var replication: [Replication]

    /// A request with these parts.
    package init(
        name: String,
        mode: UInt8,
        lifetime: UInt64,
        readConsistency: ConsistencyLevel,
        writeConsistency: ConsistencyLevel,
        compression: UInt8 = 0,
        replication: [Replication]
    ) {
        self.name = name
        self.mode = mode
        self.lifetime = lifetime
        self.readConsistency = readConsistency
        self.writeConsistency = writeConsistency
        self.compression = compression
        self.replication = replication
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        name = try reader.string(in: bytes, limit: 256, "keyspace name")
        mode = try reader.uint8(in: bytes, "mode")
        lifetime = try reader.uint64(in: bytes, "lifetime")
        guard let read = try reader.level(in: bytes), let write = try reader.level(in: bytes)
        else { throw .invalid(field: "consistency level", value: 0) }
        readConsistency = read
        writeConsistency = write
        compression = try reader.uint8(in: bytes, "compression")
        replication = []
        for _ in 0..<(try reader.count(in: bytes, limit: Limits.datacenters, "replication")) {
            replication.append(
                Replication(
                    datacenter: try reader.string(in: bytes, limit: 256, "datacenter name"),
                    replicas: try reader.uint8(in: bytes, "replicas")
                )
            )
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.string(name)
        writer.uint8(mode)
        writer.uint64(lifetime)
        writer.uint8(readConsistency.rawValue)
        writer.uint8(writeConsistency.rawValue)
        writer.uint8(compression)
        writer.uint32(UInt32(replication.count))
        for entry in replication {
            writer.string(entry.datacenter)
            writer.uint8(entry.replicas)
        }
    }
}

/// Asks to drop a keyspace with all its data.
///
///     drop := name: text
package struct DropKeyspaceRequest: Equatable, Sendable {
    /// The keyspace's name.
    package var name: String

    /// A request to drop this keyspace.
    package init(name: String) {
        self.name = name
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        name = try reader.string(in: bytes, limit: 256, "keyspace name")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.string(name)
    }
}

/// Asks a node to drop every frame to and from some peers, until it is asked otherwise.
///
/// A test instrument: a node refuses it unless its configuration allows fault injection.
///
///     fault := count: uint32, names: texts
package struct FaultRequest: Equatable, Sendable {
    /// Names of the peers to be cut off beside those that are; empty ends all faults.
    package var blockedPeers: [String]

    /// A request to cut off these peers.
    package init(blockedPeers: [String]) {
        self.blockedPeers = blockedPeers
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        blockedPeers = []
        for _ in 0..<(try reader.count(in: bytes, limit: Limits.members, "peers")) {
            blockedPeers.append(try reader.string(in: bytes, limit: 256, "peer"))
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint32(UInt32(blockedPeers.count))
        for peer in blockedPeers { writer.string(peer) }
    }
}
