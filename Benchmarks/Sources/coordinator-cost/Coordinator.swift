import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import FileSystems
import Glibc
import NodeCore
import ObjectStorage
import Partitioning
import PeerProtocol
import Replication
import StorageEngine

/// A lane and a store as a node has them, with two replicas that acknowledge all they are sent.
///
/// The work of this node alone is timed: from a turn's requests in the input buffer to the answers
/// in the output buffer. What the clients and the other replicas do meanwhile is not.
final class Coordinator {
    private static let client = ConnectionID(0)
    private let topology: Topology
    private let contexts: ContextAuthority
    private let store: ReplicaStore
    private let keys: [[UInt8]]
    private let valueSize: Int
    private var lane: Lane
    private var effects = Effects()
    private var now = Instant(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000),
        wall: WallClockTime(milliseconds: 1_700_000_000_000)
    )
    /// What the writer of each key has seen, in the siblings keyspace.
    private var seen: [[UInt8]]

    init(directory: String, keys keyCount: Int, valueSize: Int) throws {
        keys = (0..<keyCount).map { Array("key-\($0)".utf8) }
        self.valueSize = valueSize
        seen = Array(repeating: [], count: keyCount)
        topology = try Self.topology()
        contexts = ContextAuthority(
            cluster: topology.clusterIdentifier,
            secrets: [[UInt8](repeating: 7, count: 32)]
        )
        let me = topology.members[0]
        var options = EngineOptions()
        options.identity = 0xBEEF
        store = try ReplicaStore.open(
            directory: directory,
            on: PosixFileSystem(),
            topology: topology,
            actor: Self.actor(of: me.id),
            options: options
        )
        lane = Lane(
            identity: NodeIdentity(
                id: me.id,
                name: me.name,
                clusterName: "benchmark",
                clusterIdentifier: topology.clusterIdentifier,
                lives: NodeLives(Incarnation(start: 1, actor: Self.actor(of: me.id)))
            ),
            lane: 0,
            view: ClusterView(topology: topology, me: me.id),
            settings: NodeSettings(),
            contexts: contexts,
            clockBound: HybridTimestamp(rawValue: .max),
            clockStart: .zero,
            random: SeededRandom(seed: 1)
        )
        var liveness = Liveness(nodeCount: topology.members.count + 1)
        for member in topology.members {
            liveness.entries[Int(member.id.rawValue)].isUsable = true
            if member.id != me.id { lane.linkUp(member.id, at: now, into: &effects) }
        }
        lane.update(liveness, at: now, into: &effects)
        try writeThroughOthers()
    }

    private static func topology() throws -> Topology {
        let members = (1...3).map { number in
            FoundingMember(
                name: "n\(number)",
                datacenter: "dc1",
                rack: "r\(number)",
                peer: Endpoint(host: "n\(number)", port: 1),
                client: Endpoint(host: "n\(number)", port: 2)
            )
        }
        var topology = try Topology.founding(cluster: "benchmark", members: members)
        for mode in [ConflictMode.lww, .siblings] {
            topology = try topology.creating(
                KeyspaceDefinition(
                    name: "\(mode)",
                    replication: [.init(datacenter: "dc1", replicas: 3)],
                    mode: mode
                )
            )
        }
        return topology
    }

    private static func actor(of node: NodeID) -> ActorID {
        let number = UInt64(node.rawValue)
        return ActorID(high: number &* 0x9E37_79B9_7F4A_7C15, low: number)
    }

    private func keyspace(_ mode: ConflictMode) throws -> KeyspaceNumber {
        guard let keyspace = topology.keyspaces.first(where: { $0.mode == mode }) else {
            throw Failure("there is no \(mode) keyspace")
        }
        return keyspace.number
    }

    /// Has each key of the siblings keyspace written through each of the other replicas once, so
    /// that its history has three writers from then on, and one value.
    private func writeThroughOthers() throws {
        let number = try keyspace(.siblings)
        for (index, key) in keys.enumerated() {
            var record: [UInt8] = []
            var context: CausalContext?
            for member in topology.members.dropFirst() {
                now.wall = WallClockTime(milliseconds: now.wall.milliseconds + 1)
                let outcome = RecordMode.siblings.apply(
                    .put(value: [UInt8](repeating: 1, count: valueSize), expiry: nil),
                    seen: context,
                    to: record,
                    UpdateTerms(
                        version: Version(
                            timestamp: HybridTimestamp(wall: now.wall),
                            node: member.id,
                            lane: 0
                        ),
                        actor: Self.actor(of: member.id),
                        wall: now.wall,
                        maximumSize: Limits.maximumRecordSize
                    )
                )
                guard case .changed(let changed, let answer) = outcome else {
                    throw Failure("a first put: \(outcome)")
                }
                record = changed
                context = answer.context
            }
            var token = ByteWriter()
            if let context {
                contexts.encode(context, keyspace: number, key: key.span.bytes, into: &token)
            }
            seen[index] = token.bytes
            let job = StorageJob(
                origin: JobOrigin(route: .link, target: 0, correlation: 0),
                keyspace: number,
                token: Token(ofKey: key).ordered,
                work: .write(
                    key: ByteRange(offset: 0, count: key.count),
                    record: ByteRange(offset: key.count, count: record.count),
                    version: try Self.version(of: record, .siblings),
                    purpose: .repair
                )
            )
            _ = try perform([job], key + record)
        }
    }

    /// Bytes of the longest context that a client holds.
    var contextSize: Int { seen.map(\.count).max() ?? 0 }

    /// Puts a new value to some keys in one turn, in the siblings keyspace each with the context
    /// of the last put.
    ///
    /// - Returns: nanoseconds of processor time.
    func put(_ range: Range<Int>, _ mode: ConflictMode) throws -> UInt64 {
        now.monotonic = now.monotonic + .milliseconds(1)
        now.wall = WallClockTime(milliseconds: now.wall.milliseconds + 1)
        let requests = try requests(range, mode)
        let begin = processorTime()
        receive(requests, from: nil)
        let results = try perform(effects.jobs, effects.payload.bytes)
        effects.jobs.removeAll(keepingCapacity: true)
        effects.payload.bytes.removeAll(keepingCapacity: true)
        for result in results { lane.completed(result, at: now, into: &effects) }
        var sent: [(node: NodeID, bytes: [UInt8])] = []
        effects.links.drain { target, bytes in sent.append((NodeID(UInt16(target)), bytes)) }
        var spent = processorTime() - begin

        let replies = try sent.map { ($0.node, try Self.replies(to: $0.bytes, mode)) }
        var answers: [UInt8] = []
        let resumed = processorTime()
        for (node, bytes) in replies { receive(bytes, from: node) }
        effects.connections.drain { _, bytes in answers += bytes }
        lane.tick(at: now, into: &effects)
        spent += processorTime() - resumed

        try take(answers, range, mode)
        return spent
    }

    /// Does upkeep that has become due.
    func maintain() throws {
        while let job = store.nextMaintenance() { try store.perform(job) }
    }

    func close() throws { try store.close() }

    // MARK: One turn

    private func requests(_ range: Range<Int>, _ mode: ConflictMode) throws -> [UInt8] {
        let number = try keyspace(mode)
        let value = [UInt8](
            repeating: UInt8(truncatingIfNeeded: range.lowerBound),
            count: valueSize
        )
        var writer = ByteWriter()
        for index in range {
            let frame = writer.beginFrame(
                Frame.Header(
                    kind: ClientKind.put.rawValue,
                    correlation: UInt64(index),
                    epoch: topology.epoch
                )
            )
            WriteRequest.encode(
                keyspace: number,
                level: .quorum,
                conflict: .restamp,
                timeout: 1000,
                lifetime: 0,
                key: keys[index],
                context: mode == .siblings ? seen[index] : [],
                value: value,
                into: &writer
            )
            writer.endFrame(frame)
        }
        return writer.bytes
    }

    private func receive(_ bytes: [UInt8], from node: NodeID?) {
        Self.cut(bytes) { header, body in
            if let node {
                lane.receivePeer(
                    header,
                    body: body,
                    of: bytes.span.bytes,
                    from: node,
                    connection: nil,
                    at: now,
                    into: &effects
                )
            } else {
                lane.receiveClient(
                    header,
                    body: body,
                    of: bytes.span.bytes,
                    from: Self.client,
                    isAdmin: false,
                    at: now,
                    into: &effects
                )
            }
        }
    }

    private func perform(_ jobs: [StorageJob], _ payload: [UInt8]) throws -> [StorageResult] {
        var results: [StorageResult] = []
        var deferred: [ReplicaStore.DeferredJob] = []
        let staged = store.submit(
            jobs: jobs,
            payload: payload,
            results: &results,
            deferred: &deferred
        )
        try store.sync()
        if let staged {
            store.finish(staged, isDurable: true, results: &results, deferred: &deferred)
        }
        while !deferred.isEmpty {
            let job = deferred.removeFirst()
            results += store.run(job, next: &deferred)
        }
        return results
    }

    /// What a replica answers to the writes in these frames.
    private static func replies(to bytes: [UInt8], _ mode: ConflictMode) throws -> [UInt8] {
        var writer = ByteWriter()
        var malformed = 0
        cut(bytes) { header, body in
            guard header.kind == PeerKind.write.rawValue,
                let write = try? PeerWrite(decoding: body, of: bytes.span.bytes),
                let version = try? version(of: bytes.span.bytes.array(write.record), mode)
            else {
                malformed += 1
                return
            }
            let frame = writer.beginFrame(
                Frame.Header(
                    kind: PeerKind.writeReply.rawValue,
                    correlation: header.correlation,
                    epoch: header.epoch,
                    timestamp: header.timestamp
                )
            )
            PeerWriteReply(
                status: .applied,
                version: version,
                shadow: .zero
            ).encode(into: &writer)
            writer.endFrame(frame)
        }
        guard malformed == 0 else {
            throw Failure("\(malformed) frames to a replica are no writes")
        }
        return writer.bytes
    }

    private static func version(of record: [UInt8], _ mode: ConflictMode) throws -> Version {
        let range = ByteRange(offset: 0, count: record.count)
        return try mode.records.summary(range, of: record.span.bytes).newestVersion
    }

    /// Checks the answers of a turn, and keeps their contexts.
    private func take(_ bytes: [UInt8], _ range: Range<Int>, _ mode: ConflictMode) throws {
        var written = 0
        Self.cut(bytes) { header, body in
            guard header.kind == ClientKind.written.rawValue,
                let response = try? WrittenResponse(decoding: body, of: bytes.span.bytes),
                response.shadowed == .no, response.siblings == (mode == .siblings ? 1 : 0)
            else { return }
            written += 1
            if mode == .siblings { seen[Int(header.correlation)] = response.context }
        }
        guard written == range.count else {
            throw Failure("\(written) of \(range.count) puts left one value")
        }
    }

    private static func cut(_ bytes: [UInt8], _ body: (Frame.Header, ByteRange) -> Void) {
        var offset = 0
        while case .frame(let header, let range)? = try? Frame.cut(
            bytes.span.bytes,
            at: offset,
            limit: Frame.maximumBodySize
        ) {
            body(header, range)
            offset = range.end
        }
    }
}

/// A measurement that is not one.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Processor time of this thread, in nanoseconds.
private func processorTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
