import Logging
import NIOPosix
import ObjectStorage
import Synchronization

/// The one thread that syncs the log, for all lanes at once.
///
/// Batches that are staged while a sync runs wait together for the next one: the slower the disk,
/// the more writes share a sync.
final class SyncThread: Sendable {
    private struct State {
        /// Batches by lane, in the order of their lanes' stagings.
        var waiting: [[ReplicaStore.StagedWrites]]
        var isWaiting = false
        /// Whether the thread was told to look.
        var isAwake = false
        /// Whether periodic writes came since the last sync.
        var isUnsynced = false
        var hasFailed = false
    }

    private let store: ReplicaStore
    private let logger: Logger
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let state: Mutex<State>
    private let lanes = Mutex<[LoopHandle<LaneDriver>]>([])

    init(store: ReplicaStore, lanes: Int, logger: Logger) {
        self.store = store
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
            state.isWaiting = true
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if wakes { pool.submit { _ in self.work() } }
    }

    /// Notes that writes were finished without a sync.
    func noteUnsynced() {
        state.withLock { $0.isUnsynced = true }
    }

    /// Syncs what periodic writes have left, if any.
    func syncPeriodically() {
        let wakes = state.withLock { state in
            guard state.isUnsynced, !state.isAwake else { return false }
            state.isAwake = true
            return true
        }
        if wakes { pool.submit { _ in self.work() } }
    }

    /// Syncs all that was staged so far, then ends the thread.
    func shutDown() async throws {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            pool.submit { _ in
                self.work()
                done.resume()
            }
        }
        try await pool.shutdownGracefully()
    }

    private func work() {
        while let batches = takeBatches() {
            let isDurable = sync()
            let lanes = lanes.withLock { $0 }
            for (lane, writes) in batches.enumerated() where !writes.isEmpty && lane < lanes.count {
                lanes[lane].execute { $0.synced(writes, isDurable: isDurable) }
            }
        }
    }

    /// What is to be synced now; nil when nothing is, and the thread may rest.
    private func takeBatches() -> [[ReplicaStore.StagedWrites]]? {
        state.withLock { state in
            guard state.isWaiting || state.isUnsynced else {
                state.isAwake = false
                return nil
            }
            let batches = state.waiting
            state.waiting = Array(repeating: [], count: batches.count)
            state.isWaiting = false
            state.isUnsynced = false
            return batches
        }
    }

    /// A failed sync poisons the store, so that each later one fails too; it is logged once.
    private func sync() -> Bool {
        do {
            try store.sync()
            return true
        } catch {
            let isFirst = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            if isFirst {
                logger.error(
                    "log sync failed: no write is acknowledged any more; check the disk and restart",
                    metadata: ["reason": "\(error)"]
                )
            }
            return false
        }
    }
}
