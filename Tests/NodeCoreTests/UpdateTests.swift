import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication
import Testing

@Suite struct `Coordinated update` {
    private func texts(_ outcome: LaneCluster.GetOutcome) -> [String]? {
        guard case .value(let response) = outcome else { return nil }
        return response.values.map { String(decoding: $0.bytes, as: UTF8.self) }.sorted()
    }

    private func written(_ outcome: LaneCluster.PutOutcome) throws -> WrittenResponse {
        guard case .written(let response) = outcome else {
            if case .failed(let failure) = outcome { Issue.record("\(failure.message)") }
            throw NotWritten()
        }
        return response
    }

    private func failure(_ outcome: LaneCluster.PutOutcome) throws -> FailureResponse {
        guard case .failed(let failure) = outcome else { throw NotRefused() }
        return failure
    }

    private struct NotWritten: Error {}
    private struct NotRefused: Error {}

    private func update(
        _ key: String,
        _ change: UpdateRequest.Change,
        at name: String,
        _ level: ConsistencyLevel? = nil,
        context: [UInt8] = [],
        _ cluster: LaneCluster
    ) -> LaneCluster.PutOutcome {
        cluster.outcome(
            cluster.send(.update, to: name) {
                UpdateRequest.encode(
                    keyspace: cluster.keyspace.number,
                    level: level,
                    timeout: 1000,
                    key: Array(key.utf8),
                    context: context,
                    change: change,
                    into: &$0
                )
            }
        )
    }

    private func delete(
        _ key: String,
        at name: String,
        context: [UInt8] = [],
        _ cluster: LaneCluster
    ) -> LaneCluster.PutOutcome {
        cluster.outcome(
            cluster.send(.delete, to: name) {
                WriteRequest.encode(
                    keyspace: cluster.keyspace.number,
                    level: nil,
                    conflict: .restamp,
                    timeout: 1000,
                    lifetime: 0,
                    key: Array(key.utf8),
                    context: context,
                    value: [],
                    into: &$0
                )
            }
        )
    }

    @Test func `a map of 50,000 small registers is read with all its entries`() throws {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"], mode: .map)
        let version = Version(
            timestamp: HybridTimestamp(wall: cluster.now.wall),
            node: NodeID(1),
            lane: 0
        )
        var history = DotCloud()
        history.insert(upTo: Dot(actor: ActorID(high: 0, low: 1), counter: 50_000))
        // A map as it is on disk, for writing field by field takes long.
        var writer = ByteWriter()
        writer.version(version)
        history.encode(into: &writer)
        writer.varint(50_000)
        for index in 0..<50_000 as Range<UInt64> {
            writer.uint8(MapFieldKind.register.rawValue)
            writer.varint(2)
            writer.raw([UInt8(index >> 8), UInt8(truncatingIfNeeded: index)])
            writer.varint(1)
            writer.varint(0)
            writer.varint(index + 1)
            writer.version(version)
            writer.varint(1)
            writer.raw([UInt8(index % 251)])
        }
        let replica = cluster.replicas(of: "a")[0]
        cluster.node(replica)?.records[cluster.keyspace.number] = [Array("a".utf8): writer.bytes]
        guard case .value(let response) = cluster.get("a", at: replica),
            case .map(let entries) = response.contents
        else {
            Issue.record("the map was not read")
            return
        }
        #expect(entries.count == 50_000)
        let isSame = entries.enumerated().allSatisfy { index, entry in
            entry.name == [UInt8(index >> 8), UInt8(index & 255)]
                && entry.contents == .register([UInt8(index % 251)])
        }
        #expect(isSame)
    }

