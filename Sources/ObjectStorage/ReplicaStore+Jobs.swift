import ByteCoding
import Causality
import ClusterPrimitives
package import Replication
import StorageEngine

/// Jobs that may have to wait for the disk.
extension ReplicaStore {
    /// A job that has to read from disk; it owns its bytes.
    package struct DeferredJob: Sendable {
        enum Work: Sendable {
            case read(key: [UInt8], contents: ReadContents)
            case scan(ReplicaScan)
            case shadowCheck(key: [UInt8], version: Version)
            /// Updates of one key, which is taken.
            case updates([KeyQueues.Waiting])
        }

        /// Who waits for it, the first where there are several.
        let origin: JobOrigin
        let keyspace: KeyspaceNumber
        let token: UInt64
        let work: Work
    }

    /// The results of a job where there is no room to run it: nothing was done.
    package func refuse(_ job: DeferredJob) -> [StorageResult] {
        switch job.work {
        case .read(_, let contents):
            return [
                .read(
                    job.origin,
                    .overloaded,
                    contents: contents,
                    digest: 0,
                    version: .zero,
                    record: []
                )
            ]
        case .scan:
            return [
                .scanned(
                    job.origin,
                    ReplicaPage(status: .overloaded, records: [], isComplete: false)
                )
            ]
        case .shadowCheck(_, let version):
            // It is durable; only whether something newer hides it was not looked up.
            return [.written(job.origin, .failed, version: version, shadow: .zero)]
        case .updates(var waiting):
            var results: [StorageResult] = []
            while let first = waiting.first {
                results += waiting.map { .updated($0.origin, .notTaken(.overloaded)) }
                waiting = queues.next(
                    KeyQueues.Place(
                        keyspace: job.keyspace,
                        token: job.token,
                        key: first.update.key
                    )
                )
            }
            return results
        }
    }

    /// Runs a job that may wait for the disk.
    ///
    /// - `next`: gains what has to be run after it.
    /// - Returns: its results, updates' ones for requests of any lane.
    package func run(_ job: DeferredJob, next: inout [DeferredJob]) -> [StorageResult] {
        if case .updates(let waiting) = job.work {
            return update(waiting, of: job, next: &next)
        }
        return perform(job, mayReadDisk: true).map { [$0] } ?? refuse(job)
    }

    func perform(_ job: DeferredJob, mayReadDisk: Bool) -> StorageResult? {
        switch job.work {
        case .read(let key, let contents):
            read(job, key, contents, mayReadDisk: mayReadDisk)
        case .scan(let scan):
            .scanned(job.origin, page(job.keyspace, scan))
        case .shadowCheck(let key, let version):
            shadowCheck(job, key, version, mayReadDisk: mayReadDisk)
        case .updates:
            nil
        }
    }

    private func read(
        _ job: DeferredJob,
        _ key: [UInt8],
        _ contents: ReadContents,
        mayReadDisk: Bool
    ) -> StorageResult? {
        let mode = readableMode(of: job.keyspace)
        func result(_ status: ReadStatus, _ record: [UInt8]) -> StorageResult {
            let bytes = record.span.bytes
            let range = ByteRange(offset: 0, count: record.count)
            return .read(
                job.origin,
                status,
                contents: contents,
                digest: mode?.digest(range, of: bytes) ?? 0,
                version: mode?.version(of: record) ?? .zero,
                record: contents == .record ? record : []
            )
        }
        guard mode != nil else { return result(.unknown, []) }
        do {
            switch try engine.get(
                tree: job.keyspace.rawValue,
                prefix: job.token,
                key: key,
                disk: mayReadDisk ? .allowed : .forbidden
            ) {
            case .absent: return result(.absent, [])
            case .found(let record, _): return result(.found, record)
            case .needsDisk: return nil
            }
        } catch {
            return result(.unknown, [])
        }
    }

    private func shadowCheck(
        _ job: DeferredJob,
        _ key: [UInt8],
        _ version: Version,
        mayReadDisk: Bool
    ) -> StorageResult? {
        let lookup: Lookup? = try? engine.get(
            tree: job.keyspace.rawValue,
            prefix: job.token,
            key: key,
            disk: mayReadDisk ? .allowed : .forbidden
        )
        switch lookup {
        case .found(let record, _)?:
            let newest = RecordMode.lww.version(of: record)
            let isHidden = newest > version
            return .written(
                job.origin,
                isHidden ? .shadowed : .applied,
                version: version,
                shadow: isHidden ? newest : .zero
            )
        case .needsDisk?:
            return nil
        case .absent?, nil:
            // The write is durable, but what lies below it cannot be read.
            return .written(job.origin, .failed, version: version, shadow: .zero)
        }
    }

    /// The most bytes that one scan looks at before it returns what it has: 4 MiB.
    private static let maximumScannedSize = 4 * 1024 * 1024

    private func page(_ keyspace: KeyspaceNumber, _ scan: ReplicaScan) -> ReplicaPage {
        guard readableMode(of: keyspace) != nil else {
            return ReplicaPage(status: .unknown, records: [], isComplete: false)
        }
        var page = ReplicaPage(status: .found, records: [], isComplete: false)
        var position: ScanPosition? =
            scan.after.map { .after(prefix: scan.fromToken, key: $0) }
            ?? .from(prefix: scan.fromToken)
        var visited = 0
        var size = 0
        do {
            while let start = position {
                let entries = max(1, Int(scan.maximumEntries) - page.records.count)
                let part = try engine.scan(
                    tree: keyspace.rawValue,
                    from: start,
                    through: scan.throughToken,
                    maximumBytes: max(
                        1,
                        min(Int(scan.maximumSize) - size, Self.maximumScannedSize - visited)
                    ),
                    maximumEntries: entries
                )
                for entry in part.entries {
                    visited += entry.key.count + entry.value.count
                    page.coveredToken = entry.prefix
                    page.coveredKey = entry.key
                    guard entry.key.starts(with: scan.prefix) else { continue }
                    size += entry.key.count + entry.value.count
                    page.records.append(
                        ScannedRecord(token: entry.prefix, key: entry.key, record: entry.value)
                    )
                }
                position = part.next
                if page.records.count >= Int(scan.maximumEntries)
                    || size >= Int(scan.maximumSize) || visited >= Self.maximumScannedSize
                {
                    break
                }
            }
        } catch {
            return ReplicaPage(status: .unknown, records: [], isComplete: false)
        }
        page.isComplete = position == nil
        if page.isComplete {
            page.coveredToken = 0
            page.coveredKey = []
        }
        return page
    }
}
