import ByteCoding
import Causality
import ClusterPrimitives
import Partitioning
import Replication
import Testing

@Suite struct `Read coordination` {
    private static func record(_ stamp: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        let version = Version(
            timestamp: HybridTimestamp(rawValue: stamp),
            node: NodeID(1),
            lane: 0
        )
        writer.recordHeader(version: version, isTombstone: false, expiry: nil)
        return writer.bytes
    }

    /// A read at QUORUM of a key with so many replicas.
    private static func read(replicas: Int) throws -> ReadCoordination {
        let members = (1...replicas).map {
            FoundingMember(
                name: "n\($0)",
                datacenter: "dc1",
                rack: "r\($0)",
                peer: Endpoint(host: "a", port: UInt16($0)),
                client: Endpoint(host: "b", port: UInt16($0))
            )
        }
        let topology = try Topology.founding(cluster: "test", members: members)
        let nodes = topology.members.map(\.id)
        let view = ClusterView(topology: topology, me: nodes[0])
        let plan = ReplicaPlan(ReplicaSet(nodes), view: view)
        guard case .rule(let rule) = QuorumRule.make(.quorum, plan: plan, local: DatacenterID(0))
        else { preconditionFailure("a quorum of \(replicas) is possible") }
        return ReadCoordination(plan: plan, rule: rule, mode: .lww)
    }

    private static func answer(
        _ read: inout ReadCoordination,
        _ index: Int,
        _ contents: ReadContents,
        stamp: UInt64
    ) -> ReadCoordination.Verdict {
        let record = record(stamp)
        read.receive(
            .found,
            contents: contents,
            digest: stamp,
            record: contents == .record ? record : [],
            from: index
        )
        return read.next()
    }

    @Test func `a digest that comes while records are compared does not count as one`() throws {
        var read = try Self.read(replicas: 5)
        read.contact(0, for: .record)
        read.contact(1, for: .digest)
        read.contact(2, for: .digest)
        // Replica 1 is slow, so a fourth is asked.
        read.contact(3, for: .record)
        _ = Self.answer(&read, 0, .record, stamp: 1)
        _ = Self.answer(&read, 3, .record, stamp: 1)
        guard case .fetch(let missing) = Self.answer(&read, 2, .digest, stamp: 2) else {
            Issue.record("a difference was not fetched")
            return
        }
        #expect(missing.contains(2))
        _ = Self.answer(&read, 1, .digest, stamp: 3)
        read.lose(2)
        // Two records agree, the quorum is three: one more must be asked.
        guard case .short = read.next() else {
            Issue.record("two of three were enough")
            return
        }
    }

    @Test func `replicas that agree are answered without a repair`() throws {
        var read = try Self.read(replicas: 3)
        read.contact(0, for: .record)
        read.contact(1, for: .digest)
        guard case .waiting = Self.answer(&read, 1, .digest, stamp: 1) else {
            Issue.record("one digest was enough")
            return
        }
        guard case .answer = Self.answer(&read, 0, .record, stamp: 1) else {
            Issue.record("no answer")
            return
        }
        #expect(read.answer == Self.record(1))
        #expect(read.repaired.isEmpty)
    }

    @Test func `the one behind is repaired before the answer`() throws {
        var read = try Self.read(replicas: 3)
        read.contact(0, for: .record)
        read.contact(1, for: .digest)
        _ = Self.answer(&read, 0, .record, stamp: 1)
        guard case .fetch = Self.answer(&read, 1, .digest, stamp: 2),
            case .repair(let behind) = Self.answer(&read, 1, .record, stamp: 2)
        else {
            Issue.record("the difference was not repaired")
            return
        }
        #expect(behind.contains(0) && behind.count == 1)
        guard case .waiting = read.next() else {
            Issue.record("it answered before the repair")
            return
        }
        read.receiveRepair(.applied, from: 0)
        guard case .answer = read.next() else {
            Issue.record("no answer after the repair")
            return
        }
        #expect(read.answer == Self.record(2))
    }
}
