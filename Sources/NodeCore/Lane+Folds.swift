import ByteCoding
import Causality
import ClusterPrimitives
import Partitioning
import Replication

/// Folding: what a counter's increments with ids came to goes into the totals, once no retry needs
/// their ids any more and all replicas hold them.
///
/// It follows an increment, which nobody lets wait for it. Where a replica cannot be read nothing
/// is folded, and a later increment begins it anew.
extension Lane {
    /// The most counters that one lane folds at a time.
    ///
    /// Each reads the copies of all replicas.
    private static var maximumFolds: Int { 16 }

    /// The time from before which operations' ids are not needed any more, for a write of this
    /// version.
    func idsFrom(_ version: Version) -> HybridTimestamp {
        let now = version.timestamp.wall.milliseconds
        let age = UInt64(max(0, settings.operationIDLifetime.wholeMilliseconds))
        return HybridTimestamp(wall: WallClockTime(milliseconds: now > age ? now - age : 0))
    }

    /// Begins to fold a counter: reads the copies of all its replicas.
    mutating func beginFold(
        of id: RequestID,
        _ write: OpenWrite,
        at now: Instant,
        into effects: inout Effects
    ) {
        let plan = write.core.plan
        let order = readOrder(plan, among: usable(in: plan))
        guard order.count == plan.count, foldCount < Self.maximumFolds,
            case .rule(let rule) = QuorumRule.make(.all, plan: plan, local: view.localDatacenter)
        else { return }
        let key = self.key(of: id, write)
        foldCount += 1
        begin(
            OpenRead(
                core: ReadCoordination(plan: plan, rule: rule, mode: .counter),
                sink: write.sink,
                keyspace: write.keyspace,
                level: .all,
                startedAt: now.monotonic,
                deadline: now.monotonic + settings.defaultTimeout,
                isOwnCopy: false,
                asker: .fold
            ),
            key: key,
            asking: order,
            at: now,
            into: &effects
        )
    }

    /// The copies of all replicas are here.
    mutating func fold(
        _ id: RequestID,
        _ read: OpenRead,
        at now: Instant,
        into effects: inout Effects
    ) {
        let key = reads.held(id)
        let copies = read.core.records.map(\.bytes)
        close(read: id)
        guard copies.count == read.core.plan.count, read.core.plan.index(of: identity.id) != nil,
            let version = stamp(at: now)
        else { return }
        folds[id] = OpenFold(keyspace: read.keyspace, key: key, plan: read.core.plan)
        effects.jobs.append(
            StorageJob(
                origin: JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                keyspace: read.keyspace,
                token: Token(ofKey: key).ordered,
                work: .update(
                    KeyUpdate(
                        key: key,
                        change: .fold(replicas: copies, olderThan: idsFrom(version)),
                        context: nil,
                        version: version,
                        wall: now.wall
                    )
                )
            )
        )
    }

    /// This node's copy is folded; the others join it when they can.
    mutating func folded(
        _ id: RequestID,
        _ fold: OpenFold,
        _ result: UpdateResult,
        into effects: inout Effects
    ) {
        guard case .applied(let record, _) = result else { return }
        effects.notices.append(.counterFolded(keyspace: fold.keyspace))
        let folded = Array(record)
        for index in 0..<fold.plan.count
        where fold.plan[index] != identity.id && isUsable(fold.plan[index]) {
            sendRepair(
                JobOrigin(route: .request, target: 0, correlation: id.rawValue),
                fold.keyspace,
                .counter,
                to: fold.plan[index],
                key: fold.key,
                folded,
                into: &effects
            )
        }
    }
}
