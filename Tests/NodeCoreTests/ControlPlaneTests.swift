import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import PeerProtocol
import Replication
import Testing

@Suite struct `Liveness of a control plane` {
    @Test func `peers are up once they answered a heartbeat`() throws {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        for node in cluster.nodes.values {
            for member in cluster.founding.members {
                #expect(node.liveness?.isUsable(member.id) == true)
            }
        }
        let status = try #require(cluster.status(at: "dc1-n1"))
        #expect(status.nodes.map(\.state) == [.up, .up, .up])
        #expect(status.nodes[1].version == NodeSettings().softwareVersion)
    }

    @Test func `nobody is up before that, but the node itself`() throws {
        let cluster = try ControlCluster(isDropped: { _ in true })
        cluster.advance(.seconds(1))
        let liveness = try #require(cluster["dc1-n1"].liveness)
        #expect(!liveness.isUsable(cluster.id("dc1-n2")))
        let status = try #require(cluster.status(at: "dc1-n1"))
        #expect(status.nodes.map(\.state) == [.up, .down, .down])
    }

    @Test func `a silent peer is convicted after some four and a half seconds, not before`()
        throws
    {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(60))
        let silent = cluster.id("dc1-n3")
        cluster.isDropped = { $0.from == silent || $0.to == silent }
        cluster.advance(.milliseconds(4200))
        #expect(cluster["dc1-n1"].liveness?.isUsable(silent) == true)
        #expect(cluster.status(at: "dc1-n1")?.nodes[2].state == .suspect)
        cluster.advance(.milliseconds(800))
        #expect(cluster["dc1-n1"].liveness?.isUsable(silent) == false)
        #expect(cluster.status(at: "dc1-n1")?.nodes[2].state == .down)
        #expect(
            cluster["dc1-n1"].notices.contains {
                guard case .peerDown(silent, let phi, false) = $0 else { return false }
                return phi >= 8
            }
        )
        cluster.isDropped = { _ in false }
        cluster.advance(.milliseconds(300))
        #expect(cluster["dc1-n1"].liveness?.isUsable(silent) == true)
    }

    @Test func `a peer that refuses connections is down at once, and up when it answers`() throws {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        let refusing = cluster.id("dc1-n3")
        cluster.stop("dc1-n3", isRefused: true)
        #expect(cluster["dc1-n1"].liveness?[refusing]?.isUsable == false)
        #expect(cluster["dc1-n1"].liveness?[refusing]?.isRefused == true)
        cluster.restart("dc1-n3")
        #expect(cluster["dc1-n1"].liveness?[refusing]?.isUsable == true)
    }

    @Test func `a heartbeat answered before it was sent proves nothing`() throws {
        let cluster = try ControlCluster(isDropped: { _ in true })
        var writer = ByteWriter()
        HeartbeatReply(
            sequence: 1_000_000,
            sent: 0,
            wall: WallClockTime(milliseconds: 0),
            load: 0,
            uptime: 0,
            isDataKnown: true,
            softwareVersion: ""
        ).encode(into: &writer)
        cluster.inject(.heartbeatReply, from: NodeID(2), to: "dc1-n1", writer.bytes)
        cluster.advance(.milliseconds(50))
        #expect(cluster["dc1-n1"].liveness?.isUsable(NodeID(2)) == false)
    }

    private static func life(_ start: UInt64, _ actor: UInt64) -> Incarnation {
        Incarnation(start: start, actor: ActorID(high: 0, low: actor))
    }

    /// What a step of the first node asks for.
    private static func step(
        in cluster: ControlCluster,
        _ body: (inout ControlPlane, inout ControlEffects) -> Void
    ) -> (notices: [NodeNotice], persists: [ControlEffects.Persist]) {
        let node = cluster["dc1-n1"]
        body(&node.plane, &node.effects)
        defer { node.effects = ControlEffects() }
        return (node.effects.notices, node.effects.persists)
    }

    @Test func `the highest life of a peer is kept, and each older one noticed once`() throws {
        let cluster = try ControlCluster()
        func present(_ start: UInt64, _ actor: UInt64) -> ([NodeNotice], saves: Int) {
            let (notices, persists) = Self.step(in: cluster) { plane, effects in
                plane.peerAnswered(NodeID(2), as: Self.life(start, actor), into: &effects)
            }
            return (notices, persists.count)
        }
        #expect(present(5, 1) == ([], 1))
        #expect(present(5, 1) == ([], 0))
        #expect(present(5, 2) == ([.peerRolledBack(NodeID(2), seen: 5, presented: 5)], 0))
        #expect(present(5, 2) == ([], 0))
        #expect(present(4, 3) == ([.peerRolledBack(NodeID(2), seen: 5, presented: 4)], 0))
        #expect(present(6, 4) == ([], 1))
        let highest = cluster["dc1-n1"].plane.incarnations[NodeID(2)]
        #expect(highest == Self.life(6, 4))
    }

    @Test func `a node that hears of a life that it lost says so once, and votes no more`() throws {
        let cluster = try ControlCluster()
        let earlier = cluster["dc1-n1"].plane.identity.incarnation
        cluster.restart("dc1-n1")
        let node = cluster["dc1-n1"]
        let own = node.plane.identity.incarnation
        func hear(_ known: Incarnation?) -> ([NodeNotice], [ControlEffects.Persist]) {
            Self.step(in: cluster) { plane, effects in
                plane.wasSeen(
                    as: known,
                    by: NodeID(2),
                    at: cluster.now,
                    into: &effects
                )
            }
        }
        // Its own life, an earlier one, and none are as they should be.
        for known in [own, earlier, nil] { #expect(hear(known).0.isEmpty) }
        let isBackBefore = node.plane.isRolledBack
        #expect(!isBackBefore)
        // One that its own number has passed is lost as well as one that is still to come.
        for start in [own.start - 1, own.start + 3] {
            let lost = Self.life(start, 7)
            let (notices, persists) = hear(lost)
            #expect(notices == [.rolledBack(seenBy: NodeID(2), start: start)])
            guard case .lostLife(start)? = persists.first?.content else {
                Issue.record("it is not kept")
                return
            }
            var effects = ControlEffects()
            node.plane.persisted(persists[0].ticket, at: cluster.now, into: &effects)
            let kept = effects.lostLife
            #expect(kept == start)
            #expect(hear(lost).0.isEmpty)
        }
        let isBack = node.plane.isRolledBack
        #expect(isBack)
        var writer = ByteWriter()
        writer.ballot(Ballot(counter: 1, node: NodeID(2)))
        var answers = 0
        cluster.observe = { if $0.kinds.contains(.promise) { answers += 1 } }
        cluster.inject(.prepare, from: NodeID(2), to: "dc1-n1", writer.bytes)
        #expect(answers == 0)
        cluster.inject(.prepare, from: NodeID(2), to: "dc1-n3", writer.bytes)
        #expect(answers == 1)
    }

    @Test func `frames of numbers that no member has change nothing`() throws {
        let cluster = try ControlCluster()
        for number in [0, 4, 500, UInt16.max] {
            cluster.inject(.topologyRequest, from: NodeID(number), to: "dc1-n1", [])
            let node = cluster["dc1-n1"]
            node.plane.linkUp(NodeID(number), at: cluster.now, into: &node.effects)
            node.plane.linkDown(
                NodeID(number),
                isRefused: true,
                at: cluster.now,
                into: &node.effects
            )
        }
        cluster.advance(.seconds(1))
        #expect(cluster.status(at: "dc1-n1")?.nodes.count == 3)
    }

    @Test func `bodies of noise are noticed and never trap`() throws {
        let seed: UInt64 = 11
        var random = SeededRandom(seed: seed)
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        for _ in 0..<3000 {
            let kind = PeerKind(rawValue: UInt8(random.number(in: 30...37))) ?? .heartbeat
            let body = random.bytes(random.below(40))
            cluster.inject(
                kind,
                from: NodeID(UInt16(random.number(in: 1...3))),
                to: "dc1-n1",
                epoch: random.chance(1, in: 2) ? 1 : random.next(),
                correlation: UInt64(random.below(3)),
                body
            )
        }
        #expect(cluster["dc1-n1"].plane.view.topology == cluster.founding, "seed \(seed)")
    }
}

