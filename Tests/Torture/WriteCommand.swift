import Foundation
import Glibc
import Synchronization

/// `write`: several threads write to an engine, and to the journal what it acknowledged.
///
/// Ends after `records` acknowledged changes, when its parent has ended, or by a signal.
struct WriteCommand {
    /// When a write counts as acknowledged.
    enum Durability: String {
        /// Once it is on the disk.
        case group
        /// Once it has left the process; a thread syncs every ten milliseconds.
        case periodic
    }

    var directory: String
    var journal: String
    var seed: UInt64
    var writers = 4
    var durability = Durability.group
    var isSyncLying = false
    var records = Int.max

    private static let options: Set = [
        "directory", "journal", "seed", "writers", "durability", "records",
    ]

    init(_ words: ArraySlice<String>) throws(TortureError) {
        let options = try Options(words, known: Self.options, flags: ["lying-sync"])
        directory = try options.required("directory")
        journal = try options.required("journal")
        seed = try options.seed()
        writers = try options.number("writers", in: 1...64, default: 4)
        guard let durability = Durability(rawValue: options.text("durability") ?? "group") else {
            throw TortureError("--durability is group or periodic", exitCode: 64)
        }
        self.durability = durability
        isSyncLying = options.has("lying-sync")
        records = try options.number("records", in: 1...Int.max, default: Int.max)
    }

    func run() throws -> Int32 {
        let history = History(try Journal.entries(of: journal), isPowerCut: false)
        let states = (1...UInt8(writers)).map { ($0, history.writers[$0] ?? History.Writer()) }
        let parent = getppid()
        let journal = try Journal(journal)
        try journal.append(
            states.map { writer, state in
                JournalEntry(
                    kind: .writer,
                    writer: writer,
                    key: state.grown,
                    counter: state.counter
                )
            }
        )
        let store = try Store(directory: directory, isSyncLying: isSyncLying)
        let run = WriteRun(store: store, journal: journal, limit: records)
        for (writer, state) in states {
            let durability = durability
            let workload = Workload(
                writer: writer,
                counter: state.counter,
                grown: state.grown,
                seed: seed
            )
            run.start { try run.write(workload, durability) }
        }
        for _ in 0..<Store.maintenanceThreads { run.start { try run.maintain() } }
        if durability == .periodic { run.start { try run.syncPeriodically() } }
        while !run.isDone {
            usleep(5000)
            if getppid() != parent { exit(3) }
        }
        run.waitForThreads()
        if let failure = run.failure { throw failure }
        try store.close()
        return 0
    }
}

/// What the threads of one `write` share.
private final class WriteRun: Sendable {
    private let store: Store
    private let journal: Journal
    private let limit: Int
    private let acknowledged = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let firstFailure = Mutex<(any Error)?>(nil)

    init(store: Store, journal: Journal, limit: Int) {
        self.store = store
        self.journal = journal
        self.limit = limit
    }

    /// Whether all is written, or a thread has failed.
    var isDone: Bool { failure != nil || acknowledged.load(ordering: .relaxed) >= limit }

    /// The first failure of a thread.
    var failure: (any Error)? { firstFailure.withLock { $0 } }

    func start(_ body: @escaping @Sendable () throws -> Void) {
        running.add(1, ordering: .relaxed)
        Thread.detachNewThread { [self] in
            do { try body() } catch { firstFailure.withLock { $0 = $0 ?? error } }
            running.subtract(1, ordering: .releasing)
        }
    }

    func waitForThreads() {
        while running.load(ordering: .acquiring) > 0 { usleep(1000) }
    }

    func write(_ workload: Workload, _ durability: WriteCommand.Durability) throws {
        var workload = workload
        while !isDone {
            let changes = workload.nextBatch()
            try journal.append(
                changes.enumerated().map { index, change in
                    JournalEntry(
                        kind: .intent,
                        writer: workload.writer,
                        isDeletion: change.isDeletion,
                        index: UInt8(index),
                        size: UInt32(change.size),
                        key: change.key.rawValue,
                        counter: change.counter,
                        count: UInt32(changes.count)
                    )
                }
            )
            try store.write(changes, durability)
            try journal.append([
                JournalEntry(
                    kind: durability == .group ? .synced : .written,
                    writer: workload.writer,
                    counter: changes[0].counter,
                    count: UInt32(changes.count)
                )
            ])
            acknowledged.add(changes.count, ordering: .relaxed)
        }
    }

    func maintain() throws {
        while !isDone {
            if try !store.maintain() { usleep(1000) }
        }
    }

    func syncPeriodically() throws {
        var number: UInt64 = 0
        while !isDone {
            usleep(10_000)
            number += 1
            try journal.append([JournalEntry(kind: .syncBegins, counter: number)])
            try store.sync()
            try journal.append([JournalEntry(kind: .syncEnded, counter: number)])
        }
    }
}