    @Test func `writes on both sides of a cut are both there after it`() throws {
        let cluster = try LaneCluster(["dc1": 2, "dc2": 2], mode: .siblings)
        let replicas = cluster.replicas(of: "a")
        let east = try #require(replicas.first { $0.hasPrefix("dc1") })
        let west = try #require(replicas.first { $0.hasPrefix("dc2") })
        cluster.isDropped = { packet in
            cluster.topology.member(packet.from)?.datacenter
                != cluster.topology.member(packet.to)?.datacenter
        }
        #expect(try written(cluster.put("a", "1", at: east, .localQuorum)).siblings == 1)
        #expect(try written(cluster.put("a", "2", at: west, .localQuorum)).siblings == 1)
        cluster.isDropped = { _ in false }
        guard case .value(let response) = cluster.get("a", at: east, .all) else {
            Issue.record("no answer at ALL")
            return
        }
        #expect(response.values.count == 2)
        for name in replicas {
            #expect(texts(cluster.get("a", at: name, scope: .ownCopy)) == ["1", "2"])
        }
        let merged = cluster.put("a", "3", at: west, .all, context: response.context)
        #expect(try written(merged).siblings == 1)
        #expect(texts(cluster.get("a", at: east, .one)) == ["3"])
    }

    @Test func `only a replica coordinates, wherever the client asks`() throws {
        let cluster = try LaneCluster(["dc1": 2], mode: .siblings)
        let replicas = cluster.replicas(of: "a")
        let others = cluster.topology.members.map(\.name).filter { !replicas.contains($0) }
        for name in others {
            let response = try written(cluster.put("a", "1", at: name, .quorum))
            let coordinator = try #require(cluster.topology.member(response.coordinator)?.name)
            #expect(replicas.contains(coordinator))
        }
        for name in replicas { cluster.set(name, isUp: false) }
        let stranger = try #require(others.first)
        #expect(try failure(cluster.put("a", "1", at: stranger, .one)).code == .unavailable)
    }

