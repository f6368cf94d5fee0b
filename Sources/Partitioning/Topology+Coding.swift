package import ByteCoding
internal import ClusterPrimitives

/// How a topology is written, on disk and on the wire.
///
///     topology   := version: uint16 = 1   foundingDigest: 32 bytes   body
///     body       := clusterName: text   clusterIdentifier: 16 bytes   epoch: uint64
///                   count: uint32   datacenter name: text …
///                   nextNodeNumber: uint16   count: uint32   member …
///                   nextKeyspaceNumber: uint32   count: uint32   keyspace …
///                   count: uint32   voter: uint16 …
///     member     := id: uint16   name: text   identifier: text   datacenter: uint8   rack: text
///                   peer: endpoint   client: endpoint   count: uint32   token: int64 …
///     endpoint   := host: text   port: uint16
///     keyspace   := number: uint32   name: text   mode: uint8   timeToLive: uint64
///                   readConsistency: uint8   writeConsistency: uint8
///                   compression: uint8 (0 none, else zlib's level)
///                   count: uint32   (datacenter: uint8   replicas: uint8) …
///
/// Lists are ascending by what identifies their elements, so a topology has exactly one encoding.
/// `foundingDigest` is the SHA-256 of the body of epoch 1.
extension Topology {
    /// The most bytes that a topology takes.
    package static let maximumEncodedSize = 6 * 1024 * 1024

    private static let version: UInt16 = 1
    private static let maximumHostSize = 255
    private static let identifierSize = 32

    /// The bytes of this topology.
    package func encode() -> [UInt8] {
        var writer = ByteWriter(capacity: 1024 + members.count * 320)
        writer.uint16(Self.version)
        writer.raw(foundingDigest)
        encodeBody(into: &writer)
        return writer.bytes
    }

    /// Writes what the founding digest covers.
    func encodeBody(into writer: inout ByteWriter) {
        writer.string(clusterName)
        writer.raw(clusterIdentifier)
        writer.uint64(epoch)
        writer.uint32(UInt32(datacenters.count))
        for name in datacenters { writer.string(name) }
        writer.uint16(nextNodeNumber)
        writer.uint32(UInt32(members.count))
        for member in members { Self.encode(member, into: &writer) }
        writer.uint32(nextKeyspaceNumber)
        writer.uint32(UInt32(keyspaces.count))
        for keyspace in keyspaces { Self.encode(keyspace, into: &writer) }
        writer.uint32(UInt32(voters.count))
        for voter in voters { writer.uint16(voter.rawValue) }
    }

    private static func encode(_ member: Member, into writer: inout ByteWriter) {
        writer.uint16(member.id.rawValue)
        writer.string(member.name)
        writer.string(member.identifier)
        writer.uint8(member.datacenter.rawValue)
        writer.string(member.rack)
        for endpoint in [member.peerEndpoint, member.clientEndpoint] {
            writer.string(endpoint.host)
            writer.uint16(endpoint.port)
        }
        writer.uint32(UInt32(member.tokens.count))
        for token in member.tokens { writer.uint64(UInt64(bitPattern: token.rawValue)) }
    }

    private static func encode(_ keyspace: Keyspace, into writer: inout ByteWriter) {
        writer.uint32(keyspace.number.rawValue)
        writer.string(keyspace.name)
        writer.uint8(keyspace.mode.rawValue)
        writer.uint64(keyspace.defaultTimeToLiveMilliseconds)
        writer.uint8(keyspace.readConsistency.rawValue)
        writer.uint8(keyspace.writeConsistency.rawValue)
        writer.uint8(keyspace.compression.code)
        writer.uint32(UInt32(keyspace.replication.count))
        for replication in keyspace.replication {
            writer.uint8(replication.datacenter.rawValue)
            writer.uint8(UInt8(clamping: replication.replicas))
        }
    }

