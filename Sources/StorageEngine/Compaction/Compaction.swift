internal import ByteCoding
internal import Synchronization

/// One compaction: merges its inputs over a range of keys into tables of one run.
///
/// Each table is entered in the manifest as soon as it is whole, in one edit with the new bounds of
/// the inputs, which lose what the table took over; an input that has nothing left goes. So an
/// entry belongs to the tree exactly once at any moment, a tombstone never goes before what it
/// hides, the room that is needed beyond the inputs is one fragment for the output and at most one
/// for each input, and what a cancelled compaction has done stays done.
struct Compaction: ~Copyable {
    private let engine: Engine
    private let tree: Tree
    private let choice: CompactionChoice
    private let horizon: PurgeHorizon
    private let inputs: Set<UInt64>
    /// Deletions from this number on stay, since an older record may be on its way to a memtable.
    private let settledSequence: UInt64
    /// What whole entries of all inputs have.
    private var wholeBelow: UInt64 = 0
    /// Where the next output begins.
    private var lower: [UInt8]
    private var writer: TableWriter?
    private var lastKey: [UInt8] = []
    private var purged = 0
    private var readBytes = 0

    /// Bytes of entries after which the owner is asked how to go on.
    private let reportSize: Int
    private static let readAhead = 256 << 10

    init(engine: Engine, tree: Tree, choice: CompactionChoice) {
        self.engine = engine
        self.tree = tree
        self.choice = choice
        horizon = tree.upkeep.withLock { $0.horizons.inForce }
        inputs = Set(choice.inputs.map(\.number))
        reportSize = min(1 << 20, engine.options.fragmentSize)
        settledSequence = engine.log.settledSequence
        lower = choice.lower
    }

    mutating func run(
        _ pace: (CompactionProgress) -> CompactionPace
    ) throws(StorageError) {
        var cursor = try openInputs()
        var reported = 0
        do throws(StorageError) {
            while try step(&cursor) {
                if writer?.sizeInBytes ?? 0 >= engine.options.fragmentSize {
                    try commit(through: lastKey)
                }
                guard readBytes - reported >= reportSize else { continue }
                let progress = CompactionProgress(
                    tree: tree.number,
                    bytes: readBytes - reported,
                    bytesDone: readBytes,
                    bytesInAll: choice.bytes
                )
                reported = readBytes
                try engine.flushWhatIsDue()
                if pace(progress) == .cancel || engine.log.refusal != nil {
                    if !lastKey.isEmpty { try commit(through: lastKey) }
                    return
                }
            }
            try commit(through: nil)
        } catch {
            writer?.abandon()
            throw error
        }
    }

    /// Whether a part is an input, or what an earlier commit left of one.
    private func isInput(_ reference: TableReference) -> Bool {
        inputs.contains(reference.metadata.number) && choice.orders.contains(reference.order)
    }

    /// A walk over the inputs, which holds only those tables that it has not passed.
    private mutating func openInputs() throws(StorageError) -> MergingCursor {
        let parts = tree.view.parts.filter { part in
            isInput(part.reference)
                && part.reference.overlaps(choice.lower, choice.upper)
        }
        wholeBelow = parts.map(\.reference.metadata.wholeBelow).min() ?? 0
        return try MergingCursor(
            memtables: [],
            runs: Run.runs(of: parts),
            rule: tree.rule,
            from: choice.lower.span.bytes,
            before: choice.upper,
            readAhead: Self.readAhead
        )
    }

    /// Takes over the next key; false behind the last.
    private mutating func step(_ cursor: inout MergingCursor) throws(StorageError) -> Bool {
        var failure: StorageError?
        if writer == nil { writer = try engine.tableWriter(for: tree, wholeBelow: wholeBelow) }
        let hasMore = try cursor.next { key, value, stamp, isWhole in
            readBytes += key.byteCount + value.byteCount
            lastKey.removeAll(keepingCapacity: true)
            unsafe key.withUnsafeBytes { unsafe lastKey.append(contentsOf: $0) }
            if mayPurge(key, value, stamp) {
                purged += 1
                return
            }
            do throws(StorageError) {
                try writer?.add(key: key, value: value, stamp: stamp, isWhole: isWhole)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return hasMore
    }

    private func mayPurge(_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Bool {
        if tree.rule.isOverwrite, stamp >> 1 >= settledSequence { return false }
        let prefix = prefix(ofOrderedKey: key)
        return horizon.mayPurge(
            droppableFrom: tree.rule.droppableFrom(value, stamp: stamp),
            stamp: stamp,
            prefix: prefix
        ) {
            mayHaveOlder(key, stamp)
        }
    }

    /// Whether anything but the inputs may hold an entry of the key.
    private func mayHaveOlder(_ key: RawSpan, _ stamp: UInt64) -> Bool {
        let view = tree.view
        if view.active.mayContain(key) || view.frozen.contains(where: { $0.mayContain(key) }) {
            return true
        }
        if view.lost.contains(where: { $0.contains(key) }) { return true }
        let hash = Table.hash(key)
        return view.runs.contains { run in
            guard let part = run.part(for: key) else { return false }
            return !isInput(part.reference) && part.table.mayContain(hash: hash)
        }
    }

    /// Enters what was written so far, and takes everything through `key` from the inputs; all of
    /// the range without a key.
    private mutating func commit(through key: [UInt8]?) throws(StorageError) {
        var added: [Part] = []
        if var finished = writer.take() {
            if finished.isEmpty {
                finished.abandon()
            } else {
                do throws(StorageError) {
                    let metadata = try finished.finish()
                    let reference = TableReference(metadata, order: choice.order)
                    added.append(Part(reference: reference, table: try engine.open(metadata)))
                    engine.counters.compactedBytes.add(Int(clamping: metadata.length))
                } catch {
                    finished.abandon()
                    throw error
                }
            }
        }
        let from = lower
        let to = key.map { $0 + [0] } ?? choice.upper
        let remaining = Set(
            tree.view.parts.map(\.reference)
                .filter { reference in
                    isInput(reference) && reference.overlaps(from, to)
                }
                .map(\.part)
        )
        try engine.replace(remaining, in: tree, adding: added) {
            $0.reference.without(from, to)
        }
        lower = to
        if choice.reason == .droppable, let output = added.first {
            tree.upkeep.withLock { _ = $0.futile.insert(output.reference.metadata.number) }
        }
        engine.counters.purgedEntries.add(purged)
        purged = 0
    }
}

extension TableReference {
    /// Whether it has keys of `from..<to`.
    func overlaps(_ from: [UInt8], _ to: [UInt8]) -> Bool {
        guard compareBytes(lower.span.bytes, to.span.bytes) < 0 else { return false }
        if let upper { return compareBytes(from.span.bytes, upper.span.bytes) < 0 }
        return compareBytes(from.span.bytes, metadata.lastKey.span.bytes) <= 0
    }

    /// What is left of it without the keys of `from..<to`: nothing, one part or two.
    func without(_ from: [UInt8], _ to: [UInt8]) -> [TableReference] {
        var rest: [TableReference] = []
        if compareBytes(lower.span.bytes, from.span.bytes) < 0 {
            var left = self
            left.upper = from
            rest.append(left)
        }
        let goesOn =
            if let upper {
                compareBytes(to.span.bytes, upper.span.bytes) < 0
            } else {
                compareBytes(to.span.bytes, metadata.lastKey.span.bytes) <= 0
            }
        if goesOn {
            var right = self
            right.lower = to
            rest.append(right)
        }
        return rest
    }
}
