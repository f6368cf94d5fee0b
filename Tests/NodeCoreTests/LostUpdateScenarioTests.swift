import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Replication
import Testing

/// The ways in which stores of this kind have lost updates, or brought deleted ones back: each
/// runs twice, with the rule that prevents it and without.
@Suite struct `Known ways to lose an update` {
    /// Three replicas, all of every key.
    private static func cluster() throws -> LaneCluster {
        try LaneCluster(["dc1": 3], datacenters: ["dc1"], mode: .siblings)
    }

    private static func read(_ cluster: LaneCluster) throws -> ValueResponse {
        guard case .value(let response) = cluster.get("k", at: "dc1-n2", .all) else {
            throw NoAnswer()
        }
        return response
    }

    private static func values(_ cluster: LaneCluster) throws -> [String] {
        try read(cluster).values.map { String(decoding: $0.bytes, as: UTF8.self) }.sorted()
    }

    /// Writes through a node, in place of all that is there.
    private static func overwrite(_ value: String, at name: String, _ cluster: LaneCluster) throws {
        _ = cluster.put("k", value, at: name, .all, context: try read(cluster).context)
    }

    private static func delete(at name: String, _ cluster: LaneCluster) throws {
        let context = try read(cluster).context
        cluster.send(.delete, to: name) {
            WriteRequest.encode(
                keyspace: cluster.keyspace.number,
                level: .all,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 0,
                key: [107],
                context: context,
                value: [],
                into: &$0
            )
        }
    }

    private static func copy(of name: String, _ cluster: LaneCluster) -> [UInt8] {
        cluster.node(name)?.records[cluster.keyspace.number]?[[107]] ?? []
    }

    private static func setCopy(_ copy: [UInt8]?, of name: String, _ cluster: LaneCluster) {
        cluster.node(name)?.records[cluster.keyspace.number, default: [:]][[107]] = copy
    }

    private struct NoAnswer: Error {}

    @Test(arguments: [true, false])
    func `a node that lost its copy counts on under a new name`(hasRule: Bool) throws {
        let cluster = try Self.cluster()
        for value in ["1", "2", "3"] { try Self.overwrite(value, at: "dc1-n1", cluster) }
        Self.setCopy(nil, of: "dc1-n1", cluster)
        if hasRule { cluster.node("dc1-n1")?.actor = ActorID(high: 9, low: 9) }
        _ = cluster.put("k", "new", at: "dc1-n1", .all)
        #expect(try Self.values(cluster).contains("new") == hasRule)
    }

