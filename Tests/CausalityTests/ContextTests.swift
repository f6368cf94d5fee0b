import ByteCoding
import Causality
import ClusterPrimitives
import Testing

@Suite struct `Causal context` {
    private static let secret = [UInt8](repeating: 1, count: 32)
    private static let context = CausalContext(
        version: Version(
            timestamp: HybridTimestamp(rawValue: 77),
            node: NodeID(3),
            lane: 1
        )
    )

    private static func authority(
        cluster: [UInt8] = [1, 2],
        _ secrets: [UInt8]...
    ) -> ContextAuthority {
        ContextAuthority(cluster: cluster, secrets: secrets)
    }

    private static func token(
        _ authority: ContextAuthority,
        keyspace: UInt32 = 1,
        key: String = "a"
    ) -> [UInt8] {
        var writer = ByteWriter()
        authority.encode(
            context,
            keyspace: KeyspaceNumber(keyspace),
            key: Array(key.utf8).span.bytes,
            into: &writer
        )
        return writer.bytes
    }

    private static func read(
        _ token: [UInt8],
        by authority: ContextAuthority,
        keyspace: UInt32 = 1,
        key: String = "a"
    ) -> CausalContext? {
        authority.decode(
            ByteRange(offset: 0, count: token.count),
            of: token.span.bytes,
            keyspace: KeyspaceNumber(keyspace),
            key: Array(key.utf8).span.bytes
        )
    }

    @Test func `comes back from its token, also from the middle of other bytes`() {
        let authority = Self.authority(Self.secret)
        let token = Self.token(authority)
        #expect(token.count == CausalContext.size)
        #expect(Self.read(token, by: authority) == Self.context)
        let padded = [9, 9, 9] + token + [9]
        let found = authority.decode(
            ByteRange(offset: 3, count: token.count),
            of: padded.span.bytes,
            keyspace: KeyspaceNumber(1),
            key: Array("a".utf8).span.bytes
        )
        #expect(found == Self.context)
    }

    @Test func `with any bit flipped, cut or lengthened is refused`() {
        let authority = Self.authority(Self.secret)
        let token = Self.token(authority)
        for bit in 0..<(token.count * 8) {
            var forged = token
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Self.read(forged, by: authority) == nil, "bit \(bit)")
        }
        for count in token.indices {
            #expect(Self.read(Array(token.prefix(count)), by: authority) == nil)
        }
        #expect(Self.read(token + [0], by: authority) == nil)
    }

    @Test func `of another key, keyspace, cluster or secret is refused`() {
        let authority = Self.authority(Self.secret)
        let token = Self.token(authority)
        #expect(Self.read(token, by: authority, key: "b") == nil)
        #expect(Self.read(token, by: authority, key: "") == nil)
        #expect(Self.read(token, by: authority, keyspace: 2) == nil)
        #expect(Self.read(token, by: Self.authority(cluster: [1, 3], Self.secret)) == nil)
        let other = [UInt8](repeating: 2, count: 32)
        #expect(Self.read(token, by: Self.authority(other)) == nil)
    }

    @Test func `of the old secret is accepted while rotating, and new ones are of the new`() {
        let new = [UInt8](repeating: 2, count: 32)
        let before = Self.authority(Self.secret)
        let rotating = Self.authority(new, Self.secret)
        let after = Self.authority(new)
        let old = Self.token(before)
        #expect(Self.read(old, by: rotating) == Self.context)
        #expect(Self.read(old, by: after) == nil)
        let fresh = Self.token(rotating)
        #expect(Self.read(fresh, by: after) == Self.context)
        #expect(Self.read(fresh, by: before) == nil)
    }

    private static func vectorContext(_ count: UInt64) -> CausalContext {
        var vector = VersionVector()
        for number in 0..<count {
            vector.insert(Dot(actor: someone(number), counter: .max >> 1))
        }
        return CausalContext(siblings: vector)
    }

    private static func roundTrip(
        _ context: CausalContext,
        as mode: RecordMode
    ) -> (size: Int, found: CausalContext?) {
        let authority = authority(secret)
        var writer = ByteWriter()
        let key: [UInt8] = [97]
        authority.encode(context, keyspace: KeyspaceNumber(1), key: key.span.bytes, into: &writer)
        let found = authority.decode(
            ByteRange(offset: 0, count: writer.count),
            of: writer.bytes.span.bytes,
            mode: mode,
            keyspace: KeyspaceNumber(1),
            key: key.span.bytes
        )
        return (writer.count, found)
    }

    @Test func `of siblings written by three replicas has 92 bytes, and comes back`() {
        let context = Self.vectorContext(3)
        let (size, found) = Self.roundTrip(context, as: .siblings)
        #expect(size == 92)
        #expect(found == context)
    }

    @Test func `of a set or map written by three replicas has 94 bytes, and comes back`() throws {
        let cloud = DotCloud(try #require(Self.vectorContext(3).vector))
        for context in [CausalContext(set: cloud), CausalContext(map: cloud)] {
            let (size, found) = Self.roundTrip(context, as: context.mode)
            #expect(size == 94)
            #expect(found == context)
        }
        #expect(Self.roundTrip(CausalContext(set: cloud), as: .map).found == nil)
    }

    @Test func `of a cloud that is too long is cut to a part of it`() throws {
        var cloud = DotCloud()
        for number in 0..<6000 as Range<UInt64> {
            cloud.insert(Dot(actor: someone(number), counter: 5))
        }
        let (size, found) = Self.roundTrip(CausalContext(map: cloud), as: .map)
        #expect(size <= CausalContext.maximumSize)
        let part = try #require(found?.cloud)
        #expect(cloud.contains(part) && !part.isEmpty && part != cloud)
    }

    @Test func `of another mode is refused`() {
        #expect(Self.roundTrip(Self.vectorContext(1), as: .lww).found == nil)
        #expect(Self.roundTrip(Self.context, as: .siblings).found == nil)
    }

    @Test func `of a key with very many writers is cut to what a token can hold`() throws {
        let (size, found) = Self.roundTrip(Self.vectorContext(5000), as: .siblings)
        #expect(size <= CausalContext.maximumSize)
        let vector = try #require(found?.vector)
        #expect(vector.entries.count == VersionVector.maximumCount)
    }
}
