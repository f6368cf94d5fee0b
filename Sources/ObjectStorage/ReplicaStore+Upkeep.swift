package import ClusterPrimitives
package import Replication
package import StorageEngine

/// Upkeep that an operator asks for, on the thread of its caller.
extension ReplicaStore {
    /// Does upkeep of one keyspace after another; takes as long as the disk does.
    ///
    /// - Parameters:
    ///   - job: the work and the keyspaces.
    ///   - goesOn: asked often; once it says no, the work ends with what is done.
    /// - Returns: one result for each keyspace of the job, in its order.
    package func run(_ job: UpkeepJob, goesOn: () -> Bool = { true }) -> [UpkeepResult] {
        job.keyspaces.map { keyspace in
            UpkeepResult(keyspace: keyspace, outcome: outcome(job.kind, keyspace, goesOn))
        }
    }

    private func outcome(
        _ kind: StoreUpkeep,
        _ keyspace: KeyspaceNumber,
        _ goesOn: () -> Bool
    ) -> UpkeepResult.Outcome {
        let stopped = UpkeepResult.Outcome.failed(.stopping, reason: "the node stops")
        guard goesOn() else { return stopped }
        guard kind == .flush else {
            return .failed(.failed, reason: "this version's store can only be flushed")
        }
        do throws(StorageError) {
            let report = try upkeep(kind, keyspace: keyspace, goesOn: goesOn)
            return goesOn() ? .done(report) : stopped
        } catch {
            return .failed(error.upkeepCause, reason: error.description)
        }
    }

    /// Does upkeep of one keyspace; takes as long as the disk does.
    ///
    /// - Parameters:
    ///   - kind: the work.
    ///   - keyspace: its number.
    ///   - goesOn: asked often; once it says no, the work ends with what is done.
    /// - Returns: what was done and found.
    /// - Throws: `unknownTree` for a keyspace that is not there, `corruption`, `diskFull`, `io`,
    ///   `poisoned`, `closed`.
    package func upkeep(
        _ kind: StoreUpkeep,
        keyspace: KeyspaceNumber,
        goesOn: () -> Bool = { true }
    ) throws(StorageError) -> StoreUpkeepReport {
        let tree = keyspace.rawValue
        var report = StoreUpkeepReport()
        let before = try figures(of: tree)
        report.tablesBefore = UInt64(before.tableCount)
        report.bytesBefore = UInt64(before.tableBytes)
        try engine.perform(.flush(tree))
        let after = try figures(of: tree)
        report.tablesAfter = UInt64(after.tableCount)
        report.bytesAfter = UInt64(after.tableBytes)
        if kind == .flush {
            report.bytesWritten = UInt64(max(0, after.tableBytes - before.tableBytes))
        }
        return report
    }

    private func figures(of tree: UInt32) throws(StorageError) -> EngineStatistics.Tree {
        guard let figures = engine.statistics().trees.first(where: { $0.number == tree }) else {
            throw .unknownTree(tree)
        }
        return figures
    }
}

extension StorageError {
    /// What kind of reason it is for upkeep that failed.
    fileprivate var upkeepCause: UpkeepResult.Cause {
        switch self {
        case .unknownTree: .unknownKeyspace
        case .overloaded, .diskFull: .overloaded
        case .corruption: .corrupt
        case .closed: .stopping
        default: .failed
        }
    }
}
