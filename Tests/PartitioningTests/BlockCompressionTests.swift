import ClusterPrimitives
import Partitioning
import Testing

@Suite struct `The compression of a keyspace` {
    @Test(arguments: [
        "", "lz4", "Zlib", "zlib:", "zlib:0", "zlib:10", "zlib:06", "zlib:-1", "zlib:+6", "zlib6",
        "none:1", " none", "zlib:٣",
    ])
    func `that is none is refused`(_ text: String) {
        #expect(BlockCompression(text) == nil)
    }

    @Test func `comes back from its text and from its number`() {
        let all = [BlockCompression.none] + BlockCompression.levels.map { .zlib(level: $0) }
        for (code, compression) in all.enumerated() {
            #expect(BlockCompression(compression.description) == compression)
            #expect(compression.code == UInt8(code))
            #expect(BlockCompression(code: compression.code) == compression)
        }
        for code in UInt8(10)...255 { #expect(BlockCompression(code: code) == nil) }
        #expect(BlockCompression("zlib") == .zlib(level: 1))
        #expect(BlockCompression("zlib:1") == .zlib(level: 1))
        #expect(BlockCompression.zlib(level: 6).description == "zlib:6")
    }

    @Test func `is kept by the topology`() throws {
        let topology = try Topology.founding(
            cluster: "test",
            members: [
                FoundingMember(
                    name: "n1",
                    datacenter: "dc1",
                    rack: "r1",
                    peer: .init(host: "a", port: 1),
                    client: .init(host: "a", port: 2)
                )
            ]
        ).creating(
            KeyspaceDefinition(
                name: "logs",
                replication: [.init(datacenter: "dc1", replicas: 1)],
                compression: .zlib(level: 9)
            )
        )
        #expect(topology.keyspace(named: "logs")?.compression == .zlib(level: 9))
        let decoded = try Topology(decoding: topology.encode())
        #expect(decoded == topology)
    }
}
