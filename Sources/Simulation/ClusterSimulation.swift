import ByteCoding
import Causality
import ClusterPrimitives
import NodeCore
import Partitioning

/// A whole cluster, its clients, disks, links and clocks in one thread of virtual time.
///
/// The nodes are the real control plane, lanes and storage engine; this world carries their
/// effects out, as the runtime does, and decides nothing for them. What a run does follows from
/// its options alone.
package final class ClusterSimulation {
    let options: SimulationOptions
    let scenario: Scenario
    let founding: Topology
    let contexts: ContextAuthority
    var agenda = Agenda()
    var trace = TraceHash()
    var links: LinkConditions
    var nodes: [SimulatedNode] = []
    var clients: [SimulatedClient] = []
    var connections: [Connection] = []
    var nextConnection = 0
    var history: History
    var updates: UpdateHistory
    var counters: CounterHistory
    var schemaRequests: [SchemaRequest] = []
    var violations: [String] = []
    var faultCount = 0
    var repairCount = 0
    /// Whether clients begin operations and faults happen.
    var isActive = false
    /// Generators of their own for each part, so that a change in one does not shift the others.
    var networkRandom: SeededRandom
    var diskRandom: SeededRandom
    var faultRandom: SeededRandom
    /// The one node that may lose what it acknowledged, once it was chosen.
    var victim: SimulatedNode?
    var nodeRandom: SeededRandom
    var clientRandom: SeededRandom

    /// The wall clocks' start: 2026-01-01T00:00:00Z.
    static let epoch: UInt64 = 1_767_225_600_000
    /// The nodes' settings: the defaults, but for what would take longer than a run.
    static let settings: NodeSettings = {
        var settings = NodeSettings()
        settings.operationIDLifetime = .seconds(10)
        return settings
    }()
    /// How long after the first time a client sends an increment again, at most: 5 s.
    static let retryTime: UInt64 = 5_000_000_000

    /// Violations that are told; further ones say little more.
    static let maximumViolations = 20

    private init(_ options: SimulationOptions) throws(TopologyError) {
        var random = SeededRandom(seed: options.seed)
        self.options = options
        let scenario = Scenario(options, random: &random)
        self.scenario = scenario
        networkRandom = random.fork()
        diskRandom = random.fork()
        faultRandom = random.fork()
        nodeRandom = random.fork()
        clientRandom = random.fork()
        var founders: [FoundingMember] = []
        for (datacenter, count) in scenario.nodes.enumerated() {
            for _ in 0..<count {
                let number = founders.count + 1
                founders.append(
                    FoundingMember(
                        name: "n\(number)",
                        datacenter: "dc\(datacenter + 1)",
                        rack: "r\(number % 3)",
                        peer: Endpoint(host: "n\(number)", port: 7400),
                        client: Endpoint(host: "n\(number)", port: 7401)
                    )
                )
            }
        }
        founding = try Topology.founding(
            cluster: "simulated",
            members: founders,
            tokensPerMember: 4
        )
        contexts = ContextAuthority(
            cluster: founding.clusterIdentifier,
            secrets: [Array(repeating: 7, count: 32)]
        )
        links = LinkConditions(nodes: founders.count)
        history = History(keys: scenario.keys, replicas: scenario.replicas)
        updates = UpdateHistory(keys: scenario.keys, replicas: scenario.replicas)
        counters = CounterHistory(keys: scenario.keys, replicas: scenario.replicas)
        for (index, member) in founding.members.enumerated() {
            nodes.append(
                SimulatedNode(
                    index: index,
                    id: member.id,
                    name: member.name,
                    datacenter: Int(member.datacenter.rawValue),
                    clockOffset: random.number(in: -20...20)
                )
            )
        }
    }

    /// Runs a simulation from start to verdict.
    package static func run(_ options: SimulationOptions) -> SimulationReport {
        do {
            let simulation = try ClusterSimulation(options)
            return simulation.run()
        } catch {
            preconditionFailure("the simulated cluster cannot be founded: \(error)")
        }
    }

    private func run() -> SimulationReport {
        for node in nodes {
            format(node)
            start(node)
        }
        if let keyspace = createKeyspace() {
            startClients(keyspace)
            isActive = true
            scheduleFault()
            scheduleSchemaChange()
            run(for: options.duration)
            isActive = false
            recover()
            verify(keyspace)
        }
        let report = SimulationReport(
            seed: options.seed,
            traceHash: trace.text,
            violations: violations,
            simulatedTime: .nanoseconds(Int64(agenda.now)),
            events: trace.count,
            operations: history.operations,
            faults: faultCount,
            repairs: repairCount,
            scenario: scenario.description
        )
        // What is entered refers to this world, and this world to it.
        agenda.removeAll()
        return report
    }

    // MARK: Time

    /// Lets the world go on for a while.
    func run(for duration: Duration) {
        let end = agenda.now + UInt64(max(0, duration.wholeNanoseconds))
        while let time = agenda.nextTime, time <= end { agenda.next()?() }
        agenda.advance(to: end)
    }

    /// Lets the world go on until something holds, at most for a while.
    ///
    /// - Returns: whether it holds.
    func run(until isDone: () -> Bool, limit: Duration) -> Bool {
        let end = agenda.now + UInt64(max(0, limit.wholeNanoseconds))
        while !isDone() {
            guard let time = agenda.nextTime, time <= end else {
                agenda.advance(to: end)
                return isDone()
            }
            agenda.next()?()
        }
        return true
    }

    /// What a node's clocks show.
    func instant(of node: SimulatedNode) -> Instant {
        let milliseconds = Int64(Self.epoch + agenda.now / 1_000_000) + Int64(node.clockOffset)
        return Instant(
            monotonic: MonotonicInstant(nanoseconds: agenda.now),
            wall: WallClockTime(milliseconds: UInt64(milliseconds))
        )
    }

    /// A time of at least `least` microseconds, with an exponential part on top, in nanoseconds.
    static func draw(_ time: (least: Int, mean: Int), _ random: inout SeededRandom) -> UInt64 {
        // Minus the logarithm of a uniform draw, without the mathematics library, whose last
        // digits differ between machines: the sum of twelve halvings is close enough.
        var exponential = 0
        while exponential < 12, random.chance(1, in: 2) { exponential += 1 }
        let spread = random.below(1000)
        return UInt64(time.least) * 1000
            + UInt64(time.mean) * UInt64(exponential * 1000 + spread) * 2 / 3
    }

    // MARK: Verdicts

    /// Notes that something happened that must not.
    func violate(_ sentence: String) {
        trace.add(.violation, at: agenda.now, place: 0, Array(sentence.utf8))
        guard violations.count < Self.maximumViolations else { return }
        violations.append("at \(Self.text(agenda.now)): \(sentence)")
        log("VIOLATION: \(sentence)")
    }

    /// Tells what happens, where someone listens.
    func log(_ line: @autoclosure () -> String) {
        options.log?("\(Self.text(agenda.now))  \(line())")
    }

    /// `12.345 s`.
    static func text(_ nanoseconds: UInt64) -> String {
        let milliseconds = String(nanoseconds / 1_000_000 % 1000)
        let padding = String(repeating: "0", count: 3 - milliseconds.count)
        return "\(nanoseconds / 1_000_000_000).\(padding)\(milliseconds) s"
    }
}
