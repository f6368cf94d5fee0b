/// What the journal allows each key to hold.
struct History {
    /// One state that a key has had or was to have.
    struct Version: Equatable {
        let change: Change
        /// The writer's count of the last change of the same batch.
        let batchEnd: UInt64
    }

    /// Where a writer stands.
    struct Writer {
        var counter: UInt64 = 0
        var grown: UInt64 = 0
        /// The count at which its present run began.
        var runBegan: UInt64 = 0
    }

    /// A batch that nothing is known of but that it was to be written, or all whose promises wait
    /// for a sync.
    private struct Batch: Hashable {
        let writer: UInt8
        let first: UInt64
    }

    /// Per key the version that was promised last and all later ones, ascending.
    private(set) var keys: [KeyNumber: [Version]] = [:]
    private(set) var writers: [UInt8: Writer] = [:]
    /// Changes that were acknowledged since the base.
    private(set) var acknowledged = 0
    private var open: [Batch: [Version]] = [:]
    private var unsynced: [Batch] = []
    private var beforeSync = 0
    private var isCut = false

    /// Reads a journal; after a power cut only synced writes count as promised.
    init(_ entries: [JournalEntry], isPowerCut: Bool) {
        for entry in entries { take(entry, isPowerCut: isPowerCut) }
    }

    private mutating func take(_ entry: JournalEntry, isPowerCut: Bool) {
        let batch = Batch(writer: entry.writer, first: entry.counter)
        switch entry.kind {
        case .cut:
            isCut = true
        case .synced where isCut, .written where isCut, .syncBegins where isCut,
            .syncEnded where isCut:
            break
        case .writer:
            isCut = false
            writers[entry.writer] = Writer(
                counter: entry.counter,
                grown: entry.key,
                runBegan: entry.counter
            )
        case .base:
            let version = version(entry)
            keys[version.change.key] = [version]
        case .intent:
            takeIntent(entry)
        case .synced:
            acknowledged += Int(entry.count)
            settle(batch)
        case .written:
            acknowledged += Int(entry.count)
            if isPowerCut { unsynced.append(batch) } else { settle(batch) }
        case .syncBegins:
            beforeSync = unsynced.count
        case .syncEnded:
            for batch in unsynced.prefix(beforeSync) { settle(batch) }
            unsynced.removeFirst(min(beforeSync, unsynced.count))
            beforeSync = 0
        }
    }

    private mutating func takeIntent(_ entry: JournalEntry) {
        let version = version(entry)
        let key = version.change.key
        let absent = Version(
            change: Change(key: key, counter: 0, isDeletion: true, size: 0),
            batchEnd: 0
        )
        keys[key, default: [absent]].append(version)
        let first = entry.counter - UInt64(entry.index)
        open[Batch(writer: entry.writer, first: first), default: []].append(version)
        var writer = writers[entry.writer] ?? Writer()
        writer.counter = max(writer.counter, entry.counter)
        if key.isGrown { writer.grown = max(writer.grown, key.index + 1) }
        writers[entry.writer] = writer
    }

    private func version(_ entry: JournalEntry) -> Version {
        Version(
            change: Change(
                key: KeyNumber(rawValue: entry.key),
                counter: entry.counter,
                isDeletion: entry.isDeletion,
                size: Int(entry.size)
            ),
            batchEnd: entry.counter - UInt64(entry.index) + UInt64(entry.count) - 1
        )
    }

    /// Keys of a batch may not fall behind it any more.
    private mutating func settle(_ batch: Batch) {
        for version in open.removeValue(forKey: batch) ?? [] {
            keys[version.change.key]?.removeAll { $0.change.counter < version.change.counter }
        }
    }

    /// The journal that begins with what a check has found.
    func base(of found: [KeyNumber: [Version]]) -> [JournalEntry] {
        var entries = writers.sorted { $0.key < $1.key }.map { number, writer in
            JournalEntry(
                kind: .writer,
                writer: number,
                key: writer.grown,
                counter: writer.counter
            )
        }
        for (key, versions) in found {
            // Deleted keys are left out: what comes back of them is a key that nobody knows.
            guard let change = versions.first?.change, !change.isDeletion else { continue }
            entries.append(
                JournalEntry(
                    kind: .base,
                    writer: key.writer,
                    size: UInt32(change.size),
                    key: key.rawValue,
                    counter: change.counter
                )
            )
        }
        return entries
    }
}
