internal import ByteCoding
internal import FileSystems
internal import Synchronization

/// One tree: its newest entries in memory and its tables.
///
/// Readers take the view and no lock after that. Whoever replaces the view holds `writer` if the
/// active memtable changes, so that no record goes to a memtable that was frozen, and the
/// manifest's lock if tables do.
final class Tree: Sendable {
    let number: UInt32
    let rule: MergeRule
    /// Records of the log before this belong to an earlier tree of the number.
    let since: LogPosition
    private let current: Lock<(view: TreeView, changes: Int)>
    /// Serialises writers; holds whether the tree was dropped.
    let writer = Lock(false)
    let upkeep = Mutex(Upkeep())
    /// Held for the whole of a flush.
    let flushing = Mutex(())

    /// What is being done to the tree.
    struct Upkeep: Sendable {
        /// Whether a flush is under way.
        var isFlushing = false
        /// Whether the last flush failed.
        var hasFailedFlush = false
        /// Compactions under way.
        var running: [CompactionChoice] = []
        /// The runs that have begun to become one; see `TreePicture.begun`.
        var begun: [[UInt64]] = []
        /// Tables that were rewritten alone for what could be left out of them.
        var futile: Set<UInt64> = []
        /// Tables in which a compaction met damage; left alone until they are scrubbed.
        var damaged: Set<UInt64> = []
        /// `Tree.changes` when there was last nothing to compact.
        var settledAt = -1
        var compression = Compression.none
        var horizons = PurgeSchedule()
    }

    init(number: UInt32, rule: MergeRule, since: LogPosition, view: TreeView) {
        self.number = number
        self.rule = rule
        self.since = since
        current = Lock((view, 0))
    }

    var view: TreeView { current.withLock { $0.view } }
    /// How often the view was replaced.
    var changes: Int { current.withLock { $0.changes } }

    /// Puts another view in place of the current one.
    func change(_ body: (TreeView) -> TreeView) {
        current.withLock { current in
            current = (body(current.view), current.changes + 1)
        }
    }

    /// Makes the active memtable a frozen one, unless it is empty.
    func freeze() {
        writer.withLock { _ in
            guard !view.active.isEmpty else { return }
            change { view in
                TreeView(
                    active: Memtable(),
                    frozen: view.frozen + [view.active],
                    runs: view.runs,
                    lost: view.lost
                )
            }
        }
    }
}

extension Tree {
    /// Puts a record into the active memtable; its writer's lock is held.
    func insert(
        _ record: Record,
        of source: RawSpan,
        stamp: UInt64,
        segment: UInt64,
        basis: ReadBasis,
        view: TreeView
    ) -> ApplyOutcome {
        let result = view.active.insert(
            record.orderedKey,
            record.value,
            of: source,
            stamp: stamp,
            segment: segment,
            basis: basis,
            rule: rule
        )
        let key = source.extracting(record.orderedKey.offset..<record.orderedKey.end)
        return ApplyOutcome(
            result: result,
            needsCheck: !rule.isOverwrite && view.mayHold(key, notOlderThan: stamp)
        )
    }
}
