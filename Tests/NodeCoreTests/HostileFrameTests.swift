import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication
import Testing

@Suite struct `Hostile frames` {
    private static func record(_ stamp: UInt64, _ value: String) -> [UInt8] {
        var writer = ByteWriter()
        let version = Version(
            timestamp: HybridTimestamp(rawValue: stamp),
            node: NodeID(1),
            lane: 0
        )
        writer.recordHeader(version: version, isTombstone: false, expiry: nil)
        writer.raw(Array(value.utf8))
        return writer.bytes
    }

    /// Gives a lane a frame of a peer.
    private static func inject(
        _ kind: UInt8,
        to name: String,
        from node: NodeID,
        _ cluster: LaneCluster,
        correlation: UInt64 = 1,
        epoch: UInt64 = 2,
        _ body: [UInt8]
    ) throws {
        let target = try #require(cluster.node(name))
        target.lane.receivePeer(
            Frame.Header(kind: kind, correlation: correlation, epoch: epoch),
            body: ByteRange(offset: 0, count: body.count),
            of: body.span.bytes,
            from: node,
            connection: ConnectionID(UInt32(node.rawValue)),
            at: cluster.now,
            into: &target.effects
        )
    }

    private static func write(
        origin: NodeID,
        relays: [NodeID],
        keyspace: KeyspaceNumber
    ) -> [UInt8] {
        var list = PeerWrite.NodeList()
        for relay in relays { list.append(relay) }
        let held: [UInt8] = [97] + record(1, "x")
        var writer = ByteWriter()
        PeerWrite.encode(
            keyspace: keyspace,
            purpose: .foreground,
            origin: origin,
            relays: list,
            key: held.span.bytes.extracting(0..<1),
            record: held.span.bytes.extracting(1..<held.count),
            into: &writer
        )
        return writer.bytes
    }

    /// Numbers of the nodes that a lane has something to send to.
    private static func destinations(_ name: String, _ cluster: LaneCluster) throws -> [Int] {
        try #require(cluster.node(name)).effects.links.pending
    }

