import Logging
import NIOPosix
import ObjectStorage
import StorageEngine
import Synchronization

/// The one thread that writes and syncs the log, for all lanes at once.
///
/// With group durability each write waits for a sync. With periodic durability it waits only for
/// the system to have its bytes, so that they outlive the process, and a sync comes each interval.
/// Batches that are staged while a sync runs wait together for the next one: the slower the disk,
/// the more writes share a sync.
final class SyncThread: Sendable {
    private struct State {
        /// Batches by lane, in the order of their lanes' stagings.
        var waiting: [[ReplicaStore.StagedWrites]]
        var isWaiting = false
        /// Since when the first of them waits.
        var since: ContinuousClock.Instant?
        /// Whether the thread was told to look.
        var isAwake = false
        /// Whether periodic writes came since the last sync.
        var isUnsynced = false
        /// Whether they are to be synced now.
        var isSyncDue = false
        var hasFailed = false
    }

    private let store: ReplicaStore
    private let latency: ForegroundLatency
    private let durability: ServerConfiguration.Durability
    private let logger: Logger
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let state: Mutex<State>
    private let lanes = Mutex<[LoopHandle<LaneDriver>]>([])

    init(
        store: ReplicaStore,
        latency: ForegroundLatency,
        durability: ServerConfiguration.Durability,
        lanes: Int,
        logger: Logger
    ) {
        self.store = store
        self.latency = latency
        self.durability = durability
        self.logger = logger
        state = Mutex(State(waiting: Array(repeating: [], count: lanes)))
        pool.start()
    }

    /// Names the lanes; to be called before any writes are staged.
    func start(_ lanes: [LoopHandle<LaneDriver>]) {
        self.lanes.withLock { $0 = lanes }
    }

    /// Has writes synced; `LaneDriver.synced` hears of it.
    func enqueue(_ writes: ReplicaStore.StagedWrites, of lane: UInt8) {
        let wakes = state.withLock { state in
            state.waiting[Int(lane)].append(writes)
            if !state.isWaiting { state.since = ContinuousClock.now }
            state.isWaiting = true
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if wakes { pool.submit { _ in self.work() } }
    }

    /// Syncs what periodic writes have left, if any.
    func syncPeriodically() {
        let wakes = state.withLock { state in
            guard state.isUnsynced else { return false }
            state.isSyncDue = true
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if wakes { pool.submit { _ in self.work() } }
    }

    /// Has the log note how much of it is synced, where nothing waits.
    ///
    /// Without the note, damage to the last batch of an idle log could not be told from a tail
    /// that was torn off by a crash.
    func markIdle() {
        pool.submit { _ in
            guard self.state.withLock({ !$0.isWaiting && !$0.isUnsynced }) else { return }
            // A failure poisons the store; the next sync fails and is logged.
            _ = try? self.store.writeIdleMark()
        }
    }

    /// Syncs all that was staged so far, then ends the thread.
    func shutDown() async throws {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            pool.submit { _ in
                self.state.withLock { $0.isSyncDue = $0.isUnsynced }
                self.work()
                done.resume()
            }
        }
        try await pool.shutdownGracefully()
    }

    private func work() {
        while true {
            slowDown()
            guard let (batches, isSyncDue, since) = takeBatches() else { return }
            let isDurable = commit(syncing: isSyncDue)
            if durability == .group, let since {
                latency.record(.sync, ContinuousClock.now - since)
            }
            let lanes = lanes.withLock { $0 }
            for (lane, writes) in batches.enumerated() where !writes.isEmpty && lane < lanes.count {
                lanes[lane].execute { $0.synced(writes, isDurable: isDurable) }
            }
        }
    }

    /// Lets writes wait while memory fills faster than it is flushed, rather than refuse them soon.
    private func slowDown() {
        guard state.withLock({ $0.isWaiting }) else { return }
        ThreadPause.wait(store.writeDelay)
    }

    /// What is to be written now, whether it is to be synced, and since when it waits; nil when
    /// nothing does, and the thread may rest.
    private func takeBatches() -> (
        batches: [[ReplicaStore.StagedWrites]],
        isSyncDue: Bool,
        since: ContinuousClock.Instant?
    )? {
        state.withLock { state in
            guard state.isWaiting || state.isSyncDue else {
                state.isAwake = false
                return nil
            }
            let batches = state.waiting
            let since = state.since
            state.since = nil
            let isSyncDue = state.isSyncDue || durability == .group
            state.waiting = Array(repeating: [], count: batches.count)
            state.isWaiting = false
            state.isSyncDue = false
            state.isUnsynced = !isSyncDue
            return (batches, isSyncDue, since)
        }
    }

    /// Writes or syncs what waits.
    ///
    /// A failed sync poisons the store, so that each later one fails too; it is logged once. A full
    /// disk does not, and is logged once each time it fills.
    private func commit(syncing: Bool) -> Bool {
        do throws(StorageError) {
            if syncing { try store.sync() } else { try store.write() }
            state.withLock { $0.hasFailed = false }
            return true
        } catch {
            let isFirst = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            if isFirst, case .diskFull = error {
                logger.error(
                    "disk full: no write is acknowledged until there is room",
                    metadata: ["reason": "\(error)"]
                )
            } else if isFirst {
                logger.error(
                    "log sync failed: no write is acknowledged any more; check the disk and restart",
                    metadata: ["reason": "\(error)"]
                )
            }
            return false
        }
    }
}
