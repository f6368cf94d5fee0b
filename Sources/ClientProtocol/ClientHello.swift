package import ByteCoding
package import ClusterPrimitives

/// The version of the client protocol that this code speaks.
package enum ClientProtocolVersion {
    /// The only version so far.
    package static let current: UInt16 = 1
}

/// The first frame a client sends.
///
///     hello := version: uint16, cluster: text, software: text
package struct ClientHello: Equatable, Sendable {
    /// The protocol version the client speaks.
    package let version: UInt16
    /// The cluster it means to talk to.
    package let cluster: String
    /// Name and version of the client software, for logs.
    package let software: String

    /// A hello in the current version.
    package init(
        version: UInt16 = ClientProtocolVersion.current,
        cluster: String,
        software: String
    ) {
        self.version = version
        self.cluster = cluster
        self.software = software
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        version = try reader.uint16(in: bytes, "protocol version")
        cluster = try reader.string(in: bytes, limit: 256, "cluster name")
        software = try reader.string(in: bytes, limit: 256, "software name")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint16(version)
        writer.string(cluster)
        writer.string(software)
    }
}

/// A node's answer to a hello that it accepts.
///
///     reply := version: uint16, cluster: text, node: text, id: uint16, datacenter: text
package struct ClientHelloReply: Equatable, Sendable {
    /// The version that both will speak.
    package let version: UInt16
    /// The node's cluster.
    package let cluster: String
    /// The node's name.
    package let node: String
    /// The node's number.
    package let id: NodeID
    /// The node's datacenter.
    package let datacenter: String

    /// An answer in the current version.
    package init(cluster: String, node: String, id: NodeID, datacenter: String) {
        version = ClientProtocolVersion.current
        self.cluster = cluster
        self.node = node
        self.id = id
        self.datacenter = datacenter
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        version = try reader.uint16(in: bytes, "protocol version")
        cluster = try reader.string(in: bytes, limit: 256, "cluster name")
        node = try reader.string(in: bytes, limit: 256, "node name")
        id = NodeID(try reader.uint16(in: bytes, "node number"))
        datacenter = try reader.string(in: bytes, limit: 256, "datacenter name")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint16(version)
        writer.string(cluster)
        writer.string(node)
        writer.uint16(id.rawValue)
        writer.string(datacenter)
    }
}
