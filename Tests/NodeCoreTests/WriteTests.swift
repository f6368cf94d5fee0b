import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Testing

@Suite struct `Coordinated write` {
    @Test func `a quorum write is on every replica and on no other node`() throws {
        let cluster = try LaneCluster(["dc1": 2, "dc2": 1])
        for index in 0..<50 {
            let key = "key-\(index)"
            let contacted = cluster.topology.members[index % 6].name
            guard case .written(let response) = cluster.put(key, "v", at: contacted, .quorum) else {
                Issue.record("\(key) was not written")
                continue
            }
            #expect(response.shadowed == .no)
            let replicas = cluster.replicas(of: key)
            for member in cluster.topology.members {
                let copy = cluster.copy(key, of: member.name)
                #expect((copy == "v") == replicas.contains(member.name), "\(member.name) \(key)")
            }
        }
    }

    @Test func `a write goes once to each other datacenter and fans out there`() throws {
        let cluster = try LaneCluster(["dc1": 3, "dc2": 3])
        guard case .written = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        #expect(cluster.crossings == 1)
        #expect(cluster.topology.members.allSatisfy { cluster.copy("a", of: $0.name) == "1" })
    }

    @Test(arguments: [ConflictMode.lww, .siblings])
    func `a silent relay is bypassed`(mode: ConflictMode) throws {
        let cluster = try LaneCluster(["dc1": 3, "dc2": 3], mode: mode)
        // The first replica of dc2 in the plan is the relay: it swallows what it should pass on.
        let relay = try #require(cluster.replicas(of: "a").first { $0.hasPrefix("dc2") })
        cluster.isDropped = { $0.to == cluster.id(relay) }
        let correlation = put("a", "1", .eachQuorum, cluster)
        #expect(cluster.answer(correlation) == nil)
        cluster.advance(.milliseconds(200))
        guard case .written(let response) = cluster.outcome(correlation) else {
            Issue.record("not written after the relay was bypassed")
            return
        }
        #expect(response.required == 4)
        let records = cluster.replicas(of: "a").filter { $0 != relay }.map {
            cluster.node($0)?.records[cluster.keyspace.number]
        }
        #expect(records.first??.keys.map { $0 } == [Array("a".utf8)])
        #expect(Set(records).count == 1)
    }

