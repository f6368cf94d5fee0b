import Causality
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Testing

@Suite struct `Peer hello` {
    private static func founding(cluster: String = "test", nodes: Int = 3) throws -> Topology {
        try Topology.founding(
            cluster: cluster,
            members: (1...nodes).map {
                FoundingMember(
                    name: "n\($0)",
                    datacenter: "dc1",
                    rack: "r1",
                    peer: Endpoint(host: "a", port: UInt16($0)),
                    client: Endpoint(host: "b", port: UInt16($0))
                )
            }
        )
    }

    private static func hello(in topology: Topology) -> PeerHello {
        PeerHello(
            clusterIdentifier: topology.clusterIdentifier,
            foundingDigest: topology.foundingDigest,
            node: NodeID(2),
            name: "n2",
            incarnation: Incarnation(start: 1, actor: ActorID(high: 1, low: 1)),
            known: nil,
            peerClass: .request,
            lane: 0,
            epoch: 1
        )
    }

    @Test func `of a member with its own certificate is accepted, whatever its epoch`() throws {
        let topology = try Self.founding()
        var hello = Self.hello(in: topology)
        hello.epoch = 99
        #expect(hello.refusal(expecting: topology, certificateName: "n2") == nil)
    }

    @Test func `is refused with the reason when anything in it is another's`() throws {
        let topology = try Self.founding()
        let good = Self.hello(in: topology)
        var version = good
        version.version = 2
        var foreign = good
        foreign.clusterIdentifier = try Self.founding(cluster: "other").clusterIdentifier
        var digest = good
        digest.foundingDigest = try Self.founding(nodes: 4).foundingDigest
        var number = good
        number.node = NodeID(3)
        var stranger = good
        stranger.name = "n9"
        let cases: [(PeerHello, certificate: String, reason: String)] = [
            (version, "n2", "protocol version 2"),
            (good, "n3", "its certificate is n3's"),
            (foreign, "n2", "another cluster"),
            (digest, "n2", "founding digests differ"),
            (stranger, "n9", "no member"),
            (number, "n2", "it claims #3"),
        ]
        for (hello, certificate, reason) in cases {
            let refusal = hello.refusal(expecting: topology, certificateName: certificate)
            #expect(refusal?.contains(reason) == true, "\(refusal ?? "accepted")")
        }
    }
}