    /// Reads what `encode` wrote, and accepts nothing that could not be a cluster.
    ///
    /// - Throws: `truncated`, `tooLong`, `trailingBytes`; `invalid` for what breaks a rule.
    package init(decoding bytes: [UInt8]) throws(CodingError) {
        guard bytes.count <= Self.maximumEncodedSize else {
            throw .tooLong(
                field: "topology",
                length: UInt64(bytes.count),
                limit: Self.maximumEncodedSize
            )
        }
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        let version = try reader.uint16(in: span, "topology version")
        guard version == Self.version else {
            throw .invalid(field: "topology version", value: UInt64(version))
        }
        let foundingDigest = span.array(try reader.range(32, "founding digest"))
        let clusterName = try reader.string(in: span, limit: Limits.nameSize.upperBound, "cluster")
        let identifier = span.array(try reader.range(16, "cluster identifier"))
        let epoch = try reader.uint64(in: span, "epoch")
        var datacenters: [String] = []
        for _ in 0..<(try reader.count(in: span, limit: Limits.datacenters, "datacenters")) {
            datacenters.append(try Self.name(&reader, span, "datacenter"))
        }
        let nextNode = try reader.uint16(in: span, "next node number")
        var members: [Member] = []
        for _ in 0..<(try reader.count(in: span, limit: Limits.members, "members")) {
            members.append(try Self.member(&reader, span))
        }
        let nextKeyspace = try reader.uint32(in: span, "next keyspace number")
        var keyspaces: [Keyspace] = []
        for _ in 0..<(try reader.count(in: span, limit: Limits.keyspaces, "keyspaces")) {
            keyspaces.append(try Self.keyspace(&reader, span))
        }
        var voters: [NodeID] = []
        for _ in 0..<(try reader.count(in: span, limit: Self.maximumVoters, "voters")) {
            voters.append(NodeID(try reader.uint16(in: span, "voter")))
        }
        try reader.finish()
        self.init(
            clusterName: clusterName,
            clusterIdentifier: identifier,
            epoch: epoch,
            datacenters: datacenters,
            members: members,
            nextNodeNumber: nextNode,
            keyspaces: keyspaces,
            nextKeyspaceNumber: nextKeyspace,
            voters: voters,
            foundingDigest: foundingDigest
        )
        try validate()
    }

    private static func name(
        _ reader: inout ByteReader,
        _ span: RawSpan,
        _ field: CodingError.StaticText
    ) throws(CodingError) -> String {
        try reader.string(in: span, limit: Limits.nameSize.upperBound, field)
    }

    private static func endpoint(
        _ reader: inout ByteReader,
        _ span: RawSpan
    ) throws(CodingError) -> Endpoint {
        let host = try reader.string(in: span, limit: maximumHostSize, "host")
        return Endpoint(host: host, port: try reader.uint16(in: span, "port"))
    }

    private static func member(
        _ reader: inout ByteReader,
        _ span: RawSpan
    ) throws(CodingError) -> Member {
        var member = Member(
            id: NodeID(try reader.uint16(in: span, "member")),
            name: try name(&reader, span, "member name"),
            identifier: try reader.string(in: span, limit: identifierSize, "member identifier"),
            datacenter: DatacenterID(try reader.uint8(in: span, "member datacenter")),
            rack: try name(&reader, span, "rack"),
            peerEndpoint: try endpoint(&reader, span),
            clientEndpoint: try endpoint(&reader, span),
            tokens: []
        )
        let limit = Limits.tokensPerMember.upperBound
        for _ in 0..<(try reader.count(in: span, limit: limit, "tokens")) {
            let raw = try reader.uint64(in: span, "token")
            member.tokens.append(Token(Int64(bitPattern: raw)))
        }
        return member
    }

    private static func keyspace(
        _ reader: inout ByteReader,
        _ span: RawSpan
    ) throws(CodingError) -> Keyspace {
        let number = KeyspaceNumber(try reader.uint32(in: span, "keyspace"))
        let name = try name(&reader, span, "keyspace name")
        let rawMode = try reader.uint8(in: span, "conflict mode")
        guard let mode = ConflictMode(rawValue: rawMode) else {
            throw .invalid(field: "conflict mode", value: UInt64(rawMode))
        }
        let timeToLive = try reader.uint64(in: span, "time to live")
        let read = try consistency(&reader, span, "read consistency")
        let write = try consistency(&reader, span, "write consistency")
        let rawCompression = try reader.uint8(in: span, "compression")
        guard let compression = BlockCompression(code: rawCompression) else {
            throw .invalid(field: "compression", value: UInt64(rawCompression))
        }
        var replication: [DatacenterReplication] = []
        for _ in 0..<(try reader.count(in: span, limit: Limits.datacenters, "replication")) {
            let datacenter = DatacenterID(try reader.uint8(in: span, "replicated datacenter"))
            let replicas = Int(try reader.uint8(in: span, "replicas"))
            replication.append(DatacenterReplication(datacenter: datacenter, replicas: replicas))
        }
        return Keyspace(
            number: number,
            name: name,
            replication: replication,
            mode: mode,
            defaultTimeToLiveMilliseconds: timeToLive,
            readConsistency: read,
            writeConsistency: write,
            compression: compression
        )
    }

    private static func consistency(
        _ reader: inout ByteReader,
        _ span: RawSpan,
        _ field: CodingError.StaticText
    ) throws(CodingError) -> ConsistencyLevel {
        let raw = try reader.uint8(in: span, field)
        guard let level = ConsistencyLevel(rawValue: raw) else {
            throw .invalid(field: field, value: UInt64(raw))
        }
        return level
    }
}