@Suite struct `Schema changes` {
    private static func cluster(
        datacenters: [String] = ["dc1"],
        nodes: Int = 3,
        _ settings: NodeSettings = NodeSettings()
    ) throws -> ControlCluster {
        let cluster = try ControlCluster(
            datacenters: datacenters,
            nodesPerDatacenter: nodes,
            settings: settings
        )
        cluster.advance(.seconds(1))
        return cluster
    }

    @Test func `reach all nodes, and then the client`() throws {
        let cluster = try Self.cluster(datacenters: ["dc1", "dc2"])
        let created = cluster.create("users", at: "dc2-n3", replicas: [("dc1", 3), ("dc2", 2)])
        let topology = try #require(cluster.topology(created))
        #expect(topology.epoch == 2)
        #expect(topology.keyspace(named: "users")?.totalReplicas == 5)
        cluster.advance(.milliseconds(500))
        for node in cluster.nodes.values {
            #expect(node.epoch == 2)
            #expect(node.disk.topology == topology)
        }
        let dropped = cluster.drop("users", at: "dc1-n1")
        #expect(cluster.topology(dropped)?.keyspaces.isEmpty == true)
        let again = cluster.create("users", at: "dc1-n2")
        #expect(cluster.topology(again)?.keyspaces.map(\.number) == [KeyspaceNumber(2)])
        #expect(cluster.answerCounts.values.allSatisfy { $0 == 1 })
    }

