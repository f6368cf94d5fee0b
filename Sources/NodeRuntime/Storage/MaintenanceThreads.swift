import Dispatch
import Logging
import NIOPosix
import ObjectStorage
import StorageEngine
import Synchronization

/// The threads that perform the store's upkeep, each a job at a time.
///
/// One more than there may be compactions: those can take minutes, and a flush must not wait for
/// them while memory fills.
final class MaintenanceThreads: Sendable {
    private struct State {
        var busyThreads = 0
        var compactions = 0
        /// How many want no compaction to run now.
        var pauses = 0
        var isStopping = false
        /// When compactions go on after one that failed.
        var compactsFrom: ContinuousClock.Instant?
        /// Why upkeep failed last; it is tried again often, and logged when that changes.
        var lastFailure = ""
        var budget = CompactionBudget()
    }

    /// How long no compaction begins after one has failed: it would read the same again.
    private static let pauseAfterFailure: Duration = .seconds(10)
    /// After which time at most a compaction that is held back hears that it is to end.
    private static let longestPause: Duration = .milliseconds(20)

    private let store: ReplicaStore
    private let latency: ForegroundLatency
    private let maximumCompactions: Int
    private let logger: Logger
    private let pool: NIOThreadPool
    private let state = Mutex(State())
    private let compacting = DispatchGroup()

    /// Threads for so many compactions at a time, held back where `latency` suffers.
    init(
        store: ReplicaStore,
        latency: ForegroundLatency,
        maximumCompactions: Int,
        logger: Logger
    ) {
        self.store = store
        self.latency = latency
        self.maximumCompactions = maximumCompactions
        self.logger = logger
        pool = NIOThreadPool(numberOfThreads: maximumCompactions + 1)
        pool.start()
    }

    /// Has upkeep done that is due; to be called often.
    func look() {
        let starts = state.withLock { state in
            guard state.busyThreads <= maximumCompactions, !state.isStopping else { return false }
            state.busyThreads += 1
            return true
        }
        if state.withLock({ $0.compactions == 0 }) { latency.settle() }
        if starts { pool.submit { thread in self.work(isActive: thread == .active) } }
    }

    /// Has compactions end soon with what they have done, and runs `body` without any.
    ///
    /// Blocks its thread.
    func withoutCompactions<Value>(_ body: () -> Value) -> Value {
        state.withLock { $0.pauses += 1 }
        defer { state.withLock { $0.pauses -= 1 } }
        compacting.wait()
        return body()
    }

    private func work(isActive: Bool) {
        defer { state.withLock { $0.busyThreads -= 1 } }
        guard isActive else { return }
        while !state.withLock({ $0.isStopping }), let job = store.nextMaintenance() {
            if case .compact = job {
                guard beginCompaction() else { return }
                defer { endCompaction() }
                guard perform(job) else { return }
            } else {
                guard perform(job) else { return }
            }
        }
    }

    private func beginCompaction() -> Bool {
        state.withLock { state in
            let isEarly = state.compactsFrom.map { ContinuousClock.now < $0 } ?? false
            guard !isEarly, state.pauses == 0, !state.isStopping,
                state.compactions < maximumCompactions
            else { return false }
            state.compactions += 1
            compacting.enter()
            return true
        }
    }

    private func endCompaction() {
        state.withLock { $0.compactions -= 1 }
        compacting.leave()
    }

    /// Holds a compaction back by what it has done since it was last asked.
    private func pace(_ progress: CompactionProgress) -> CompactionPace {
        var now = ContinuousClock.now
        if state.withLock({ $0.budget.isUpdateDue(at: now) }) {
            let backlog = store.compactionBacklog
            let foreground = latency.compare()
            state.withLock { $0.budget.update(backlog: backlog, foreground: foreground) }
        }
        let goesOnAt = state.withLock { $0.budget.charge(progress.bytes, at: now) }
        while !state.withLock({ $0.isStopping || $0.pauses > 0 }) {
            guard now < goesOnAt else { return .goOn }
            ThreadPause.wait(min(goesOnAt - now, Self.longestPause))
            now = ContinuousClock.now
        }
        return .cancel
    }

    /// - Returns: whether it succeeded.
    private func perform(_ job: MaintenanceJob) -> Bool {
        do throws(StorageError) {
            try store.perform(job) { pace($0) }
            state.withLock { $0.lastFailure = "" }
            return true
        } catch {
            let reason = "\(error)"
            let isNew = state.withLock { state in
                if case .compact = job {
                    state.compactsFrom = ContinuousClock.now + Self.pauseAfterFailure
                }
                defer { state.lastFailure = reason }
                return state.lastFailure != reason
            }
            if isNew {
                logger.error("storage upkeep failed", metadata: ["reason": "\(reason)"])
            }
            return false
        }
    }

    /// Ends the threads after the jobs they are at; compactions end with what they have done.
    func shutDown() async throws {
        state.withLock { $0.isStopping = true }
        try await pool.shutdownGracefully()
    }
}
