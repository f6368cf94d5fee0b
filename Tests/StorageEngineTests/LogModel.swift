import ClusterPrimitives
import FileSystems
import Synchronization

@testable import StorageEngine

/// What a log was given, and what may and must be read after a crash.
struct LogModel: Sendable {
    /// Where the manifest says that the log begins.
    var first: UInt64 = 1
    /// Stamps that were acknowledged, or found by a start, with the segment they are in.
    var kept: [UInt64: UInt64] = [:]
    /// Stamps of this run that were not acknowledged, in order.
    var open: [(stamp: UInt64, segment: UInt64)] = []
    /// Stamps of this run whose writers were told that the disk is full.
    var dropped: Set<UInt64> = []
    /// Whether the disk was full in this run.
    var wasFull = false
    var highestSequence: UInt64 = 0

    /// What is wrong with the log of a disk as a crash left it; nil if nothing is.
    func complaint(_ disk: any FileSystem, _ fixture: LogFixture) -> String? {
        do {
            let contents = try fixture.read(disk, from: first)
            if let damage = contents.damage.first { return "damage: \(damage)" }
            let found = try contents.stamps()
            if zip(found, found.dropFirst()).contains(where: { $0 >= $1 }) {
                return "out of order: \(found)"
            }
            let present = Set(found)
            for (stamp, segment) in kept where segment >= first && !present.contains(stamp) {
                return "\(stamp) in segment \(segment) was lost; found \(found)"
            }
            let openStamps = Set(open.map(\.stamp))
            if let stamp = found.first(where: {
                kept[$0] == nil && !openStamps.contains($0) && !dropped.contains($0)
            }) {
                return "\(stamp) came back"
            }
            // Which of them were taken back their writers learn later than the disk.
            let expected = wasFull ? [] : open.filter { $0.segment >= first }.map(\.stamp)
            if let missing = expected.first(where: { !present.contains($0) }),
                let behind = expected.first(where: { $0 > missing && present.contains($0) })
            {
                return "\(behind) is there without \(missing)"
            }
            if contents.nextSequence <= highestSequence { return "a sequence will repeat" }
            return nil
        } catch {
            return "\(error)"
        }
    }
}

/// Looks at a disk after each call to it as a crash would leave it.
final class CrashWatch: Sendable {
    let model = Mutex(LogModel())
    let complaints = Mutex<[String]>([])
    private let checks: Mutex<(count: Int, random: SeededRandom)>

    init(_ random: SeededRandom) {
        checks = Mutex((0, random))
    }

    /// How often it looked.
    var count: Int { checks.withLock { $0.count } }

    /// What was found to be wrong.
    var found: [String] { complaints.withLock { $0 } }

    func complain(_ text: String) { complaints.withLock { $0.append(text) } }

    func look(at memory: InMemoryFileSystem, _ fixture: LogFixture) {
        let clone = checks.withLock { checks in
            checks.count += 1
            return memory.crashClone(random: &checks.random)
        }
        let model = model.withLock { $0 }
        if let complaint = model.complaint(clone, fixture) { complain(complaint) }
    }
}

/// A log, its model and a disk that crashes.
final class LogWorkload {
    var random: SeededRandom
    var fixture: LogFixture
    private(set) var memory: InMemoryFileSystem
    private(set) var faults: FaultyFileSystem
    private var disk: ObservedFileSystem
    private(set) var log: Log
    let crashes: CrashWatch
    private var stamp: UInt64 = 0

    init(seed: UInt64, spares: Int) throws {
        let fixture = LogFixture(segmentSize: 2048, spares: spares)
        let memory = try LogFixture.disk()
        let faults = FaultyFileSystem(memory)
        let disk = ObservedFileSystem(faults)
        var random = SeededRandom(seed: seed)
        crashes = CrashWatch(random.fork())
        log = try fixture.create(disk)
        self.random = random
        self.fixture = fixture
        self.memory = memory
        self.faults = faults
        self.disk = disk
    }

    /// Checks after each call to the disk from now on what a crash would leave.
    func watch() {
        let fixture = fixture
        disk.watch { [memory, crashes] in crashes.look(at: memory, fixture) }
    }

