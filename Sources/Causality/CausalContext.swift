public import ByteCoding
public import ClusterPrimitives

/// What a client has seen of a key, as an opaque token that it hands back with its next write.
///
/// A write in an lww keyspace is stamped above the version that its context holds; one in a
/// siblings keyspace replaces the values in its context's history; a removal from a set or a map
/// removes what its context's history holds. It is authenticated under the cluster's secret,
/// together with the cluster, the keyspace and the key, so a forged one, or one of another key or
/// mode, is refused.
///
///     context := format: uint8 (1), mode: uint8, seen, code (16 bytes)
///     seen    := version (12 bytes)       mode 1 lww, 3 counter, 6 last-writer set
///              | vector                   mode 2 siblings
///              | cloud                    mode 4 set, 5 map
///
/// Of a key that three replicas wrote a token has 92 bytes (siblings), or 94 (set, map).
public struct CausalContext: Equatable, Sendable {
    /// What was seen, in the terms of the keyspace's mode.
    public enum Seen: Equatable, Sendable {
        /// A version; `Version.zero` where the key was absent.
        case version(Version)
        /// A history without holes; empty where the key was absent.
        case vector(VersionVector)
        /// A history; empty where the key was absent.
        case cloud(DotCloud)
    }

    /// The size of an lww token in bytes.
    public static let size = 2 + Version.size + 16
    /// The most bytes of a token; a longer one is refused before it is read.
    public static let maximumSize = 64 * 1024

    /// The mode of the key's keyspace.
    public let mode: RecordMode
    /// What was seen.
    public let seen: Seen

    /// The context of an lww version that was seen.
    public init(version: Version) {
        self.init(mode: .lww, seen: .version(version))
    }

    /// The context of a set of siblings that was seen.
    public init(siblings: VersionVector) {
        self.init(mode: .siblings, seen: .vector(siblings))
    }

    /// The context of a counter whose newest version was seen.
    public init(counter version: Version) {
        self.init(mode: .counter, seen: .version(version))
    }

    /// The context of a last-writer set whose newest version was seen.
    public init(lastWriterSet version: Version) {
        self.init(mode: .lastWriterSet, seen: .version(version))
    }

    /// The context of an add-wins set that was seen.
    public init(set history: DotCloud) {
        self.init(mode: .set, seen: .cloud(history))
    }

    /// The context of a map that was seen.
    public init(map history: DotCloud) {
        self.init(mode: .map, seen: .cloud(history))
    }

    init(mode: RecordMode, seen: Seen) {
        self.mode = mode
        self.seen = seen
    }

    /// The version that was seen; `Version.zero` where the context holds a history.
    public var version: Version {
        if case .version(let version) = seen { return version }
        return .zero
    }

    /// The history without holes that was seen; nil where the context holds something else.
    public var vector: VersionVector? {
        if case .vector(let vector) = seen { return vector }
        return nil
    }

    /// The history that was seen; nil where the context holds something else.
    public var cloud: DotCloud? {
        if case .cloud(let cloud) = seen { return cloud }
        return nil
    }

    /// Reads what comes before the code.
    fileprivate init(
        _ reader: inout ByteReader,
        _ bytes: RawSpan,
        mode: RecordMode
    ) throws(CodingError) {
        let format = try reader.uint8(in: bytes, "context format")
        let found = try reader.uint8(in: bytes, "context mode")
        guard format == 1, found == mode.rawValue else {
            throw .invalid(field: "context", value: UInt64(format) << 8 | UInt64(found))
        }
        let seen: Seen
        switch mode {
        case .lww, .counter, .lastWriterSet: seen = .version(try reader.version(in: bytes))
        case .siblings: seen = .vector(try VersionVector(from: &reader, in: bytes))
        case .set, .map: seen = .cloud(try DotCloud(from: &reader, in: bytes))
        }
        try reader.finish()
        self.init(mode: mode, seen: seen)
    }

    /// Appends what comes before the code.
    fileprivate func encode(into writer: inout ByteWriter) {
        let start = writer.count
        writer.uint8(1)
        writer.uint8(mode.rawValue)
        switch seen {
        case .version(let version): writer.version(version)
        case .vector(let vector): vector.encode(into: &writer)
        case .cloud(let cloud):
            cloud.encode(into: &writer)
            // A context that claims less than was seen removes less, and loses nothing.
            var entries = cloud.entries
            while writer.count - start > Self.maximumSize - 16 {
                entries.removeLast(entries.count - entries.count / 2)
                writer.bytes.removeLast(writer.count - start - 2)
                DotCloud(sorted: entries).encode(into: &writer)
            }
        }
    }
}

/// Makes and checks the tokens of contexts.
public struct ContextAuthority: Sendable {
    private static let codeSize = 16
    private let authenticators: [MessageAuthenticator]

    /// An authority of a cluster.
    ///
    /// - Parameters:
    ///   - cluster: the cluster's identifier.
    ///   - secrets: the secret that makes tokens, then others that are still accepted; at least
    ///     one.
    public init(cluster: [UInt8], secrets: [[UInt8]]) {
        precondition(!secrets.isEmpty, "a context authority needs a secret")
        authenticators = secrets.map { secret in
            // One key for each cluster, so that no token need be fed its identifier.
            let key = MessageAuthenticator(key: secret).code { $0.update(cluster) }
            return MessageAuthenticator(key: key.span.bytes.array())
        }
    }

    /// Appends the token of a context.
    public func encode(
        _ context: CausalContext,
        keyspace: KeyspaceNumber,
        key: RawSpan,
        into writer: inout ByteWriter
    ) {
        let start = writer.count
        context.encode(into: &writer)
        let token = ByteRange(offset: start, count: writer.count - start)
        let code = authenticators[0].code {
            feed(token, of: writer.bytes.span.bytes, keyspace, key, to: &$0)
        }
        writer.raw(ByteRange(offset: 0, count: Self.codeSize), of: code.span.bytes)
    }

    /// Reads a token of a key in a keyspace of this mode.
    ///
    /// - Returns: nil when it is malformed, forged, or of another key, keyspace, cluster or mode.
    public func decode(
        _ range: ByteRange,
        of bytes: RawSpan,
        mode: RecordMode = .lww,
        keyspace: KeyspaceNumber,
        key: RawSpan
    ) -> CausalContext? {
        guard range.count >= 2 + Self.codeSize, range.count <= CausalContext.maximumSize else {
            return nil
        }
        let body = ByteRange(offset: range.offset, count: range.count - Self.codeSize)
        let code = bytes.extracting(body.end..<range.end)
        let isGenuine = authenticators.contains {
            $0.verify(code) { feed(body, of: bytes, keyspace, key, to: &$0) }
        }
        guard isGenuine else { return nil }
        var reader = ByteReader(body)
        return try? CausalContext(&reader, bytes, mode: mode)
    }

    /// Adds what is authenticated beside the cluster: the keyspace, the key with its length, so
    /// that none of it can pass for a part of the token, and the token up to its code.
    private func feed(
        _ body: ByteRange,
        of bytes: RawSpan,
        _ keyspace: KeyspaceNumber,
        _ key: RawSpan,
        to digest: inout SHA256
    ) {
        digest.update(keyspace.rawValue)
        digest.update(UInt32(key.byteCount))
        digest.update(key)
        digest.update(bytes.extracting(body.offset..<body.end))
    }
}