    @Test(arguments: [true, false])
    func `who keeps no copy of a key mints nothing for it`(hasRule: Bool) throws {
        let cluster = try LaneCluster(["dc1": 2], datacenters: ["dc1"], mode: .siblings)
        let stranger = try #require(
            cluster.topology.members.map(\.name)
                .first { !cluster.replicas(of: "k").contains($0) }
        )
        for value in ["1", "2"] {
            if hasRule {
                _ = cluster.put("k", value, at: stranger, .all)
            } else {
                Self.coordinateWithoutCopy(value, at: stranger, cluster)
            }
        }
        let replica = try #require(cluster.replicas(of: "k").first)
        guard case .value(let response) = cluster.get("k", at: replica, .all) else {
            Issue.record("no answer")
            return
        }
        #expect(response.values.count == (hasRule ? 2 : 1))
    }

    /// What a stand-in does that hands its copy on and forgets it.
    private static func coordinateWithoutCopy(
        _ value: String,
        at name: String,
        _ cluster: LaneCluster
    ) {
        let outcome = RecordMode.siblings.apply(
            .put(value: Array(value.utf8), expiry: nil),
            seen: nil,
            to: [],
            UpdateTerms(
                version: Version(
                    timestamp: HybridTimestamp(wall: cluster.now.wall),
                    node: cluster.id(name),
                    lane: 0
                ),
                actor: cluster.node(name)?.actor ?? ActorID(high: 0, low: 0),
                wall: cluster.now.wall,
                maximumSize: 1 << 20
            )
        )
        guard case .changed(let record, _) = outcome else { return }
        for replica in cluster.replicas(of: "k") {
            let joined = RecordMode.siblings.joined(copy(of: replica, cluster), record)
            setCopy(joined, of: replica, cluster)
        }
    }

    @Test(arguments: [true, false])
    func `a context that is ahead of the coordinator's copy moves its numbers on`(hasRule: Bool)
        throws
    {
        let cluster = try Self.cluster()
        try Self.overwrite("1", at: "dc1-n1", cluster)
        let old = Self.copy(of: "dc1-n1", cluster)
        for value in ["2", "3"] { try Self.overwrite(value, at: "dc1-n1", cluster) }
        let set = try SiblingSet(decoding: Self.copy(of: "dc1-n1", cluster).span.bytes)
        let seen = set.context(in: Self.copy(of: "dc1-n1", cluster).span.bytes)
        let actor = try #require(cluster.node("dc1-n1")?.actor)
        var believed = seen
        if !hasRule {
            believed = VersionVector()
            for entry in seen.entries where entry.actor != actor {
                believed.insert(Dot(actor: entry.actor, counter: entry.counter))
            }
        }
        let outcome = RecordMode.siblings.apply(
            .put(value: Array("new".utf8), expiry: nil),
            seen: CausalContext(siblings: believed),
            to: old,
            UpdateTerms(
                version: Version(
                    timestamp: HybridTimestamp(
                        wall: WallClockTime(milliseconds: cluster.now.wall.milliseconds + 100)
                    ),
                    node: cluster.id("dc1-n1"),
                    lane: 0
                ),
                actor: actor,
                wall: cluster.now.wall,
                maximumSize: 1 << 20
            )
        )
        guard case .changed(let record, _) = outcome else {
            Issue.record("the write was refused")
            return
        }
        Self.setCopy(RecordMode.siblings.joined(old, record), of: "dc1-n1", cluster)
        #expect(try Self.values(cluster).contains("new") == hasRule)
    }

    @Test(arguments: [true, false])
    func `no two nodes mint under one name`(hasRule: Bool) throws {
        let cluster = try Self.cluster()
        if !hasRule, let first = cluster.node("dc1-n1") {
            cluster.node("dc1-n2")?.actor = first.actor
        }
        cluster.isDropped = { _ in true }
        _ = cluster.put("k", "1", at: "dc1-n1", .one)
        _ = cluster.put("k", "2", at: "dc1-n2", .one)
        cluster.advance(.seconds(2))
        cluster.isDropped = { _ in false }
        #expect(try Self.values(cluster).count == (hasRule ? 2 : 1))
    }

    @Test(arguments: [true, false])
    func `a deletion is kept while a replica might have it alone, so that what follows wins`(
        hasRule: Bool
    ) throws {
        let cluster = try Self.cluster()
        try Self.overwrite("1", at: "dc1-n1", cluster)
        try Self.delete(at: "dc1-n1", cluster)
        cluster.set("dc1-n3", isUp: false)
        if !hasRule {
            // The two that are there forget the deletion.
            Self.setCopy(nil, of: "dc1-n1", cluster)
            Self.setCopy(nil, of: "dc1-n2", cluster)
        }
        _ = cluster.put("k", "new", at: "dc1-n1", .quorum)
        cluster.set("dc1-n3", isUp: true)
        #expect(try Self.values(cluster) == (hasRule ? ["new"] : []))
    }

    @Test(arguments: [true, false])
    func `a deletion is kept until all replicas have it, so that nothing comes back`(
        hasRule: Bool
    ) throws {
        let cluster = try Self.cluster()
        try Self.overwrite("1", at: "dc1-n1", cluster)
        let old = Self.copy(of: "dc1-n3", cluster)
        try Self.delete(at: "dc1-n1", cluster)
        // It did not reach the third one.
        Self.setCopy(old, of: "dc1-n3", cluster)
        if !hasRule {
            Self.setCopy(nil, of: "dc1-n1", cluster)
            Self.setCopy(nil, of: "dc1-n2", cluster)
        }
        #expect(try Self.values(cluster) == (hasRule ? [] : ["1"]))
    }
}