    @Test func `of a node alone work`() throws {
        let cluster = try Self.cluster(nodes: 1)
        #expect(cluster.topology(cluster.create("users", at: "dc1-n1"))?.epoch == 2)
    }

    @Test func `are refused without a majority of the voters, and the missing are named`() throws {
        let cluster = try Self.cluster()
        cluster.stop("dc1-n2", isRefused: true)
        cluster.stop("dc1-n3", isRefused: true)
        let created = cluster.create("users", at: "dc1-n1")
        cluster.advance(.seconds(12))
        let failure = try #require(cluster.failure(created))
        #expect(failure.code == .unavailable)
        #expect(failure.written == .no)
        #expect(failure.required == 2)
        #expect(failure.alive == 1)
        #expect(failure.message.contains("dc1-n2"))
        #expect(failure.message.contains("dc1-n3"))
        cluster.restart("dc1-n2")
        cluster.advance(.seconds(5))
        #expect(cluster.nodes.values.allSatisfy { $0.disk.topology.epoch == 1 })
        #expect(cluster.topology(cluster.create("users", at: "dc1-n2"))?.epoch == 2)
    }

    @Test func `whose answers are lost after a value was sent are unknown, never refused`() throws {
        let cluster = try Self.cluster()
        cluster.isDropped = { $0.kinds.contains(.accepted) }
        let created = cluster.create("users", at: "dc1-n1")
        cluster.advance(.seconds(12))
        let failure = try #require(cluster.failure(created))
        #expect(failure.code == .timeout)
        #expect(failure.written == .unknown)
    }

