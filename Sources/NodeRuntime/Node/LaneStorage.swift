import ByteCoding
import NodeCore
import ObjectStorage
import Replication

/// A lane's way to the store: what is answered at once, and where the rest goes.
struct LaneStorage {
    let store: ReplicaStore
    let sync: SyncThread
    let disks: DiskThreads
    let durability: ServerConfiguration.Durability
    let lane: UInt8

    /// Gives the jobs of a turn to the store.
    ///
    /// - Returns: the writes among them, which wait for the log's sync.
    func submit(_ state: inout LaneDriver.State) -> ReplicaStore.StagedWrites? {
        store.submit(
            jobs: state.effects.jobs,
            payload: state.effects.payload.bytes,
            results: &state.results,
            deferred: &state.deferred
        )
    }

    /// Has staged writes synced, or finishes them at once where durability is periodic.
    func stage(_ writes: ReplicaStore.StagedWrites, state: inout LaneDriver.State) {
        switch durability {
        case .group:
            sync.enqueue(writes, of: lane)
        case .periodic:
            finish(writes, isDurable: true, state: &state)
            sync.noteUnsynced()
        }
    }

    /// Applies writes whose sync is over.
    func finish(_ writes: ReplicaStore.StagedWrites, isDurable: Bool, state: inout LaneDriver.State) {
        store.finish(
            writes,
            isDurable: isDurable,
            results: &state.results,
            deferred: &state.deferred
        )
    }

    /// Runs a job on a storage thread; where too many wait already, refuses it at once.
    func run(_ job: ReplicaStore.DeferredJob, results: inout [StorageResult]) {
        if !disks.run(job, for: lane) { results.append(job.refused) }
    }
}
