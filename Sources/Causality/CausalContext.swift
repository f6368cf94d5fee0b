public import ByteCoding
public import ClusterPrimitives

/// What a client has seen of a key, as an opaque token that it hands back with its next write.
///
/// The token of an lww key holds the version read; a write that carries it is stamped above it.
/// It is authenticated under the cluster's secret, together with the cluster, the keyspace and
/// the key, so a forged one, or one of another key, is refused.
///
///     context := format: uint8 (1), mode: uint8 (1 = lww), version (12 bytes), code (16 bytes)
public struct CausalContext: Equatable, Sendable {
    /// The size of an lww token in bytes.
    public static let size = 2 + Version.size + 16

    /// The version that was seen; `Version.zero` where the key was absent.
    public let version: Version

    /// The context of a version that was seen.
    public init(version: Version) {
        self.version = version
    }
}

/// Makes and checks the tokens of contexts.
public struct ContextAuthority: Sendable {
    private let cluster: [UInt8]
    private let authenticators: [MessageAuthenticator]

    /// An authority of a cluster.
    ///
    /// - Parameters:
    ///   - cluster: the cluster's identifier.
    ///   - secrets: the secret that makes tokens, then others that are still accepted; at least
    ///     one.
    public init(cluster: [UInt8], secrets: [[UInt8]]) {
        precondition(!secrets.isEmpty, "a context authority needs a secret")
        self.cluster = cluster
        authenticators = secrets.map(MessageAuthenticator.init)
    }

    /// Appends the token of a context.
    public func encode(
        _ context: CausalContext,
        keyspace: KeyspaceNumber,
        key: [UInt8],
        into writer: inout ByteWriter
    ) {
        var token = ByteWriter(capacity: CausalContext.size)
        token.uint8(1)
        token.uint8(1)
        token.version(context.version)
        let code = authenticators[0].code(message(token.bytes, keyspace, key))
        writer.raw(token.bytes)
        writer.raw(code)
    }

    /// Reads a token; nil when it is malformed, forged, or of another key, keyspace or cluster.
    public func decode(
        _ range: ByteRange,
        of bytes: RawSpan,
        keyspace: KeyspaceNumber,
        key: [UInt8]
    ) -> CausalContext? {
        guard range.count == CausalContext.size else { return nil }
        var reader = ByteReader(range)
        guard (try? reader.uint8(in: bytes)) == 1, (try? reader.uint8(in: bytes)) == 1,
            let version = try? reader.version(in: bytes)
        else { return nil }
        let body = bytes.array(ByteRange(offset: range.offset, count: 2 + Version.size))
        let code = bytes.array(ByteRange(offset: range.offset + body.count, count: 16))
        let message = message(body, keyspace, key)
        guard authenticators.contains(where: { $0.verify(code, of: message) }) else { return nil }
        return CausalContext(version: version)
    }

    private func message(_ body: [UInt8], _ keyspace: KeyspaceNumber, _ key: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: cluster.count + key.count + body.count + 16)
        writer.prefixed(cluster)
        writer.uint32(keyspace.rawValue)
        writer.prefixed(key)
        writer.raw(body)
        return writer.bytes
    }
}