    @Test func `that an earlier round already made are confirmed, not refused as existing`() throws
    {
        let cluster = try Self.cluster()
        // The first round's value is accepted everywhere, but nobody hears of it.
        var lost = 0
        cluster.isDropped = { packet in
            guard packet.kinds.contains(.accepted), lost < 2 else { return false }
            lost += 1
            return true
        }
        let created = cluster.create("users", at: "dc1-n1")
        #expect(cluster.topology(created) == nil)
        cluster.advance(.seconds(5))
        #expect(cluster.failure(created) == nil)
        #expect(cluster.topology(created)?.epoch == 2)
        lost = 0
        let dropped = cluster.drop("users", at: "dc1-n1")
        cluster.advance(.seconds(5))
        #expect(cluster.failure(dropped) == nil)
        #expect(cluster.topology(dropped)?.keyspaces.isEmpty == true)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `of one name, made at once by two, are won by one`(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let cluster = try Self.cluster(nodes: 5)
        let loss = random.below(30)
        cluster.isDropped = { packet in
            let isVote = packet.kinds.contains { $0.rawValue >= 32 && $0.rawValue <= 35 }
            return isVote && random.chance(loss, in: 100)
        }
        let first = cluster.create("users", at: "dc1-n1", replicas: [("dc1", 1)])
        let second = cluster.create("users", at: "dc1-n2", replicas: [("dc1", 2)])
        cluster.advance(.seconds(15))
        cluster.isDropped = { _ in false }
        cluster.advance(.seconds(2))
        var won: [UInt8] = []
        for (correlation, replicas) in [(first, UInt8(1)), (second, 2)] {
            if let topology = cluster.topology(correlation) {
                #expect(
                    topology.keyspace(named: "users")?.totalReplicas == Int(replicas),
                    "seed \(seed)"
                )
                won.append(replicas)
            } else {
                let failure = try #require(cluster.failure(correlation), "seed \(seed)")
                let isKnown = failure.code == .invalid || failure.written == .unknown
                #expect(isKnown || failure.code == .unavailable, "seed \(seed): \(failure)")
            }
        }
        #expect(won.count <= 1, "seed \(seed)")
        #expect(cluster.answerCounts[first] == 1)
        #expect(cluster.answerCounts[second] == 1)
    }

    @Test(
        arguments: [
            ("users", 1, "dc1", 4, "too few for 4 replicas"),
            ("users", 1, "dc2", 1, "did you mean 'dc1'?"),
            ("users", 1, "dc1", 0, "0 replicas"),
            ("", 1, "dc1", 1, "cannot be the name"),
            ("a/b", 1, "dc1", 1, "cannot be the name"),
            ("users", 200, "dc1", 1, "no mode 200"),
        ] as [(String, UInt8, String, UInt8, String)]
    )
    func `that make no sense are refused with the reason`(
        _ name: String,
        _ mode: UInt8,
        _ datacenter: String,
        _ replicas: UInt8,
        _ reason: String
    ) throws {
        let cluster = try Self.cluster()
        let created = cluster.create(
            name,
            at: "dc1-n1",
            mode: mode,
            replicas: [(datacenter, replicas)]
        )
        let failure = try #require(cluster.failure(created))
        #expect(failure.code == .invalid)
        #expect(failure.written == .no)
        #expect(failure.message.contains(reason), "\(failure.message)")
    }

    @Test(arguments: ConflictMode.allCases)
    func `that let expire what cannot are refused`(mode: ConflictMode) throws {
        let cluster = try Self.cluster()
        let created = cluster.create(
            "users",
            at: "dc1-n1",
            mode: mode.rawValue,
            lifetime: 1000
        )
        if mode == .lww || mode == .siblings {
            #expect(cluster.failure(created) == nil)
        } else {
            let failure = try #require(cluster.failure(created))
            #expect(failure.code == .invalid)
            #expect(failure.message.contains("does not expire"))
        }
    }

    @Test func `that are malformed or name no keyspace are refused`() throws {
        let cluster = try Self.cluster()
        #expect(
            cluster.failure(cluster.request(.createKeyspace([1]), at: "dc1-n1"))?.code == .invalid
        )
        #expect(
            cluster.failure(cluster.request(.dropKeyspace([1]), at: "dc1-n1"))?.code == .invalid
        )
        #expect(cluster.failure(cluster.drop("users", at: "dc1-n1"))?.code == .notFound)
    }

    @Test func `beyond those that may wait are refused as overloaded`() throws {
        let cluster = try Self.cluster()
        cluster.isDropped = { _ in true }
        let requests = (0..<70).map { cluster.create("k\($0)", at: "dc1-n1") }
        #expect(requests.filter { cluster.failure($0)?.code == .overloaded }.count == 6)
        cluster.advance(.seconds(12))
        #expect(requests.allSatisfy { cluster.failure($0) != nil })
    }

    @Test func `a voter answers only what is on its disk`() throws {
        let cluster = try Self.cluster()
        let voter = cluster["dc1-n2"]
        let voterID = cluster.id("dc1-n2")
        var replies: [PeerKind] = []
        cluster.observe = { packet in
            if packet.from == voterID {
                replies += packet.kinds.filter { $0 == .promise || $0 == .accepted }
            }
        }
        voter.holdsDisk = true
        var prepare = ByteWriter()
        let soon = HybridTimestamp(wall: cluster.now.wall).advanced(byMilliseconds: 1000)
        let ballot = Ballot(counter: soon.rawValue, node: NodeID(1))
        prepare.ballot(ballot)
        cluster.inject(.prepare, from: NodeID(1), to: "dc1-n2", prepare.bytes)
        #expect(replies.isEmpty)
        cluster.releaseDisk("dc1-n2")
        #expect(replies == [.promise])
        #expect(voter.disk.acceptor?.promised == ballot)
        voter.holdsDisk = true
        var accept = ByteWriter()
        accept.accept(ballot: ballot, value: cluster.founding.encode())
        // Repeated while the first is on its way to the disk.
        cluster.inject(.accept, from: NodeID(1), to: "dc1-n2", accept.bytes)
        cluster.inject(.accept, from: NodeID(1), to: "dc1-n2", accept.bytes)
        #expect(replies == [.promise])
        cluster.releaseDisk("dc1-n2")
        #expect(replies.filter { $0 == .accepted }.count >= 1)
        #expect(voter.disk.acceptor?.accepted?.ballot == ballot)
    }

    @Test func `a ballot from the far future gets no answer, and leaves room for others`() throws {
        let cluster = try Self.cluster()
        var prepare = ByteWriter()
        prepare.ballot(Ballot(counter: .max - 1, node: NodeID(1)))
        for name in ["dc1-n2", "dc1-n3"] {
            cluster.inject(.prepare, from: NodeID(1), to: name, prepare.bytes)
        }
        #expect(cluster.failure(cluster.create("users", at: "dc1-n1")) == nil)
    }

    @Test func `that are chosen but not stored here in time are unknown`() throws {
        let cluster = try Self.cluster()
        cluster.isDropped = { [id = cluster.id("dc1-n1")] packet in
            // The node's own vote is not needed: its disk stands still from the first accept on.
            if packet.from == id, packet.kinds.contains(.accept) {
                cluster["dc1-n1"].holdsDisk = true
            }
            return false
        }
        let created = cluster.create("users", at: "dc1-n1")
        #expect(cluster.topology(created) == nil)
        cluster.advance(.seconds(11))
        let failure = try #require(cluster.failure(created))
        #expect(failure.code == .timeout)
        #expect(failure.written == .unknown)
        cluster.releaseDisk("dc1-n1")
        cluster.advance(.seconds(1))
        #expect(cluster["dc1-n2"].epoch == 2)
        #expect(cluster.answerCounts[created] == 1)
    }

    @Test func `survive voters that crash between their disk and their reply`() throws {
        for seed in 0..<30 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let cluster = try Self.cluster()
            var made: [String] = []
            for round in 0..<4 {
                let victim = "dc1-n\(random.number(in: 1...3))"
                let at = "dc1-n\(random.number(in: 1...3))"
                let victimID = cluster.id(victim)
                let kind: PeerKind = random.chance(1, in: 2) ? .promise : .accepted
                cluster.isDropped = { $0.from == victimID && $0.kinds.contains(kind) }
                let name = "k\(round)"
                let created = cluster.create(name, at: at)
                cluster.isDropped = { _ in false }
                cluster.stop(victim, isRefused: true)
                cluster.restart(victim)
                cluster.advance(.seconds(12))
                if cluster.topology(created) != nil { made.append(name) }
            }
            // One more change reads the register, whatever became of those before.
            let last = try #require(cluster.topology(cluster.create("last", at: "dc1-n1")))
            let names = last.keyspaces.map(\.name)
            #expect(made.allSatisfy(names.contains), "seed \(seed): \(made), \(names)")
            cluster.advance(.seconds(1))
            let topologies = cluster.nodes.values.map(\.disk.topology)
            #expect(topologies.allSatisfy { $0 == last }, "seed \(seed)")
        }
    }
}