    /// Appends some batches; syncs, or only writes, or does neither.
    func write() {
        var positions: [(UInt64, AppendedPosition)] = []
        for _ in 0...random.below(3) {
            stamp += 1
            let batch = numbered(
                stamp,
                records: random.number(in: 1...3),
                valueSize: random.below(random.chance(1, in: 8) ? 900 : 120)
            )
            guard let position = try? log.append(batch) else { return }
            let stamp = stamp
            positions.append((stamp, position))
            crashes.model.withLock { model in
                if position.sequence <= model.highestSequence {
                    crashes.complain("sequence \(position.sequence) repeats")
                }
                model.highestSequence = position.sequence + UInt64(batch.count) - 1
                model.open.append((stamp, position.end.segment))
            }
        }
        switch random.below(4) {
        case 0: _ = try? log.write(syncing: false)
        case 1: break
        default: _ = try? log.write(syncing: true)
        }
        settle(positions)
    }

    private var waiting: [(UInt64, AppendedPosition)] = []

    private func settle(_ positions: [(UInt64, AppendedPosition)]) {
        waiting += positions
        guard random.chance(2, in: 3) else { return }
        if random.chance(1, in: 4) { return flush() }
        for (stamp, position) in waiting {
            do throws(StorageError) {
                try log.sync(through: position)
                crashes.model.withLock { model in
                    model.open.removeAll { $0.stamp == stamp }
                    model.kept[stamp] = position.end.segment
                }
                log.applied(position)
            } catch {
                crashes.model.withLock { model in
                    model.open.removeAll { $0.stamp == stamp }
                    _ = model.dropped.insert(stamp)
                }
                log.abandon(position)
            }
        }
        waiting = []
    }

    /// Applies what waits without syncing it, as if it were in tables.
    private func flush() {
        for (stamp, position) in waiting {
            crashes.model.withLock { model in
                model.open.removeAll { $0.stamp == stamp }
                _ = model.dropped.insert(stamp)
            }
            do throws(StorageError) {
                try log.write(through: position)
                log.applied(position)
            } catch {
                log.abandon(position)
            }
        }
        waiting = []
        _ = try? log.secure()
    }

    /// One step of upkeep.
    func keepUp() {
        switch random.below(6) {
        case 0: try? log.beginSegment()
        case 1, 2: try? log.prepareSpare()
        case 3: _ = try? log.mark()
        default:
            let first = log.beginning(atMost: log.oldestOutstanding)
            crashes.model.withLock { $0.first = max($0.first, first) }
            try? log.trim(before: first)
        }
    }

    /// Starts again, on what a crash left or after a clean end.
    func restart(crashing: Bool) throws {
        faults.removeRules()
        waiting = []
        if crashing {
            memory = memory.crashClone(random: &random)
        } else if log.refusal == nil {
            try log.write(syncing: true)
            try log.mark()
            try log.close()
        }
        disk.watch(nil)
        faults = FaultyFileSystem(memory)
        disk = ObservedFileSystem(faults)
        let before = crashes.model.withLock { $0.first }
        fixture.first = before
        if let complaint = crashes.model.withLock({ $0.complaint(memory, fixture) }) {
            crashes.complain("at the start: " + complaint)
        }
        watch()
        let (reopened, contents) = try fixture.reopen(disk) { [crashes] contents, first in
            let found = try contents.stamps()
            let segments = contents.segments.flatMap { segment in
                segment.batches.map { _ in contents.isClean ? segment.number : first }
            }
            crashes.model.withLock { model in
                model.kept = Dictionary(uniqueKeysWithValues: zip(found, segments))
                model.first = first
                // What this start did not find the next one may, if this one does not end.
                model.dropped.formUnion(model.open.map(\.stamp))
                model.open = []
            }
        }
        log = reopened
        crashes.model.withLock { model in
            model.dropped = []
            model.wasFull = false
        }
        if !crashing, !contents.isClean {
            crashes.complain("a closed log was not clean")
        }
    }

    /// Lets the disk be full for some calls.
    func fillDisk() {
        let operations: [FileSystemError.Operation] = [
            .append, .append, .openForAppending, .rename, .extend,
        ]
        faults.removeRules()
        crashes.model.withLock { $0.wasFull = true }
        faults.add(
            FaultRule(
                random.pick(operations),
                first: random.number(in: 1...3),
                times: random.number(in: 1...4),
                random.chance(1, in: 2) ? .noSpace : .shortWrite(bytes: random.below(400))
            )
        )
    }
}
