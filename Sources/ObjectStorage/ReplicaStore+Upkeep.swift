import Causality
package import ClusterPrimitives
import Partitioning
package import Replication
package import StorageEngine

/// Upkeep, on the thread of its caller: what is due, and what an operator asks for.
extension ReplicaStore {
    /// What upkeep is due; nil if none.
    package func nextMaintenance() -> MaintenanceJob? {
        engine.nextMaintenance()
    }

    /// Does a piece of upkeep; blocks on the disk.
    ///
    /// `pace` is asked by compactions after about each megabyte.
    package func perform(
        _ job: MaintenanceJob,
        pace: (CompactionProgress) -> CompactionPace = { _ in .goOn }
    ) throws(StorageError) {
        try engine.perform(job, pace: pace)
    }

    /// How long to wait before the next writes are synced, so that flushes keep up; at most 10 ms.
    package var writeDelay: Duration { engine.writeDelay }

    /// Bytes of the tables that wait for a compaction, about.
    package var compactionBacklog: Int { engine.compactionBacklog }

    /// Bytes of all tables and memtables.
    package var load: UInt64 {
        engine.statistics().trees.reduce(0) {
            $0 + UInt64(max(0, $1.tableBytes)) + UInt64(max(0, $1.memtableBytes))
        }
    }

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
        let stopped = UpkeepResult.Outcome.failed(
            .stopping,
            reason: "the node stopped before it was done; what was done stays done"
        )
        guard goesOn() else { return stopped }
        do throws(StorageError) {
            let report = try upkeep(kind, keyspace: keyspace, goesOn: goesOn)
            return goesOn() ? .done(report) : stopped
        } catch {
            return .failed(error.upkeepCause, reason: error.description)
        }
    }

    /// Does upkeep of one keyspace; takes as long as the disk does.
    ///
    /// Tombstones that compactions of other keyspaces purge meanwhile are counted with its own.
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
        // A compaction begins with a flush, which is no part of what it compacts.
        if kind == .compact { try engine.flush(tree: tree) }
        let before = engine.statistics()
        let figures = try Self.figures(of: tree, in: before)
        report.tablesBefore = UInt64(figures.tableCount)
        report.bytesBefore = UInt64(figures.tableBytes)
        switch kind {
        case .flush:
            try engine.flush(tree: tree)
        case .compact:
            try engine.compact(tree: tree) { _ in goesOn() ? .goOn : .cancel }
        case .verify:
            let findings = try engine.verify(tree: tree) { bytes in
                report.bytesRead += UInt64(bytes)
                return goesOn()
            }
            report.damage = findings.map(StoreUpkeepReport.Damage.init)
        case .scrub:
            let scrubbed = try engine.scrub(tree: tree) { bytes in
                report.bytesRead += UInt64(bytes)
                return goesOn()
            }
            report.damage = scrubbed.findings.map(StoreUpkeepReport.Damage.init)
            report.salvagedTables = scrubbed.salvagedTables
            report.quarantinedFiles = scrubbed.quarantinedFiles
            report.lost = scrubbed.lost.map(StoreUpkeepReport.Loss.init)
            report.skippedTables = scrubbed.skippedTables
            // What was minted here may be among what is lost, and would be minted again.
            if !report.damage.isEmpty || !report.lost.isEmpty { renewActor() }
        }
        let after = engine.statistics()
        let left = try Self.figures(of: tree, in: after)
        report.tablesAfter = UInt64(left.tableCount)
        report.bytesAfter = UInt64(left.tableBytes)
        switch kind {
        case .flush:
            report.bytesWritten = UInt64(max(0, left.tableBytes - figures.tableBytes))
        case .compact:
            report.tombstonesPurged = UInt64(max(0, after.purgedEntries - before.purgedEntries))
        case .verify, .scrub:
            break
        }
        return report
    }

    private static func figures(
        of tree: UInt32,
        in statistics: EngineStatistics
    ) throws(StorageError) -> EngineStatistics.Tree {
        guard let figures = statistics.trees.first(where: { $0.number == tree }) else {
            throw .unknownTree(tree)
        }
        return figures
    }
}

extension StoreUpkeepReport.Damage {
    fileprivate init(_ finding: TableFinding) {
        let tokens = finding.range?.tokens
        switch finding.error {
        case .corruption(let file, let offset, let expected, let found, let what):
            self.init(
                file: file,
                offset: UInt64(max(0, offset)),
                expected: expected,
                found: found,
                part: String(what.prefix(200)),
                tokens: tokens
            )
        default:
            self.init(
                file: "",
                offset: 0,
                expected: 0,
                found: 0,
                part: String(finding.error.description.prefix(200)),
                tokens: tokens
            )
        }
    }
}

extension StoreUpkeepReport.Loss {
    fileprivate init(_ range: LostRange) {
        self.init(
            tokens: range.tokens,
            newest: HybridTimestamp(rawValue: range.newestStamp).wall
        )
    }
}

extension LostRange {
    /// The tokens of its keys; both ends may have keys that are not in it.
    var tokens: ClosedRange<Int64> {
        let first = Token(ordered: Self.prefix(lower)).rawValue
        guard let upper else { return first...max(first, .max) }
        var last = Self.prefix(upper)
        // A bare prefix comes before every key of its token.
        if upper.count <= 8, last > 0 { last -= 1 }
        return first...max(first, Token(ordered: last).rawValue)
    }

    /// The first eight bytes of an ordered key; those that it lacks are zero.
    private static func prefix(_ key: [UInt8]) -> UInt64 {
        (0..<8).reduce(0) { $0 << 8 | UInt64($1 < key.count ? key[$1] : 0) }
    }
}

extension StorageError {
    /// What kind of reason it is for upkeep that failed.
    fileprivate var upkeepCause: UpkeepResult.Cause {
        switch self {
        case .unknownTree: .unknownKeyspace
        case .overloaded, .diskFull, .diskReserve: .overloaded
        case .corruption: .corrupt
        case .closed: .stopping
        default: .failed
        }
    }
}