@Suite struct `Topologies of others` {
    private static func cluster() throws -> ControlCluster {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        return cluster
    }

    private static let users = KeyspaceDefinition(
        name: "users",
        replication: [.init(datacenter: "dc1", replicas: 3)]
    )

    @Test func `that are newer are fetched when a frame speaks of them`() throws {
        let cluster = try Self.cluster()
        cluster.stop("dc1-n3", isRefused: true)
        _ = cluster.create("users", at: "dc1-n1")
        cluster.restart("dc1-n3")
        cluster.advance(.seconds(1))
        #expect(cluster["dc1-n3"].epoch == 2)
        #expect(cluster["dc1-n3"].disk.topology.epoch == 2)
    }

    @Test func `are in force only when they are on disk`() throws {
        let cluster = try Self.cluster()
        cluster["dc1-n2"].holdsDisk = true
        let next = try cluster.founding.creating(Self.users)
        cluster.inject(.topology, from: NodeID(1), to: "dc1-n2", next.encode())
        #expect(cluster["dc1-n2"].epoch == 1)
        cluster.releaseDisk("dc1-n2")
        #expect(cluster["dc1-n2"].epoch == 2)
    }

    @Test func `of other clusters or foundings, and older ones, are ignored`() throws {
        let cluster = try Self.cluster()
        let foreign = try ControlCluster(nodesPerDatacenter: 4).founding
            .creating(Self.users)
        cluster.inject(.topology, from: NodeID(2), to: "dc1-n1", epoch: 9, foreign.encode())
        cluster.inject(.topology, from: NodeID(2), to: "dc1-n1", epoch: 9, [1, 2, 3])
        cluster.inject(
            .topology,
            from: NodeID(2),
            to: "dc1-n1",
            cluster.founding.encode()
        )
        cluster.advance(.seconds(1))
        #expect(cluster["dc1-n1"].plane.view.topology == cluster.founding)
    }

