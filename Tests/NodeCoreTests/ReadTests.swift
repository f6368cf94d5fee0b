import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication
import Testing

@Suite struct `Coordinated read` {
    @Test func `a quorum read repairs the replicas it meets before it answers`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.set("dc1-n3", isUp: false)
        _ = cluster.put("a", "1", at: "dc1-n1", .quorum)
        cluster.set("dc1-n3", isUp: true)
        #expect(cluster.copy("a", of: "dc1-n3") == nil)
        cluster.set("dc1-n2", isUp: false)
        guard case .value(let response) = cluster.get("a", at: "dc1-n3", .quorum) else {
            Issue.record("no answer")
            return
        }
        #expect(response.repaired == 1)
        #expect(response.values.first.map { String(decoding: $0.bytes, as: UTF8.self) } == "1")
        #expect(cluster.copy("a", of: "dc1-n3") == "1")
    }

    @Test func `a read does not answer before its repair is acknowledged`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.set("dc1-n3", isUp: false)
        _ = cluster.put("a", "1", at: "dc1-n1", .quorum)
        cluster.set("dc1-n3", isUp: true)
        cluster.set("dc1-n2", isUp: false)
        cluster.node("dc1-n3")?.holdsWrites = true
        let correlation = send("a", to: "dc1-n1", .quorum, cluster)
        #expect(cluster.answer(correlation) == nil)
        cluster.release("dc1-n3")
        #expect(cluster.getOutcome(correlation).text == "1")
    }

    @Test func `a repair that nobody acknowledges fails the read instead of going back later`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.set("dc1-n3", isUp: false)
        _ = cluster.put("a", "1", at: "dc1-n1", .quorum)
        cluster.set("dc1-n3", isUp: true)
        cluster.set("dc1-n2", isUp: false)
        cluster.node("dc1-n3")?.holdsWrites = true
        let correlation = send("a", to: "dc1-n1", .quorum, cluster)
        cluster.advance(.seconds(2))
        guard case .failed(let failure) = cluster.getOutcome(correlation) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.code == .timeout)
        #expect(failure.message.contains("could be repaired"))
    }

    @Test func `a replica that does not know is no answer, and another is asked`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        cluster.node("dc1-n1")?.isUnreadable = true
        #expect(cluster.get("a", at: "dc1-n1", .one).text == "1")
        #expect(cluster.get("a", at: "dc1-n1", .quorum).text == "1")
        for node in ["dc1-n1", "dc1-n2"] {
            guard case .failed(let failure) = cluster.get("a", at: node, .all) else {
                Issue.record("a read at ALL counted a replica that does not know")
                return
            }
            #expect(failure.code == .unavailable)
            #expect(failure.required == 3 && failure.alive == 2)
            #expect(failure.message.hasSuffix(": dc1-n1."), "\(failure.message)")
            #expect(failure.advice.contains("would succeed"), "\(failure.advice)")
        }
        guard case .failed(let own) = cluster.get("a", at: "dc1-n1", scope: .ownCopy) else {
            Issue.record("an unreadable copy was shown as absent")
            return
        }
        #expect(own.code == .corrupt)
    }

    @Test func `the slowest replica of a quorum is outrun by one more, within the budget`() throws {
        var settings = NodeSettings()
        settings.speculativeBudget = 100
        let cluster = try LaneCluster(["dc1": 3], settings: settings)
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        let slow = try #require(cluster.replicas(of: "a").first { $0 != "dc1-n1" })
        cluster.isDropped = { $0.to == cluster.id(slow) }
        let correlation = send("a", to: "dc1-n1", .quorum, cluster)
        #expect(cluster.answer(correlation) == nil)
        cluster.advance(.milliseconds(100))
        #expect(cluster.getOutcome(correlation).text == "1")
    }

    @Test func `a deleted key is absent, with a context`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        cluster.send(.delete, to: "dc1-n2") {
            WriteRequest.encode(
                keyspace: cluster.keyspace.number,
                level: .all,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 0,
                key: Array("a".utf8),
                context: [],
                value: [],
                into: &$0
            )
        }
        guard case .value(let response) = cluster.get("a", at: "dc1-n3", .quorum) else {
            Issue.record("no answer")
            return
        }
        #expect(response.values.isEmpty)
        #expect(response.context.count == CausalContext.size)
    }

    @Test func `a value is absent from the millisecond in which it expires`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.send(.put, to: "dc1-n1") {
            WriteRequest.encode(
                keyspace: cluster.keyspace.number,
                level: .all,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 1000,
                key: Array("a".utf8),
                context: [],
                value: Array("1".utf8),
                into: &$0
            )
        }
        cluster.advance(.milliseconds(999))
        #expect(cluster.get("a", at: "dc1-n2", .quorum).text == "1")
        cluster.advance(.milliseconds(1))
        #expect(cluster.get("a", at: "dc1-n2", .quorum).text == nil)
    }

    @Test func `a trace tells the plan, the arithmetic, and who answered`() throws {
        let cluster = try LaneCluster(["dc1": 3, "dc2": 3])
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        guard case .value(let response) = cluster.get("a", at: "dc1-n1", .quorum, isTraced: true)
        else {
            Issue.record("no answer")
            return
        }
        #expect(response.trace.first?.event == "plan")
        #expect(response.trace.first?.detail.contains("QUORUM needs 4 of 6") == true)
        #expect(response.trace.filter { $0.event == "answered" }.count == 4)
    }

    @Test func `a frame that speaks of a newer topology waits for it, and is answered anyway`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let correlation = cluster.send(.get, to: "dc1-n1", epoch: 99) {
            GetRequest.encode(
                keyspace: cluster.keyspace.number,
                level: .one,
                scope: .cluster,
                kind: .value,
                timeout: 1000,
                key: Array("a".utf8),
                into: &$0
            )
        }
        #expect(cluster.answer(correlation) == nil)
        #expect(cluster.node("dc1-n1")?.effects.controlRequests.count == 1)
        cluster.advance(.seconds(2))
        #expect(cluster.answer(correlation) != nil)
    }

    @Test func `a result that outlives its connection does not reach the next one of that number`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let node = try #require(cluster.node("dc1-n1"))
        let connection = ConnectionID(9)
        var read = ByteWriter()
        let key = Array("a".utf8)
        PeerRead.encode(
            keyspace: cluster.keyspace.number,
            contents: .record,
            key: ByteRange(offset: 0, count: key.count),
            of: key.span.bytes,
            into: &read
        )
        let body = read.bytes
        node.lane.receivePeer(
            Frame.Header(kind: PeerKind.read.rawValue, correlation: 1),
            body: ByteRange(offset: 0, count: body.count),
            of: body.span.bytes,
            from: cluster.id("dc1-n2"),
            connection: connection,
            at: cluster.now,
            into: &node.effects
        )
        let job = try #require(node.effects.jobs.first)
        node.effects.jobs = []
        node.lane.disconnected(connection, into: &node.effects)
        node.lane.completed(
            .read(
                job.origin,
                .absent,
                contents: .record,
                digest: 0,
                version: .zero,
                record: []
            ),
            at: cluster.now,
            into: &node.effects
        )
        let isQuiet = node.effects.connections.isEmpty
        #expect(isQuiet)
    }

    @Test func `a scan returns every live key once, in token order, and repairs what it meets`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3, "dc2": 2])
        cluster.set("dc1-n2", isUp: false)
        var expected: Set<String> = []
        for index in 0..<200 {
            _ = cluster.put("key-\(index)", "v\(index)", at: "dc1-n1", .localQuorum)
            expected.insert("key-\(index)")
        }
        cluster.set("dc1-n2", isUp: true)
        var cursor: ScanCursor? = .start
        var keys: [String] = []
        var pages = 0
        while let start = cursor {
            pages += 1
            let correlation = cluster.send(.scan, to: "dc2-n3") {
                ScanRequest(
                    keyspace: cluster.keyspace.number,
                    level: .all,
                    contents: .values,
                    timeout: 1000,
                    maximumEntries: 7,
                    maximumSize: 1 << 20,
                    start: start,
                    prefix: []
                )
                .encode(into: &$0)
            }
            let (kind, body) = try #require(cluster.answer(correlation))
            try #require(kind == .page)
            let page = try PageResponse(
                decoding: ByteRange(offset: 0, count: body.count),
                of: body.span.bytes
            )
            keys += page.entries.map { String(decoding: $0.key, as: UTF8.self) }
            cursor = page.next
            try #require(pages < 1000)
        }
        #expect(keys.count == 200)
        #expect(Set(keys) == expected)
        for key in expected where cluster.replicas(of: key).contains("dc1-n2") {
            #expect(cluster.copy(key, of: "dc1-n2") != nil)
        }
    }

    private func send(
        _ key: String,
        to name: String,
        _ level: ConsistencyLevel,
        _ cluster: LaneCluster
    ) -> UInt64 {
        cluster.send(.get, to: name) {
            GetRequest.encode(
                keyspace: cluster.keyspace.number,
                level: level,
                scope: .cluster,
                kind: .value,
                timeout: 1000,
                key: Array(key.utf8),
                into: &$0
            )
        }
    }
}
