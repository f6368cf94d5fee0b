import ClusterPrimitives
import Partitioning
import Replication
import TestSupport
import Testing

@Suite struct `Quorum rule` {
    /// A plan with so many replicas in each of two datacenters, dc1 holding nodes 1…, dc2 101….
    static func plan(_ first: Int, _ second: Int) throws -> (ReplicaPlan, ClusterView) {
        let members = (1...4).flatMap { index in
            ["dc1", "dc2"].map { datacenter in
                FoundingMember(
                    name: "\(datacenter)-n\(index)",
                    datacenter: datacenter,
                    rack: "r1",
                    peer: Endpoint(host: datacenter, port: UInt16(7000 + index)),
                    client: Endpoint(host: datacenter, port: UInt16(8000 + index))
                )
            }
        }
        let topology = try Topology.founding(cluster: "test", members: members)
        let view = ClusterView(topology: topology, me: NodeID(1))
        let local = topology.members(in: DatacenterID(0)).prefix(first).map(\.id)
        let remote = topology.members(in: DatacenterID(1)).prefix(second).map(\.id)
        return (ReplicaPlan(ReplicaSet(local + remote), view: view), view)
    }

    @Test(arguments: try Scenario.all(in: "levels"))
    func `a level can be met exactly when the table says so`(_ scenario: Scenario) throws {
        var counts = [0, 0]
        for word in scenario.command[0].split(separator: " ").dropFirst() {
            let parts = word.split(separator: "=")
            counts[parts[0] == "dc1" ? 0 : 1] = try #require(Int(parts[1]))
        }
        let (plan, view) = try Self.plan(counts[0], counts[1])
        let levels = ConsistencyLevel.named + [.count(2)]
        func column(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        var lines = [
            column("up", 6) + levels.map { column("\($0)", 14) }.joined()
        ]
        for first in 0...counts[0] {
            for second in 0...counts[1] {
                var usable = ReplicaBits()
                for index in 0..<first { usable.insert(index) }
                for index in 0..<second { usable.insert(counts[0] + index) }
                let cells = levels.map { level in
                    switch QuorumRule.make(level, plan: plan, local: view.localDatacenter) {
                    case .impossible: "never"
                    case .rule(let rule): rule.isMet(by: usable) ? "yes" : "no"
                    }
                }
                lines.append(
                    column("\(first)+\(second)", 6) + cells.map { column($0, 14) }.joined()
                )
            }
        }
        let table = lines.map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }
        .joined(separator: "\n")
        #expect(try scenario.matches(table), "\(table)")
    }

    @Test(arguments: ConsistencyLevel.named)
    func `any two majorities share a replica, and the least set has no replica too many`(
        _ level: ConsistencyLevel
    ) throws {
        let (plan, view) = try Self.plan(3, 3)
        guard case .rule(let rule) = QuorumRule.make(level, plan: plan, local: view.localDatacenter)
        else { return }
        let sets = (0..<(1 << 6)).map { ReplicaBits(rawValue: $0) }.filter(rule.isMet(by:))
        if [.quorum, .all, .localQuorum, .eachQuorum].contains(level) {
            for left in sets {
                #expect(sets.allSatisfy { !left.intersection($0).isEmpty })
            }
        }
        let least = try #require(rule.leastSet(inOrder: 0..<6))
        #expect(least.count == rule.required)
        for index in 0..<6 where least.contains(index) {
            var smaller = least
            smaller.remove(index)
            #expect(!rule.isMet(by: smaller))
        }
    }
}