    @Test func `without this node are ignored`() throws {
        let cluster = try Self.cluster()
        // The same cluster and founding, a newer epoch, but the last member is cut out of the
        // bytes: a peer that is wrong must not bring this node down.
        let next = try cluster.founding.creating(Self.users)
        let bytes = try #require(Self.removing("dc1-n3", from: next))
        let without = try Topology(decoding: bytes)
        #expect(without.member(named: "dc1-n3") == nil)
        cluster.inject(.topology, from: NodeID(1), to: "dc1-n3", epoch: 2, bytes)
        cluster.advance(.milliseconds(50))
        #expect(cluster["dc1-n3"].plane.view.topology == cluster.founding)
    }

    /// The bytes of a topology without its last member, which must bear this name.
    private static func removing(_ name: String, from topology: Topology) -> [UInt8]? {
        guard let member = topology.members.last, member.name == name else { return nil }
        var entry = ByteWriter()
        entry.uint16(member.id.rawValue)
        entry.string(member.name)
        entry.string(member.identifier)
        entry.uint8(member.datacenter.rawValue)
        entry.string(member.rack)
        for endpoint in [member.peerEndpoint, member.clientEndpoint] {
            entry.string(endpoint.host)
            entry.uint16(endpoint.port)
        }
        entry.uint32(UInt32(member.tokens.count))
        for token in member.tokens { entry.uint64(UInt64(bitPattern: token.rawValue)) }
        var bytes = topology.encode()
        guard
            let at = bytes.indices.first(where: { bytes[$0...].starts(with: entry.bytes) }),
            let first = topology.members.first,
            let count = bytes.indices.first(where: {
                bytes[$0...].starts(with: [3, 0, 0, 0] + [UInt8(first.id.rawValue), 0])
            })
        else { return nil }
        bytes.removeSubrange(at..<(at + entry.count))
        bytes[count] = 2
        // The voters are the last list: drop the third, and one replica of the keyspace.
        bytes.removeLast(2)
        bytes[bytes.count - 8] = 2
        bytes[bytes.count - 9] = 2
        return bytes
    }
}

@Suite struct `Fault requests` {
    private static func body(_ names: [String]) -> [UInt8] {
        var writer = ByteWriter()
        FaultRequest(blockedPeers: names).encode(into: &writer)
        return writer.bytes
    }

    @Test func `are forbidden unless the node's settings allow them`() throws {
        let cluster = try ControlCluster()
        let asked = cluster.request(.fault(Self.body(["dc1-n2"])), at: "dc1-n1")
        #expect(cluster.failure(asked)?.code == .forbidden)
        #expect(cluster["dc1-n1"].blocked == nil)
    }

    @Test func `cut peers off by name, and never the node itself`() throws {
        var settings = NodeSettings()
        settings.allowsFaultInjection = true
        let cluster = try ControlCluster(settings: settings)
        let asked = cluster.request(.fault(Self.body(["dc1-n2", "dc1-n1"])), at: "dc1-n1")
        #expect(cluster.isDone(asked))
        #expect(cluster["dc1-n1"].blocked == [cluster.id("dc1-n2")])
        // The next ones leave what is cut off as it is.
        for names in [["dc1-n3"], ["dc1-n2"]] {
            #expect(cluster.isDone(cluster.request(.fault(Self.body(names)), at: "dc1-n1")))
            #expect(cluster["dc1-n1"].blocked == [cluster.id("dc1-n2"), cluster.id("dc1-n3")])
        }
        let unknown = cluster.request(.fault(Self.body(["dc1-n9"])), at: "dc1-n1")
        #expect(cluster.failure(unknown)?.code == .invalid)
        let malformed = cluster.request(.fault([9]), at: "dc1-n1")
        #expect(cluster.failure(malformed)?.code == .invalid)
        #expect(cluster.isDone(cluster.request(.fault(Self.body([])), at: "dc1-n1")))
        #expect(cluster["dc1-n1"].blocked == [])
    }
}
