import ClusterPrimitives
import NIOPosix
import ObjectStorage
import Replication
import Synchronization

/// The thread on which the store's upkeep runs that an operator asked for.
///
/// A job may take hours; ordinary upkeep, syncs and reads have threads of their own.
final class UpkeepThread: Sendable {
    private let store: ReplicaStore
    private let maintenance: MaintenanceThreads
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let isStopping = Atomic(false)

    init(store: ReplicaStore, maintenance: MaintenanceThreads) {
        self.store = store
        self.maintenance = maintenance
        pool.start()
    }

    /// Runs a job; `finished` hears of its end on the thread.
    func run(_ job: UpkeepJob, finished: @escaping @Sendable ([UpkeepResult]) -> Void) {
        pool.submit { state in
            guard state == .active else { return }
            switch job.kind {
            case .flush, .verify:
                finished(self.run(job))
            case .compact, .scrub:
                // They would leave out the tables that a compaction is at.
                finished(self.maintenance.withoutCompactions { self.run(job) })
            }
        }
    }

    private func run(_ job: UpkeepJob) -> [UpkeepResult] {
        store.run(job) { !isStopping.load(ordering: .relaxed) }
    }

    /// Has the job that is under way end with what it has done.
    func cancel() {
        isStopping.store(true, ordering: .relaxed)
    }

    /// Ends the thread soon; a job that is under way ends with what it has done.
    func shutDown() async throws {
        cancel()
        try await pool.shutdownGracefully()
    }
}