    @Test func `relays that are no members are sent nothing`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        let body = Self.write(
            origin: NodeID(2),
            relays: [NodeID(0), NodeID(3), NodeID(77), NodeID(.max)],
            keyspace: cluster.keyspace.number
        )
        try Self.inject(PeerKind.write.rawValue, to: "dc1-n1", from: NodeID(2), cluster, body)
        #expect(try Self.destinations("dc1-n1", cluster) == [3])
    }

    @Test func `an origin that is no member is not answered, and its write not stored`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        for origin in [NodeID(0), NodeID(400), NodeID(.max)] {
            let body = Self.write(
                origin: origin,
                relays: [],
                keyspace: cluster.keyspace.number
            )
            try Self.inject(PeerKind.write.rawValue, to: "dc1-n1", from: NodeID(2), cluster, body)
        }
        let node = try #require(cluster.node("dc1-n1"))
        #expect(node.effects.jobs.isEmpty)
        let hasFrames = !node.effects.links.isEmpty
        #expect(!hasFrames)
        #expect(node.effects.notices.count == 3)
    }

    @Test func `a scan that asks for everything at once is cut to a page`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        var writer = ByteWriter()
        PeerScan(
            keyspace: cluster.keyspace.number,
            scan: ReplicaScan(
                fromToken: 0,
                after: nil,
                throughToken: .max,
                maximumEntries: .max,
                maximumSize: .max,
                prefix: []
            )
        ).encode(into: &writer)
        try Self.inject(
            PeerKind.scan.rawValue,
            to: "dc1-n1",
            from: NodeID(2),
            cluster,
            writer.bytes
        )
        let node = try #require(cluster.node("dc1-n1"))
        guard case .scan(let scan)? = node.effects.jobs.first?.work else {
            Issue.record("no scan was begun")
            return
        }
        #expect(scan.maximumEntries == 10_000)
        #expect(scan.maximumSize == 512 * 1024)
    }

    @Test func `a copy that is no record counts as unknown, and the read goes elsewhere`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        guard case .written = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("not written")
            return
        }
        cluster.node("dc1-n1")?.records[cluster.keyspace.number]?[[97]] = [1, 2, 3]
        #expect(cluster.get("a", at: "dc1-n1", .quorum).text == "1")
        #expect(cluster.get("a", at: "dc1-n1", .one).text == "1")
        guard case .failed = cluster.get("a", at: "dc1-n1", .all) else {
            Issue.record("a copy that cannot be read was counted")
            return
        }
    }

    @Test func `no replica shadows an update, which has no other stamp`() throws {
        let cluster = try LaneCluster(["dc1": 3], mode: .siblings)
        var writes: [(correlation: UInt64, version: Version)] = []
        cluster.isDropped = { packet in
            guard
                case .frame(let header, let range)? = try? Frame.cut(
                    packet.bytes.span.bytes,
                    at: 0,
                    limit: Frame.maximumBodySize
                ),
                let write = try? PeerWrite(decoding: range, of: packet.bytes.span.bytes),
                let summary = try? RecordMode.siblings.summary(
                    write.record,
                    of: packet.bytes.span.bytes
                )
            else { return true }
            writes.append((header.correlation, summary.newestVersion))
            return true
        }
        guard case .none = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("answered")
            return
        }
        let write = try #require(writes.first)
        let later = write.version.timestamp.next
        let shadow = Version(timestamp: later, node: NodeID(2), lane: 0)
        var writer = ByteWriter()
        PeerWriteReply(status: .shadowed, version: write.version, shadow: shadow)
            .encode(into: &writer)
        try Self.inject(
            PeerKind.writeReply.rawValue,
            to: "dc1-n1",
            from: NodeID(2),
            cluster,
            correlation: write.correlation,
            writer.bytes
        )
        let node = try #require(cluster.node("dc1-n1"))
        #expect(node.effects.notices.count == 1)
        writes = []
        cluster.run()
        #expect(writes.isEmpty)
        #expect(node.records[cluster.keyspace.number]?.keys.map { $0 } == [[97]])
    }

    @Test func `a scan over a copy that is no record goes elsewhere, too`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        _ = cluster.put("a", "1", at: "dc1-n1", .all)
        cluster.node("dc1-n1")?.records[cluster.keyspace.number]?[[97]] = [1, 2, 3]
        let keys = try Self.scan(cluster, entries: 100)
        #expect(keys == ["a"])
    }

    /// All keys, by pages, each of which must keep to its size.
    private static func scan(_ cluster: LaneCluster, entries: UInt32) throws -> [String] {
        var keys: [String] = []
        var next: ScanCursor? = .start
        while let start = next {
            let correlation = cluster.send(.scan, to: "dc1-n1") {
                ScanRequest(
                    keyspace: cluster.keyspace.number,
                    level: .quorum,
                    contents: .values,
                    timeout: 1000,
                    maximumEntries: entries,
                    maximumSize: 1 << 20,
                    start: start,
                    prefix: []
                ).encode(into: &$0)
            }
            let (kind, body) = try #require(cluster.answer(correlation))
            try #require(kind == .page)
            let page = try PageResponse(
                decoding: ByteRange(offset: 0, count: body.count),
                of: body.span.bytes
            )
            #expect(page.entries.count <= Int(entries))
            keys += page.entries.map { String(decoding: $0.key, as: UTF8.self) }
            next = page.next
        }
        return keys
    }

    @Test(arguments: [UInt32(1), 2, 5])
    func `replicas with different keys do not make a page longer than asked`(
        _ entries: UInt32
    ) throws {
        let cluster = try LaneCluster(["dc1": 3])
        var expected: Set<String> = []
        for index in 0..<30 {
            let key = "key-\(index)"
            expected.insert(key)
            let name = "dc1-n\(index % 3 + 1)"
            cluster.node(name)?.records[cluster.keyspace.number, default: [:]][Array(key.utf8)] =
                Self.record(UInt64(index + 1), "v")
        }
        // A quorum of three sees what is on two of them; all copies meet only in some.
        let keys = try Self.scan(cluster, entries: entries)
        #expect(Set(keys).isSubset(of: expected))
        #expect(keys.count == Set(keys).count)
        #expect(keys.count >= 20)
    }

    @Test func `an answer longer than peers take is replaced by one that the copy is unknown`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let node = try #require(cluster.node("dc1-n1"))
        let origin = JobOrigin(route: .connection, target: 3, correlation: 9)
        func answer(_ size: Int) throws -> (status: ReadStatus, record: Int) {
            node.lane.completed(
                .read(
                    origin,
                    .found,
                    contents: .record,
                    digest: 1,
                    version: .zero,
                    record: [UInt8](repeating: 0, count: size)
                ),
                at: cluster.now,
                into: &node.effects
            )
            var frames: [UInt8] = []
            node.effects.connections.drain { _, bytes in frames = bytes }
            guard
                case .frame(_, let body) = try Frame.cut(
                    frames.span.bytes,
                    at: 0,
                    limit: Frame.maximumPeerBodySize
                )
            else { throw CodingError.trailingBytes(count: 0) }
            #expect(body.end == frames.count)
            let reply = try PeerReadReply(decoding: body, of: frames.span.bytes)
            return (reply.status, reply.record.count)
        }
        let long = Frame.maximumPeerBodySize - 1000
        let whole = try answer(long)
        #expect(whole.status == .found && whole.record == long)
        #expect(node.effects.notices.isEmpty)
        let replaced = try answer(Frame.maximumPeerBodySize)
        #expect(replaced.status == .unknown && replaced.record == 0)
        guard case .frameTooLong(to: nil, .readReply, let size)? = node.effects.notices.first else {
            Issue.record("nobody was told")
            return
        }
        #expect(size > Frame.maximumPeerBodySize)
    }

    @Test func `a write longer than peers take is not sent, and nothing else is lost`() throws {
        let cluster = try LaneCluster(["dc1": 3])
        let node = try #require(cluster.node("dc1-n1"))
        let peer = cluster.id("dc1-n2")
        // A relay passes on what it was given, here by a sender with a wider limit.
        for size in [100, Frame.maximumPeerBodySize - 5, 200] {
            let header = Self.record(1, "")
            let held = [97] + header + [UInt8](repeating: 0, count: size - header.count)
            var list = PeerWrite.NodeList()
            list.append(peer)
            var writer = ByteWriter()
            PeerWrite.encode(
                keyspace: cluster.keyspace.number,
                purpose: .repair,
                origin: cluster.id("dc1-n3"),
                relays: list,
                key: held.span.bytes.extracting(0..<1),
                record: held.span.bytes.extracting(1..<held.count),
                into: &writer
            )
            try Self.inject(
                PeerKind.write.rawValue,
                to: "dc1-n1",
                from: cluster.id("dc1-n3"),
                cluster,
                writer.bytes
            )
        }
        var sent = 0
        node.effects.links.drain { target, bytes in
            if target == Int(peer.rawValue) { sent = bytes.count }
        }
        #expect(sent > 300 && sent < 500)
        let told = node.effects.notices.contains {
            if case .frameTooLong(to: peer, .write, _) = $0 { true } else { false }
        }
        #expect(told)
    }

    @Test func `frames of a future epoch wait in bounded memory`() throws {
        var settings = NodeSettings()
        settings.maximumParkedSize = 10_000
        let cluster = try LaneCluster(["dc1": 3], settings: settings)
        var correlations: [UInt64] = []
        for index in 0..<20 {
            correlations.append(
                cluster.send(.put, to: "dc1-n1", epoch: .max) {
                    WriteRequest.encode(
                        keyspace: cluster.keyspace.number,
                        level: .one,
                        conflict: .restamp,
                        timeout: 1000,
                        lifetime: 0,
                        key: Array("key-\(index)".utf8),
                        context: [],
                        value: [UInt8](repeating: 1, count: 1000),
                        into: &$0
                    )
                }
            )
        }
        let waiting = correlations.filter { cluster.answer($0) == nil }
        #expect(waiting.count == 9)
        cluster.advance(.seconds(2))
        #expect(correlations.allSatisfy { cluster.answer($0)?.kind == .written })
    }

    @Test func `a write shadowed from the future is unknown, never said not to be written`()
        throws
    {
        let cluster = try LaneCluster(["dc1": 3])
        let future = UInt64(cluster.now.wall.milliseconds + 5000) << 16
        cluster.node("dc1-n2")?.records[cluster.keyspace.number, default: [:]][[97]] =
            Self.record(future, "later")
        guard case .failed(let failure) = cluster.put("a", "1", at: "dc1-n1", .all) else {
            Issue.record("a write behind a version of the future was not told")
            return
        }
        #expect(failure.code == .conflict)
        #expect(failure.written == .unknown)
        #expect(!failure.advice.contains("Nothing was written"))
        #expect(cluster.copy("a", of: "dc1-n3") == "1")
    }

    @Test func `noise of every kind is noticed and never traps`() throws {
        let seed: UInt64 = 17
        var random = SeededRandom(seed: seed)
        let cluster = try LaneCluster(["dc1": 3, "dc2": 2])
        for _ in 0..<4000 {
            try Self.inject(
                UInt8(random.number(in: 0...40)),
                to: "dc1-n1",
                from: NodeID(UInt16(random.below(9))),
                cluster,
                correlation: random.chance(1, in: 2) ? UInt64(random.below(4)) : random.next(),
                epoch: UInt64(random.below(4)),
                random.bytes(random.below(48))
            )
        }
        cluster.run()
        cluster.advance(.seconds(3))
        #expect(cluster.node("dc1-n1")?.lane.openRequestCount == 0, "seed \(seed)")
    }
}
