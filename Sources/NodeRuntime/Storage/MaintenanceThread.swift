import Logging
import NIOPosix
import ObjectStorage
import Synchronization

/// The thread that performs the store's upkeep, one job at a time.
final class MaintenanceThread: Sendable {
    private let store: ReplicaStore
    private let logger: Logger
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let isBusy = Mutex(false)
    /// Why upkeep failed last; it is tried again often, and logged when that changes.
    private let lastFailure = Mutex("")

    init(store: ReplicaStore, logger: Logger) {
        self.store = store
        self.logger = logger
        pool.start()
    }

    /// Has upkeep done that is due; to be called often.
    func look() {
        let starts = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        if starts { pool.submit { state in self.work(isActive: state == .active) } }
    }

    private func work(isActive: Bool) {
        defer { isBusy.withLock { $0 = false } }
        guard isActive else { return }
        while let job = store.nextMaintenance() {
            do {
                try store.perform(job)
                lastFailure.withLock { $0 = "" }
            } catch {
                let reason = "\(error)"
                let isNew = lastFailure.withLock { last in
                    defer { last = reason }
                    return last != reason
                }
                if isNew {
                    logger.error("storage upkeep failed", metadata: ["reason": "\(reason)"])
                }
                return
            }
        }
    }

    /// Ends the thread after the job it is at.
    func shutDown() async throws {
        try await pool.shutdownGracefully()
    }
}
