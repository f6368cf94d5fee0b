import ByteCoding
import NodeCore
import ObjectStorage
import Replication

/// A lane's way to the store: what is answered at once, and where the rest goes.
struct LaneStorage {
    let store: ReplicaStore
    let sync: SyncThread
    let disks: DiskThreads
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

    /// Has staged writes made as durable as the configuration asks; the lane hears of it.
    func stage(_ writes: ReplicaStore.StagedWrites) {
        sync.enqueue(writes, of: lane)
    }

    /// Applies writes that are as durable as they should be.
    func finish(_ writes: ReplicaStore.StagedWrites, isDurable: Bool, state: inout LaneDriver.State)
    {
        store.finish(
            writes,
            isDurable: isDurable,
            results: &state.results,
            deferred: &state.deferred
        )
    }

    /// Runs a job on a storage thread; where too many wait already, refuses it at once.
    func run(_ job: ReplicaStore.DeferredJob, results: inout [StorageResult]) {
        if !disks.run(job, for: lane) { results += store.refuse(job) }
    }
}
