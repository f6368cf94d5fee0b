import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Replication
import Testing

@Suite struct `Clock health` {
    @Test(
        arguments: [
            ([], 0), ([10], 0), ([3_600_000], 0), ([10, -20], 0), ([5, 3_600_000], 5),
            ([-3_600_000, -3_600_000], -3_600_000), ([7, 7, 3_600_000], 7),
            ([0, -3_600_000, -3_600_000, -3_600_000], -3_600_000),
        ] as [([Int64], Int64)]
    )
    func `the median is that of all clocks, and of two in the middle the nearer one`(
        offsets: [Int64],
        median: Int64
    ) {
        #expect(ClockHealth.median(offsets) == median)
    }

    @Test func `a step after the judgement shows at once`() {
        let wall = WallClockTime(milliseconds: 1_700_000_000_000)
        let start = MonotonicInstant(nanoseconds: 5_000_000_000)
        let health = ClockHealth(offsets: [3, 5], wall: wall, monotonic: start)
        let later = start + .seconds(2)
        let onTime = WallClockTime(milliseconds: wall.milliseconds + 2000)
        #expect(!ClockHealth.isOff(health.deviation(at: onTime, later)))
        for step: Int64 in [-3_600_000, 600] {
            let stepped = WallClockTime(
                milliseconds: UInt64(Int64(onTime.milliseconds) + step)
            )
            #expect(ClockHealth.isOff(health.deviation(at: stepped, later)))
        }
        #expect(ClockHealth().deviation(at: onTime, later) == 0)
    }