    @Test func `a local level is not served by a replica of another datacenter`() throws {
        let cluster = try LaneCluster(["dc1": 2, "dc2": 2], mode: .siblings)
        let replicas = cluster.replicas(of: "a")
        let stranger = try #require(
            cluster.topology.members.map(\.name).first {
                $0.hasPrefix("dc1") && !replicas.contains($0)
            }
        )
        for name in replicas where name.hasPrefix("dc1") { cluster.set(name, isUp: false) }
        let refusal = try failure(cluster.put("a", "1", at: stranger, .localQuorum))
        #expect(refusal.code == .unavailable)
        let response = try written(cluster.put("a", "1", at: stranger, .one))
        let coordinator = try #require(cluster.topology.member(response.coordinator)?.name)
        #expect(coordinator.hasPrefix("dc2"))
    }

    @Test func `nothing leaves the node before its own copy is durable`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        var sent = 0
        cluster.isDropped = { packet in
            if packet.from == cluster.id("dc1-n1") { sent += 1 }
            return false
        }
        cluster.node("dc1-n1")?.holdsUpdates = true
        let correlation = cluster.send(.put, to: "dc1-n1") {
            WriteRequest.encode(
                keyspace: cluster.keyspace.number,
                level: .one,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 0,
                key: Array("a".utf8),
                context: [],
                value: [1],
                into: &$0
            )
        }
        #expect(sent == 0)
        #expect(cluster.answer(correlation) == nil)
        cluster.release("dc1-n1")
        #expect(sent > 0)
        #expect(cluster.answer(correlation)?.kind == .written)
    }

    @Test func `33 blind writes are refused with the values and a context that resolves them`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        for index in 0..<32 { _ = cluster.put("a", "\(index)", at: "dc1-n1", .quorum) }
        let refusal = try failure(cluster.put("a", "more", at: "dc1-n1", .quorum))
        #expect(refusal.code == .conflict)
        #expect(refusal.written == .no)
        #expect(refusal.message.contains("33 siblings"))
        #expect(refusal.values.count == 32)
        let resolved = cluster.put("a", "all", at: "dc1-n1", .quorum, context: refusal.context)
        #expect(try written(resolved).siblings == 1)
        #expect(texts(cluster.get("a", at: "dc1-n2", .quorum)) == ["all"])
    }

    @Test func `large values come with the refusal as well, and its context resolves them`() throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        let value = String(repeating: "x", count: 8192)
        for index in 0..<32 { _ = cluster.put("a", value + "\(index)", at: "dc1-n1", .quorum) }
        let refusal = try failure(cluster.put("a", "more", at: "dc1-n1", .quorum))
        #expect(refusal.values.map(\.bytes.count).allSatisfy { $0 > 8192 })
        #expect(refusal.values.count == 32)
        let resolved = cluster.put("a", "all", at: "dc1-n1", .quorum, context: refusal.context)
        #expect(try written(resolved).siblings == 1)
    }

    @Test func `a record that no frame holds is refused to readers, with what resolves it`() throws
    {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"], mode: .siblings)
        let replica = try #require(cluster.replicas(of: "a").first)
        // Two sides of a cut made it; no single write does.
        let mode = RecordMode.siblings
        var record: [UInt8] = []
        for actor in 1...3 as ClosedRange<UInt64> {
            let outcome = mode.apply(
                .put(value: Array(repeating: 1, count: 3_500_000), expiry: nil),
                seen: nil,
                to: [],
                UpdateTerms(
                    version: Version(
                        timestamp: HybridTimestamp(rawValue: actor),
                        node: NodeID(1),
                        lane: 0
                    ),
                    actor: ActorID(high: 7, low: actor),
                    wall: cluster.now.wall,
                    maximumSize: 1 << 30
                )
            )
            if case .changed(let change, _) = outcome { record = mode.joined(record, change) }
        }
        cluster.node(replica)?.records[cluster.keyspace.number] = [[97]: record]
        guard case .failed(let failure) = cluster.get("a", at: replica, .one) else {
            Issue.record("an answer beyond a frame was made")
            return
        }
        #expect(failure.code == .tooLarge)
        let resolved = cluster.put("a", "1", at: replica, .one, context: failure.context)
        #expect(try written(resolved).siblings == 1)
        #expect(texts(cluster.get("a", at: replica, .one)) == ["1"])
    }

    @Test func `what three sides made that never met is repaired, refused to readers and resolved`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], datacenters: ["dc1"], mode: .siblings)
        let replicas = cluster.replicas(of: "a")
        let value = String(repeating: "x", count: 900_000)
        cluster.isDropped = { _ in true }
        for name in replicas {
            for _ in 0..<4 { _ = try written(cluster.put("a", value, at: name, .one)) }
        }
        cluster.isDropped = { _ in false }
        guard case .failed(let failure) = cluster.get("a", at: replicas[0], .all) else {
            Issue.record("an answer beyond a frame was made")
            return
        }
        #expect(failure.code == .tooLarge)
        #expect(!failure.context.isEmpty)
        let copies = replicas.map { cluster.node($0)?.records[cluster.keyspace.number]?[[97]] }
        let first = try #require(copies[0])
        #expect(first.count > Frame.maximumBodySize)
        #expect(copies.allSatisfy { $0 == first })
        let resolved = cluster.put("a", "1", at: replicas[1], .all, context: failure.context)
        #expect(try written(resolved).siblings == 1)
        #expect(texts(cluster.get("a", at: replicas[2], .all)) == ["1"])
    }

    @Test func `a scan ends before a key that no answer holds, and says which it is`() throws {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"], mode: .siblings)
        let holder = "dc1-n1"
        let value = String(repeating: "x", count: 900_000)
        var large: [UInt8] = []
        for actor in 1...10 as ClosedRange<UInt64> {
            let outcome = RecordMode.siblings.apply(
                .put(value: Array(value.utf8), expiry: nil),
                seen: nil,
                to: [],
                UpdateTerms(
                    version: Version(
                        timestamp: HybridTimestamp(rawValue: actor),
                        node: NodeID(1),
                        lane: 0
                    ),
                    actor: ActorID(high: 7, low: actor),
                    wall: cluster.now.wall,
                    maximumSize: 1 << 30
                )
            )
            if case .changed(let change, _) = outcome {
                large = RecordMode.siblings.joined(large, change)
            }
        }
        // The keys of one node of which it is the replica, in the order of a scan.
        let keys = (0..<100).map { "k\($0)" }.filter { cluster.replicas(of: $0) == [holder] }
            .sorted { Token(ofKey: Array($0.utf8)).ordered < Token(ofKey: Array($1.utf8)).ordered }
        let (small, big) = (keys[0], keys[1])
        _ = try written(cluster.put(small, "1", at: holder, .one))
        cluster.node(holder)?.records[cluster.keyspace.number]?[Array(big.utf8)] = large
        var next: ScanCursor? = .start
        var seen: [String] = []
        var refusal: FailureResponse?
        while let start = next, refusal == nil {
            let correlation = cluster.send(.scan, to: holder) {
                ScanRequest(
                    keyspace: cluster.keyspace.number,
                    level: .one,
                    contents: .values,
                    timeout: 1000,
                    maximumEntries: 10,
                    maximumSize: 1 << 20,
                    start: start,
                    prefix: []
                ).encode(into: &$0)
            }
            let (kind, body) = try #require(cluster.answer(correlation))
            let all = ByteRange(offset: 0, count: body.count)
            if kind == .page {
                let page = try PageResponse(decoding: all, of: body.span.bytes)
                seen += page.entries.map { String(decoding: $0.key, as: UTF8.self) }
                next = page.next
            } else {
                refusal = try FailureResponse(decoding: all, of: body.span.bytes)
            }
        }
        #expect(seen == [small])
        #expect(refusal?.code == .tooLarge)
        #expect(refusal?.message.contains(big) == true)
    }

    @Test func `a deletion with what was read leaves nothing, and a new value is alone`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        _ = cluster.put("a", "2", at: "dc1-n2", .all)
        guard case .value(let read) = cluster.get("a", at: "dc1-n3", .quorum) else {
            Issue.record("no answer")
            return
        }
        #expect(read.values.count == 2)
        _ = try written(delete("a", at: "dc1-n3", context: read.context, cluster))
        guard case .value(let gone) = cluster.get("a", at: "dc1-n1", .all) else {
            Issue.record("no answer")
            return
        }
        #expect(gone.values.isEmpty)
        #expect(!gone.context.isEmpty)
        #expect(try written(cluster.put("a", "3", at: "dc1-n2", .quorum)).siblings == 1)
        #expect(texts(cluster.get("a", at: "dc1-n1", .all)) == ["3"])
    }

    @Test func `increments add up whichever replicas coordinate them, each id once`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        for (index, name) in cluster.replicas(of: "a").enumerated() {
            let outcome = update("a", .increment(10, id: []), at: name, .one, cluster)
            #expect(try written(outcome).sum == Int64(10 * (index + 1)))
        }
        for name in cluster.replicas(of: "a") {
            _ = update("a", .increment(5, id: [9]), at: name, .quorum, cluster)
        }
        guard case .value(let response) = cluster.get("a", at: "dc1-n1", .all) else {
            Issue.record("no answer")
            return
        }
        #expect(response.contents == .counter(35))
    }

    @Test func `the same id with another amount is refused`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        _ = update("a", .increment(5, id: [9]), at: "dc1-n1", .all, cluster)
        let refusal = try failure(
            update("a", .increment(6, id: [9]), at: "dc1-n2", .quorum, cluster)
        )
        #expect(refusal.code == .invalid)
        #expect(refusal.written == .no)
    }

    @Test func `a coordinator whose own disk is slow says so`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        cluster.node("dc1-n1")?.holdsUpdates = true
        _ = update("a", .increment(5, id: []), at: "dc1-n1", .quorum, cluster)
        cluster.advance(.seconds(2))
        let answer = try #require(cluster.answers.last)
        let failure = try failure(cluster.outcome(answer.correlation))
        #expect(failure.code == .timeout)
        #expect(failure.written == .unknown)
        #expect(
            failure.message == "QUORUM got 0 of 2 acknowledgements for \"a\"; dc1-n1 had not "
                + "changed its own copy yet."
        )
        cluster.release("dc1-n1")
        #expect(cluster.answers.count == 1)
    }

    @Test func `a coordinator that loses the others while it writes its own copy names them`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        cluster.node("dc1-n1")?.holdsUpdates = true
        _ = update("a", .increment(5, id: []), at: "dc1-n1", .quorum, cluster)
        for name in ["dc1-n2", "dc1-n3"] {
            cluster.breakLinks(to: name)
            cluster.set(name, isUp: false)
        }
        cluster.release("dc1-n1")
        let answer = try #require(cluster.answers.last)
        let failure = try failure(cluster.outcome(answer.correlation))
        #expect(failure.written == .unknown)
        #expect(
            failure.message == "QUORUM got 1 of 2 acknowledgements for \"a\"; dc1-n2, dc1-n3 "
                + "could not be asked."
        )
    }

    @Test func `a retry is on as many replicas as its level asks for before it is answered`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        cluster.isDropped = { $0.isOnLink && $0.from == cluster.id("dc1-n1") }
        _ = update("a", .increment(5, id: [9]), at: "dc1-n1", .quorum, cluster)
        cluster.advance(.seconds(2))
        cluster.isDropped = { _ in false }
        let retry = update("a", .increment(5, id: [9]), at: "dc1-n1", .all, cluster)
        #expect(try written(retry).acknowledged == 3)
        for name in cluster.replicas(of: "a") {
            guard case .value(let copy) = cluster.get("a", at: name, scope: .ownCopy) else {
                Issue.record("no copy on \(name)")
                continue
            }
            #expect(copy.contents == .counter(5))
        }
    }

    @Test func `a replica that has not seen what a removal saw asks the others first`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .set)
        cluster.isDropped = { $0.to == cluster.id("dc1-n3") || $0.from == cluster.id("dc1-n3") }
        let added = update("a", .add([[1], [2]]), at: "dc1-n1", .quorum, cluster)
        let context = try written(added).context
        cluster.isDropped = { _ in false }
        let removed = update(
            "a",
            .remove([[1]]),
            at: "dc1-n3",
            .quorum,
            context: context,
            cluster
        )
        _ = try written(removed)
        guard case .value(let response) = cluster.get("a", at: "dc1-n2", .all) else {
            Issue.record("no answer")
            return
        }
        #expect(response.contents == .set([[2]]))
    }

    @Test func `a replica that does not know what it held goes on with what the others hold`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        _ = update("a", .increment(5, id: [9]), at: "dc1-n1", .all, cluster)
        let lost = try #require(cluster.node("dc1-n2"))
        lost.records = [:]
        lost.isUnreadable = true
        lost.actor = ActorID(high: 77, low: 1)
        #expect(
            try written(update("a", .increment(5, id: [9]), at: "dc1-n2", .quorum, cluster)).sum
                == 5
        )
        #expect(
            try written(update("a", .increment(1, id: []), at: "dc1-n2", .quorum, cluster)).sum
                == 6
        )
    }

    @Test func `the only replica takes writes though it does not know what it held`() throws {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"], mode: .siblings)
        let replica = try #require(cluster.replicas(of: "a").first)
        cluster.node(replica)?.isUnreadable = true
        #expect(try written(cluster.put("a", "1", at: replica, .one)).siblings == 1)
        cluster.node(replica)?.isUnreadable = false
        #expect(texts(cluster.get("a", at: replica, .one)) == ["1"])
    }

    @Test(arguments: [ConflictMode.siblings, .counter, .set])
    func `where no copy is known, what needs none is taken and a removal is refused`(
        mode: ConflictMode
    ) throws {
        let cluster = try LaneCluster(["dc1": 2], datacenters: ["dc1"], mode: mode)
        let names = cluster.replicas(of: "a")
        for name in names { cluster.node(name)?.isUnreadable = true }
        let outcome =
            switch mode {
            case .siblings: cluster.put("a", "1", at: names[0], .all)
            case .counter: update("a", .increment(3, id: []), at: names[0], .all, cluster)
            default: update("a", .add([[1]]), at: names[0], .all, cluster)
            }
        #expect(try written(outcome).acknowledged == 2)
        if mode != .siblings {
            let refusal = try failure(delete("a", at: names[0], cluster))
            #expect(refusal.code == .unavailable)
            #expect(refusal.advice.hasPrefix("Nothing was written. "))
        }
        for name in names { cluster.node(name)?.isUnreadable = false }
        guard case .value(let read) = cluster.get("a", at: names[1], .all) else {
            Issue.record("no answer")
            return
        }
        switch mode {
        case .siblings: #expect(read.values.count == 1)
        case .counter: #expect(read.contents == .counter(3))
        default: #expect(read.contents == .set([[1]]))
        }
    }

    @Test(arguments: [ConflictMode.counter, .set, .lastWriterSet, .map])
    func `a deletion through a replica that missed a write takes what the level holds`(
        mode: ConflictMode
    ) throws {
        let cluster = try LaneCluster(["dc1": 3], datacenters: ["dc1"], mode: mode)
        let names = cluster.replicas(of: "a")
        let behind = cluster.id(names[2])
        cluster.isDropped = { $0.to == behind || $0.from == behind }
        let change: UpdateRequest.Change =
            switch mode {
            case .counter: .increment(5, id: [])
            case .map: .change(field: [1], .stampAdded([[1]]))
            default: .add([[1]])
            }
        #expect(try written(update("a", change, at: names[0], .quorum, cluster)).acknowledged == 2)
        cluster.isDropped = { _ in false }
        _ = try written(delete("a", at: names[2], cluster))
        guard case .value(let read) = cluster.get("a", at: names[1], .all) else {
            Issue.record("no answer")
            return
        }
        switch mode {
        case .counter: #expect(read.contents == .counter(0))
        case .map: #expect(read.contents == .map([]))
        default: #expect(read.contents == .set([]))
        }
    }

    @Test func `fields of a map are read together`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .map)
        _ = update("a", .change(field: [1], .write([7])), at: "dc1-n1", .quorum, cluster)
        _ = update("a", .change(field: [2], .increment(3)), at: "dc1-n2", .quorum, cluster)
        guard case .value(let response) = cluster.get("a", at: "dc1-n3", .all) else {
            Issue.record("no answer")
            return
        }
        #expect(
            response.contents
                == .map([
                    MapEntry(name: [1], contents: .register([7])),
                    MapEntry(name: [2], contents: .counter(3)),
                ])
        )
    }

    @Test(arguments: ConflictMode.allCases)
    func `a wrong verb is refused with the right ones named`(mode: ConflictMode) throws {
        let cluster = try LaneCluster(["dc1": 3], mode: mode)
        let isValue = mode == .lww || mode == .siblings
        let put = cluster.put("a", "1", at: "dc1-n1")
        if isValue {
            _ = try written(put)
        } else {
            let refusal = try failure(put)
            #expect(refusal.code == .invalid)
            #expect(refusal.advice.contains("Use "))
        }
        let isCounter = mode == .counter || mode == .growOnlyCounter
        let count = update("a", .increment(1, id: []), at: "dc1-n1", nil, cluster)
        if isCounter {
            _ = try written(count)
        } else {
            #expect(try failure(count).message.contains("mode \(mode)"))
        }
        let get = cluster.send(.get, to: "dc1-n1") {
            GetRequest.encode(
                keyspace: cluster.keyspace.number,
                level: nil,
                scope: .cluster,
                kind: .map,
                timeout: 1000,
                key: Array("a".utf8),
                into: &$0
            )
        }
        #expect(cluster.answer(get)?.kind == (mode == .map ? .value : .failure))
    }

    @Test func `a context of another mode, key or cluster is refused`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        _ = cluster.put("a", "1", at: "dc1-n1", .quorum)
        guard case .value(let read) = cluster.get("a", at: "dc1-n1", .quorum) else {
            Issue.record("no answer")
            return
        }
        var forged = read.context
        forged[5] ^= 1
        for context in [forged, [1, 2, 3], Array(read.context.dropLast())] {
            let refusal = try failure(cluster.put("a", "2", at: "dc1-n1", context: context))
            #expect(refusal.code == .invalid)
        }
        let elsewhere = cluster.put("b", "2", at: "dc1-n1", context: read.context)
        #expect(try failure(elsewhere).code == .invalid)
        #expect(texts(cluster.get("a", at: "dc1-n1", .quorum)) == ["1"])
    }

    @Test func `a context of a key that three replicas wrote has at most 96 bytes`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        for name in cluster.replicas(of: "a") { _ = cluster.put("a", name, at: name, .all) }
        guard case .value(let read) = cluster.get("a", at: "dc1-n1", .all) else {
            Issue.record("no answer")
            return
        }
        #expect(read.values.count == 3)
        #expect(read.context.count <= 96)
    }

    @Test func `the sibling that reaches the warning is told to the operator`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        for index in 0..<8 { _ = cluster.put("a", "\(index)", at: "dc1-n1", .quorum) }
        let notices = cluster.node("dc1-n1")?.effects.notices ?? []
        #expect(
            notices.contains(
                .manySiblings(keyspace: cluster.keyspace.number, key: [97], count: 8)
            )
        )
    }

    @Test func `entries that no retry needs any more are folded on all replicas`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        for id: UInt8 in 1...5 {
            _ = update("a", .increment(1, id: [id]), at: "dc1-n1", .all, cluster)
        }
        cluster.advance(.seconds(601))
        let last = update("a", .increment(1, id: [9]), at: "dc1-n1", .all, cluster)
        #expect(try written(last).sum == 6)
        for name in cluster.replicas(of: "a") {
            let record = try #require(
                cluster.node(name)?.records[cluster.keyspace.number]?[[97]]
            )
            let state = try CounterState(decoding: record.span.bytes)
            #expect(state.value == 6)
            #expect(state.unfoldedCount == 1, "\(name)")
        }
        #expect(
            cluster.node("dc1-n1")?.effects.notices.contains(
                .counterFolded(keyspace: cluster.keyspace.number)
            ) == true
        )
    }

    @Test func `nothing is folded while a replica cannot be read, and it is made up for later`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3], mode: .counter)
        _ = update("a", .increment(1, id: [1]), at: "dc1-n1", .all, cluster)
        cluster.advance(.seconds(601))
        cluster.node("dc1-n3")?.isUnreadable = true
        _ = update("a", .increment(1, id: [2]), at: "dc1-n1", .quorum, cluster)
        cluster.advance(.seconds(5))
        func unfolded() throws -> Int {
            let record = try #require(
                cluster.node("dc1-n1")?.records[cluster.keyspace.number]?[[97]]
            )
            return try CounterState(decoding: record.span.bytes).unfoldedCount
        }
        #expect(try unfolded() == 2)
        cluster.node("dc1-n3")?.isUnreadable = false
        _ = update("a", .increment(1, id: [3]), at: "dc1-n1", .quorum, cluster)
        #expect(try unfolded() == 2)
    }

    @Test func `ids beyond what is remembered are refused as overloaded`() throws {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"], mode: .counter)
        let replica = try #require(cluster.replicas(of: "a").first)
        var parts: [CounterState] = []
        for number in 0..<CounterState.maximumEntries {
            let outcome = CounterState().increment(
                by: 1,
                id: [UInt8(number & 255), UInt8(number >> 8)],
                actor: ActorID(high: 5, low: UInt64(number)),
                version: Version(
                    timestamp: HybridTimestamp(rawValue: 1),
                    node: NodeID(1),
                    lane: 0
                )
            )
            if case .changed(let delta) = outcome { parts.append(delta) }
        }
        while parts.count > 1 {
            parts = stride(from: 0, to: parts.count, by: 2).map { index in
                var joined = parts[index]
                if index + 1 < parts.count { joined.merge(parts[index + 1]) }
                return joined
            }
        }
        var writer = ByteWriter()
        parts.first?.encode(into: &writer)
        cluster.node(replica)?.records[cluster.keyspace.number] = [[97]: writer.bytes]
        let refusal = try failure(
            update("a", .increment(1, id: [9, 9, 9]), at: replica, nil, cluster)
        )
        #expect(refusal.code == .overloaded)
        #expect(refusal.written == .no)
        // Without an id there is nothing to remember.
        #expect(
            try written(update("a", .increment(1, id: []), at: replica, nil, cluster)).sum == 4097
        )
    }
}