    @Test func `with too few replicas up nothing is sent, and the answer says what would work`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3, "dc2": 3])
        cluster.set("dc1-n2", isUp: false)
        cluster.set("dc1-n3", isUp: false)
        guard case .failed(let failure) = cluster.put("a", "1", at: "dc1-n1", .localQuorum) else {
            Issue.record("the write was not refused")
            return
        }
        #expect(failure.code == .unavailable)
        #expect(failure.written == .no)
        #expect(failure.required == 2)
        #expect(failure.alive == 1)
        #expect(failure.message.hasPrefix("LOCAL_QUORUM needs 2 of 3 replicas of \"a\" in dc1"))
        #expect(failure.message.contains("dc1-n2 is down"))
        #expect(failure.advice == "Nothing was written. -c QUORUM would succeed.")
        #expect(cluster.topology.members.allSatisfy { cluster.copy("a", of: $0.name) == nil })
    }

    @Test func `a write whose replicas fall silent is unknown at its deadline, never refused`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        for name in ["dc1-n2", "dc1-n3"] { cluster.node(name)?.holdsWrites = true }
        let correlation = put("a", "1", .quorum, cluster)
        #expect(cluster.answer(correlation) == nil)
        cluster.advance(.seconds(2))
        guard case .failed(let failure) = cluster.outcome(correlation) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.code == .timeout)
        #expect(failure.written == .unknown)
        #expect(failure.acknowledged == 1)
        // The late acknowledgements find nothing, and do no harm.
        cluster.release("dc1-n2")
        cluster.release("dc1-n3")
        #expect(cluster.node("dc1-n1")?.lane.openRequestCount == 0)
    }

    @Test func `when the links break before the level is reached, the answer comes at once`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        for name in ["dc1-n2", "dc1-n3"] { cluster.node(name)?.holdsWrites = true }
        let correlation = put("a", "1", .quorum, cluster)
        cluster.breakLinks(to: "dc1-n2")
        #expect(cluster.answer(correlation) == nil)
        cluster.breakLinks(to: "dc1-n3")
        guard case .failed(let failure) = cluster.outcome(correlation) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.written == .unknown)
    }

    @Test func `a write behind a newer one is stamped anew, once, and wins`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.now.wall = WallClockTime(milliseconds: cluster.now.wall.milliseconds + 400)
        _ = cluster.put("a", "ahead", at: "dc1-n1", .all)
        // Another coordinator whose clock is behind, and who heard of nothing.
        cluster.now.wall = WallClockTime(milliseconds: cluster.now.wall.milliseconds - 400)
        let other = try LaneCluster(["dc1": 3])
        for (id, node) in cluster.nodes { other.nodes[id]?.records = node.records }
        guard case .written(let response) = other.put("a", "later", at: "dc1-n2", .quorum) else {
            Issue.record("not written")
            return
        }
        #expect(response.shadowed == .restamped)
        #expect(other.get("a", at: "dc1-n3", .all).text == "later")
    }

    @Test func `a writer who wants to be told is told, with the version that won`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.now.wall = WallClockTime(milliseconds: cluster.now.wall.milliseconds + 400)
        guard case .written(let first) = cluster.put("a", "ahead", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        let other = try LaneCluster(["dc1": 3])
        for (id, node) in cluster.nodes { other.nodes[id]?.records = node.records }
        guard
            case .written(let response) = other.put(
                "a",
                "lost",
                at: "dc1-n2",
                .quorum,
                conflict: .fail
            )
        else {
            Issue.record("no answer")
            return
        }
        #expect(response.shadowed == .lost)
        #expect(response.winner == first.version)
        #expect(other.get("a", at: "dc1-n3", .all).text == "ahead")
    }

    @Test func `a write with a context is stamped above what the context saw`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        cluster.now.wall = WallClockTime(milliseconds: cluster.now.wall.milliseconds + 400)
        guard case .written(let first) = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        let other = try LaneCluster(["dc1": 3])
        for (id, node) in cluster.nodes { other.nodes[id]?.records = node.records }
        guard
            case .written(let second) = other.put(
                "a",
                "2",
                at: "dc1-n2",
                .quorum,
                context: first.context
            )
        else {
            Issue.record("not written")
            return
        }
        #expect(second.shadowed == .no)
        #expect(second.version > first.version)
    }

    @Test func `a write is stamped above its context also where all wall clocks were set back`()
        throws
    {
        let other = try LaneCluster(["dc1": 3])
        let start = other.now.wall.milliseconds
        _ = other.put("b", "1", at: "dc1-n2", .all)
        let cluster = try LaneCluster(["dc1": 3])
        cluster.now.wall = WallClockTime(milliseconds: start + 400)
        guard case .written(let first) = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        for (id, node) in cluster.nodes { other.nodes[id]?.records = node.records }
        // Its timestamps go on from before; the context lies 400 ms ahead of them.
        other.now.wall = WallClockTime(milliseconds: start - 3_600_000)
        guard
            case .written(let second) = other.put(
                "a",
                "2",
                at: "dc1-n2",
                .all,
                context: first.context
            )
        else {
            Issue.record("not written")
            return
        }
        #expect(second.shadowed == .no)
        #expect(second.version > first.version)
    }

    @Test(arguments: ["another key", "a flipped bit", "cut", "empty of sense"])
    func `a context that is not this key's is refused and nothing is written`(_ kind: String) throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        guard case .written(let first) = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        var context = first.context
        var key = "a"
        switch kind {
        case "another key": key = "b"
        case "a flipped bit": context[5] ^= 1
        case "cut": context.removeLast()
        default: context = [1, 2, 3]
        }
        guard case .failed(let failure) = cluster.put(key, "2", at: "dc1-n1", context: context)
        else {
            Issue.record("accepted")
            return
        }
        #expect(failure.code == .invalid)
        #expect(cluster.copy(key, of: "dc1-n1") == (key == "a" ? "1" : nil))
    }

    @Test func `a stamp too far ahead of the replicas' clocks is refused, and nothing is applied`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let coordinator = "dc1-n1"
        // The coordinator is no replica of its own write here: only the others judge it.
        cluster.node(coordinator)?.holdsWrites = true
        cluster.isDropped = { _ in true }
        let ahead = cluster.now
        cluster.now.wall = WallClockTime(milliseconds: ahead.wall.milliseconds + 5000)
        var captured: [LaneCluster.Packet] = []
        cluster.isDropped = { packet in
            captured.append(packet)
            return true
        }
        _ = put("a", "1", .all, cluster)
        cluster.now.wall = ahead.wall
        var replies: [UInt8] = []
        cluster.isDropped = { packet in
            if !packet.isOnLink { replies.append(1) }
            return false
        }
        for packet in captured {
            let node = try #require(cluster.nodes[packet.to])
            guard
                case .frame(let header, let body)? = try? Frame.cut(
                    packet.bytes.span.bytes,
                    at: 0,
                    limit: 1 << 20
                )
            else { continue }
            node.lane.receivePeer(
                header,
                body: body,
                of: packet.bytes.span.bytes,
                from: packet.from,
                connection: ConnectionID(UInt32(packet.from.rawValue)),
                at: cluster.now,
                into: &node.effects
            )
        }
        cluster.run()
        #expect(replies.count == 2)
        #expect(cluster.copy("a", of: "dc1-n2") == nil)
        #expect(cluster.copy("a", of: "dc1-n3") == nil)
    }

    @Test func `keys and values over their limits are refused by name`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        let cases: [(key: Int, value: Int, code: FailureCode)] = [
            (0, 1, .invalid), (1025, 1, .tooLarge), (1, 1024 * 1024 + 1, .tooLarge),
        ]
        for (key, value, code) in cases {
            let outcome = cluster.put(
                String(repeating: "k", count: key),
                String(repeating: "v", count: value),
                at: "dc1-n1"
            )
            guard case .failed(let failure) = outcome else {
                Issue.record("a key of \(key) and a value of \(value) bytes were accepted")
                continue
            }
            #expect(failure.code == code)
        }
        guard case .written = cluster.put(String(repeating: "k", count: 1024), "", at: "dc1-n1")
        else {
            Issue.record("the greatest key was refused")
            return
        }
    }

    @Test func `a level that the replication can never meet is invalid, not unavailable`() throws {
        let cluster = try LaneCluster(["dc1": 2])
        guard case .failed(let three) = cluster.put("a", "1", at: "dc1-n1", .three) else {
            Issue.record("accepted")
            return
        }
        #expect(three.code == .invalid)
        guard case .failed(let local) = cluster.put("a", "1", at: "dc2-n1", .localQuorum) else {
            Issue.record("accepted")
            return
        }
        #expect(local.code == .invalid)
        #expect(local.message.contains("dc2"))
    }

    @Test func `schema, fault and upkeep requests from anyone but an admin are forbidden`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        for kind in [ClientKind.createKeyspace, .dropKeyspace, .fault, .upkeep] {
            let correlation = cluster.send(kind, to: "dc1-n1") { _ in }
            guard case .failed(let failure) = cluster.outcome(correlation) else {
                Issue.record("\(kind) was not refused")
                continue
            }
            #expect(failure.code == .forbidden)
        }
        #expect(cluster.node("dc1-n1")?.effects.controlRequests.isEmpty == true)
    }

    private func put(
        _ value: String,
        stamped milliseconds: UInt64,
        _ cluster: LaneCluster
    ) -> LaneCluster.PutOutcome {
        cluster.outcome(
            cluster.send(.put, to: "dc1-n1") {
                WriteRequest.encode(
                    keyspace: cluster.keyspace.number,
                    level: .quorum,
                    conflict: .restamp,
                    timeout: 1000,
                    lifetime: 0,
                    timestamp: milliseconds,
                    key: Array("a".utf8),
                    context: [],
                    value: Array(value.utf8),
                    into: &$0
                )
            }
        )
    }

    @Test func `a client's timestamp near the clock is the write's, and is not exchanged`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        let now = cluster.now.wall.milliseconds
        guard case .written(let first) = put("1", stamped: now + 400, cluster) else {
            Issue.record("a timestamp within the bound was refused")
            return
        }
        #expect(first.version.timestamp.wall.milliseconds == now + 400)
        guard case .written(let earlier) = put("0", stamped: now - 400, cluster) else {
            Issue.record("an earlier timestamp within the bound was refused")
            return
        }
        #expect(earlier.shadowed == .lost)
        #expect(earlier.winner == first.version)
        #expect(cluster.get("a", at: "dc1-n2", .quorum).text == "1")
        guard case .written(let second) = put("2", stamped: now + 400, cluster) else {
            Issue.record("a second write of the same millisecond was refused")
            return
        }
        #expect(second.version > first.version)
    }

    @Test func `a client's timestamp used again after a restart makes another version`() throws {
        var versions: Set<Version> = []
        for life in 1...3 as ClosedRange<UInt64> {
            let cluster = try LaneCluster(["dc1": 3], life: life)
            for _ in 0..<5 {
                let now = cluster.now.wall.milliseconds
                guard case .written(let response) = put("1", stamped: now, cluster) else {
                    Issue.record("a timestamp within the bound was refused")
                    return
                }
                versions.insert(response.version)
            }
        }
        #expect(versions.count == 15)
    }

    @Test func `a client's timestamp far from the clock is refused, and so is one of siblings`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let now = cluster.now.wall.milliseconds
        for stamp in [now + 501, now - 501, 1, .max] {
            guard case .failed(let failure) = put("1", stamped: stamp, cluster) else {
                Issue.record("the timestamp \(stamp) was taken")
                continue
            }
            #expect(failure.code == .invalid)
            #expect(failure.message.contains("the most is 500 ms"))
        }
        let siblings = try LaneCluster(["dc1": 3], mode: .siblings)
        guard case .failed(let failure) = put("1", stamped: now, siblings) else {
            Issue.record("a timestamp was taken where siblings are kept")
            return
        }
        #expect(failure.message.contains("takes no timestamps"))
    }

    private func put(
        _ key: String,
        _ value: String,
        _ level: ConsistencyLevel,
        _ cluster: LaneCluster
    ) -> UInt64 {
        cluster.send(.put, to: "dc1-n1") {
            WriteRequest.encode(
                keyspace: cluster.keyspace.number,
                level: level,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 0,
                key: Array(key.utf8),
                context: [],
                value: Array(value.utf8),
                into: &$0
            )
        }
    }
}
