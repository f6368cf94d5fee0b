import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Testing

@Suite struct `Level table` {
    /// How many of a datacenter's three replicas are up for each level to be met.
    private func isFeasible(_ level: ConsistencyLevel, _ local: Int, _ remote: Int) -> Bool {
        switch level {
        case .one: local + remote >= 1
        case .two: local + remote >= 2
        case .three: local + remote >= 3
        case .quorum: local + remote >= 4
        case .all: local + remote == 6
        case .localOne: local >= 1
        case .localQuorum: local >= 2
        case .eachQuorum: local >= 2 && remote >= 2
        case .count(let number): local + remote >= Int(number)
        }
    }

    @Test(arguments: 0...2, 0...3)
    func `each level is served or refused by what is up`(downLocal: Int, downRemote: Int) throws {
        for level in ConsistencyLevel.named + [.count(5)] {
            let cluster = try LaneCluster(["dc1": 3, "dc2": 3])
            // The coordinator, dc1-n1, is always up.
            for index in 0..<downLocal { cluster.set("dc1-n\(index + 2)", isUp: false) }
            for index in 0..<downRemote { cluster.set("dc2-n\(index + 1)", isUp: false) }
            let expected = isFeasible(level, 3 - downLocal, 3 - downRemote)
            let label = "\(level) with \(3 - downLocal)+\(3 - downRemote) up"
            switch cluster.put("a", "1", at: "dc1-n1", level) {
            case .written(let response):
                #expect(expected, "\(label): written")
                #expect(response.acknowledged >= response.required, "\(label)")
            case .failed(let failure):
                #expect(!expected, "\(label): \(failure.message)")
                #expect(failure.code == .unavailable && failure.written == .no, "\(label)")
                let copies = cluster.topology.members.filter {
                    cluster.copy("a", of: $0.name) != nil
                }
                #expect(copies.isEmpty, "\(label): refused, yet written")
            case .none:
                Issue.record("\(label): no answer")
            }
            switch cluster.get("a", at: "dc1-n1", level) {
            case .value(let response):
                #expect(expected, "\(label): read")
                #expect(response.responded >= response.required, "\(label)")
                #expect(response.values.count == 1, "\(label)")
            case .failed(let failure):
                #expect(!expected, "\(label): \(failure.message)")
                #expect(failure.code == .unavailable, "\(label)")
            case .none:
                Issue.record("\(label): no answer to the read")
            }
        }
    }
}