    @Test func `a node hears that its clock is wrong, tells it, and is heard to be wrong`() throws {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        cluster["dc1-n2"].clockOffset = 3_600_000
        cluster.advance(.seconds(1))
        let own = try #require(cluster["dc1-n2"].liveness?.clock)
        #expect(own.deviation == 3_600_000)
        #expect(
            cluster["dc1-n2"].notices.contains(
                .clockDeviates(milliseconds: 3_600_000, isOff: true)
            )
        )
        let other = try #require(cluster["dc1-n1"].liveness)
        #expect(other[cluster.id("dc1-n2")]?.isClockOff == true)
        #expect(other[cluster.id("dc1-n3")]?.isClockOff == false)
        #expect(!ClockHealth.isOff(other.clock.deviation))
        cluster["dc1-n2"].clockOffset = 0
        cluster.advance(.seconds(1))
        #expect(cluster["dc1-n2"].liveness?.clock.deviation == 0)
        #expect(cluster["dc1-n1"].liveness?[cluster.id("dc1-n2")]?.isClockOff == false)
    }

    @Test func `a wrong clock does not push the bound on disk ahead`() throws {
        let cluster = try ControlCluster()
        cluster.advance(.seconds(1))
        cluster["dc1-n2"].clockOffset = 3_600_000
        cluster.advance(.seconds(3))
        let bound = cluster["dc1-n2"].disk.clockBound.wall.milliseconds
        #expect(bound < cluster.now.wall.milliseconds + 10_000)
    }

    /// Has a node of a cluster of lanes know that its clock is an hour ahead.
    private func setClock(of name: String, in cluster: LaneCluster) {
        for (id, node) in cluster.nodes {
            var liveness = Liveness(nodeCount: 1 + cluster.topology.members.count)
            for member in cluster.topology.members {
                liveness.entries[Int(member.id.rawValue)].isUsable =
                    cluster.nodes[member.id]?.isUp == true
            }
            liveness.entries[Int(cluster.id(name).rawValue)].isClockOff = true
            let isWrong = id == cluster.id(name)
            liveness.clock = ClockHealth(
                offsets: isWrong ? [-3_600_000, -3_600_000] : [0, 3_600_000],
                wall: cluster.now.wall,
                monotonic: cluster.now.monotonic
            )
            node.lane.update(liveness, at: cluster.now, into: &node.effects)
        }
    }

    @Test(arguments: [ConflictMode.lww, .siblings])
    func `a coordinator whose clock is off hands writes on and answers reads`(
        mode: ConflictMode
    ) throws {
        let cluster = try LaneCluster(["dc1": 3], mode: mode)
        setClock(of: "dc1-n1", in: cluster)
        guard case .written(let response) = cluster.put("a", "1", at: "dc1-n1", .quorum) else {
            Issue.record("the write was not handed on")
            return
        }
        #expect(response.coordinator != cluster.id("dc1-n1"))
        #expect(response.version.node != cluster.id("dc1-n1"))
        guard case .value(let read) = cluster.get("a", at: "dc1-n1", .quorum) else {
            Issue.record("a read was refused for the clock")
            return
        }
        #expect(read.coordinator == cluster.id("dc1-n1"))
        #expect(cluster.get("a", at: "dc1-n1", .quorum).text == "1")
    }

    @Test(arguments: [ConflictMode.lww, .siblings])
    func `a coordinator whose clock was ahead in an earlier life hands writes on until then`(
        mode: ConflictMode
    ) throws {
        let start = WallClockTime(milliseconds: 1_700_000_060_000)
        let cluster = try LaneCluster(
            ["dc1": 3],
            mode: mode,
            clockStarts: ["dc1-n1": HybridTimestamp(wall: start)]
        )
        func coordinator(_ key: String) throws -> NodeID? {
            guard case .written(let response) = cluster.put(key, "1", at: "dc1-n1", .quorum)
            else { return nil }
            return response.coordinator
        }
        #expect(try coordinator("a") != cluster.id("dc1-n1"))
        for name in ["dc1-n2", "dc1-n3"] { cluster.set(name, isUp: false) }
        guard case .failed(let failure) = cluster.put("a", "2", at: "dc1-n1", .one) else {
            Issue.record("it stamped a write a minute ahead")
            return
        }
        #expect(failure.code == .unavailable)
        #expect(failure.written == .no)
        #expect(failure.message.contains("dc1-n1's clock was 60000 ms ahead of now"))
        for name in ["dc1-n2", "dc1-n3"] { cluster.set(name, isUp: true) }
        cluster.advance(.milliseconds(59_501))
        #expect(try coordinator("b") == cluster.id("dc1-n1"))
    }

    @Test(arguments: [ConflictMode.lww, .siblings])
    func `where nobody can be handed the write, the clock is named`(mode: ConflictMode) throws {
        let cluster = try LaneCluster(["dc1": 3], mode: mode)
        cluster.set("dc1-n2", isUp: false)
        cluster.set("dc1-n3", isUp: false)
        setClock(of: "dc1-n1", in: cluster)
        guard case .failed(let failure) = cluster.put("a", "1", at: "dc1-n1", .one) else {
            Issue.record("a wrong clock stamped a write")
            return
        }
        #expect(failure.code == .unavailable)
        #expect(failure.written == .no)
        #expect(failure.message.contains("dc1-n1's clock is 3600000 ms ahead of"))
    }

    @Test func `a write that is handed to a node whose clock is off is refused there`() throws {
        let cluster = try LaneCluster(["dc1": 1], datacenters: ["dc1"])
        let replica = try #require(cluster.replicas(of: "a").first)
        let stranger = try #require(
            cluster.topology.members.map(\.name).first { $0 != replica }
        )
        // The replica alone knows of its clock yet.
        var liveness = Liveness(nodeCount: 4)
        for index in liveness.entries.indices { liveness.entries[index].isUsable = true }
        liveness.clock = ClockHealth(
            offsets: [3_600_000, 3_600_000],
            wall: cluster.now.wall,
            monotonic: cluster.now.monotonic
        )
        if let node = cluster.node(replica) {
            node.lane.update(liveness, at: cluster.now, into: &node.effects)
        }
        guard case .failed(let failure) = cluster.put("a", "1", at: stranger, .one) else {
            Issue.record("a wrong clock stamped a forwarded write")
            return
        }
        #expect(failure.message.contains("behind"))
    }

    @Test func `where all wall clocks were set back, timestamps go on and are believed`() {
        var clock = HybridClock(bound: .zero)
        let before = WallClockTime(milliseconds: 1_700_000_000_000)
        clock.boundPersisted(HybridTimestamp(rawValue: .max))
        let stamp = clock.now(at: before)
        let after = WallClockTime(milliseconds: before.milliseconds - 3_600_000)
        #expect(stamp.map { clock.believes($0, at: after) } == true)
        let ahead = HybridTimestamp(
            wall: WallClockTime(milliseconds: before.milliseconds + 1000)
        )
        #expect(!clock.believes(ahead, at: after))
    }
}
