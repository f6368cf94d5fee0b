import ClusterPrimitives
import Testing

@testable import StarlingClient

@Suite struct `The choice of a coordinator` {
    private func candidate(
        _ port: UInt16,
        _ datacenter: String?,
        isReplica: Bool = false,
        isAvoided: Bool = false
    ) -> CoordinatorChoice.Candidate {
        CoordinatorChoice.Candidate(
            endpoint: Endpoint(host: "h", port: port),
            datacenter: datacenter,
            isReplica: isReplica,
            isAvoided: isAvoided
        )
    }

    private func ports(
        _ candidates: [CoordinatorChoice.Candidate],
        isLocalOnly: Bool = false,
        rotation: Int = 0,
        local: String? = "dc1"
    ) -> [UInt16] {
        CoordinatorChoice(localDatacenter: local, isLocalOnly: isLocalOnly)
            .order(candidates, rotation: rotation)
            .map(\.endpoint.port)
    }

    @Test func `a local level never leaves the datacenter, whoever is down in it`() {
        let candidates = [
            candidate(1, "dc2", isReplica: true), candidate(2, "dc1", isAvoided: true),
            candidate(3, nil), candidate(4, "dc1"),
        ]
        #expect(ports(candidates, isLocalOnly: true) == [4, 2])
        #expect(ports([candidate(1, "dc2")], isLocalOnly: true).isEmpty)
    }

    @Test func `local replicas come first, then local nodes, remote replicas and the rest`() {
        let candidates = [
            candidate(1, "dc2"), candidate(2, "dc2", isReplica: true), candidate(3, "dc1"),
            candidate(4, "dc1", isReplica: true),
        ]
        #expect(ports(candidates) == [4, 3, 2, 1])
    }

    @Test func `a node that could not be reached comes after all others but stays a candidate`() {
        let candidates = [
            candidate(1, "dc1", isReplica: true, isAvoided: true), candidate(2, "dc2"),
        ]
        #expect(ports(candidates) == [2, 1])
    }

    @Test func `the rotation spreads load over equals only`() {
        let candidates = [
            candidate(1, "dc1", isReplica: true), candidate(2, "dc1", isReplica: true),
            candidate(3, "dc1"),
        ]
        #expect(ports(candidates, rotation: 1) == [2, 1, 3])
        #expect(ports(candidates, rotation: 2) == [1, 2, 3])
        #expect(ports(candidates, rotation: .min).count == 3)
    }

    @Test func `without a local datacenter all nodes are alike`() {
        let candidates = [candidate(1, "dc1"), candidate(2, "dc2")]
        #expect(ports(candidates, local: nil) == [1, 2])
    }
}
