package import ByteCoding
package import Causality
package import ClusterPrimitives
package import Partitioning

/// The version of the peer protocol that this code speaks.
package enum PeerProtocolVersion {
    /// The only version so far.
    package static let current: UInt16 = 1
}

/// How a node presents itself on a new connection.
///
///     hello := version: uint16, cluster: bytes (16), founding: bytes (32), node: uint16,
///              name: text, incarnation (24 bytes), known: incarnation (24 bytes; start number 0
///              for none), class: uint8, lane: uint8, epoch: uint64
package struct PeerHello: Equatable, Sendable {
    /// The protocol version it speaks.
    package var version: UInt16
    /// Its cluster's identifier.
    package var clusterIdentifier: [UInt8]
    /// The digest of the founding topology it was given.
    package var foundingDigest: [UInt8]
    /// Its number.
    package var node: NodeID
    /// Its name, which must be the certificate's.
    package var name: String
    /// This life of it.
    package var incarnation: Incarnation
    /// The highest incarnation that it has seen of the node it speaks to; nil for none.
    ///
    /// A node whose disk does not remember it has woken up with an older disk.
    package var known: Incarnation?
    /// What the connection is for.
    package var peerClass: PeerClass
    /// The lane that opened it.
    package var lane: UInt8
    /// The epoch of its topology.
    package var epoch: UInt64

    private static let nobody = Incarnation(start: 0, actor: ActorID(high: 0, low: 0))

    /// A hello in the current version.
    package init(
        clusterIdentifier: [UInt8],
        foundingDigest: [UInt8],
        node: NodeID,
        name: String,
        incarnation: Incarnation,
        known: Incarnation?,
        peerClass: PeerClass,
        lane: UInt8,
        epoch: UInt64
    ) {
        version = PeerProtocolVersion.current
        self.clusterIdentifier = clusterIdentifier
        self.foundingDigest = foundingDigest
        self.node = node
        self.name = name
        self.incarnation = incarnation
        self.known = known
        self.peerClass = peerClass
        self.lane = lane
        self.epoch = epoch
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        version = try reader.uint16(in: bytes, "protocol version")
        clusterIdentifier = bytes.array(try reader.prefixed(in: bytes, limit: 64, "cluster"))
        foundingDigest = bytes.array(try reader.prefixed(in: bytes, limit: 64, "founding digest"))
        node = NodeID(try reader.uint16(in: bytes, "node"))
        name = try reader.string(in: bytes, limit: 256, "node name")
        incarnation = try reader.incarnation(in: bytes)
        let known = try reader.incarnation(in: bytes)
        guard known.start > 0 || known == Self.nobody else {
            throw .invalid(field: "known incarnation", value: known.actor.high)
        }
        self.known = known == Self.nobody ? nil : known
        let raw = try reader.uint8(in: bytes, "connection class")
        guard let peerClass = PeerClass(rawValue: raw) else {
            throw .invalid(field: "connection class", value: UInt64(raw))
        }
        self.peerClass = peerClass
        lane = try reader.uint8(in: bytes, "lane")
        epoch = try reader.uint64(in: bytes, "epoch")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint16(version)
        writer.prefixed(clusterIdentifier)
        writer.prefixed(foundingDigest)
        writer.uint16(node.rawValue)
        writer.string(name)
        writer.incarnation(incarnation)
        writer.incarnation(known ?? Self.nobody)
        writer.uint8(peerClass.rawValue)
        writer.uint8(lane)
        writer.uint64(epoch)
    }

    /// Why this node is not to be talked to; nil when it is.
    ///
    /// - Parameters:
    ///   - topology: what the judging node holds.
    ///   - certificateName: the node name in the peer's verified certificate.
    /// - Returns: a sentence for the log and for the peer.
    package func refusal(expecting topology: Topology, certificateName: String) -> String? {
        if version != PeerProtocolVersion.current {
            return "it speaks protocol version \(version), this node \(PeerProtocolVersion.current)"
        }
        if name != certificateName {
            return "it calls itself \(name), its certificate is \(certificateName)'s"
        }
        if clusterIdentifier != topology.clusterIdentifier {
            return "it belongs to another cluster (its cluster identifier differs)"
        }
        if foundingDigest != topology.foundingDigest {
            return "it was founded with another topology file (the founding digests differ)"
        }
        guard let member = topology.member(named: name) else {
            return "\(name) is no member of this cluster"
        }
        if member.id != node {
            return "\(name) has the number \(member.id), it claims \(node)"
        }
        return nil
    }
}
