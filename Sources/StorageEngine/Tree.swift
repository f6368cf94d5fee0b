internal import ByteCoding
internal import Synchronization

/// One tree: its newest entries in memory and its tables.
///
/// Runs from the newest to the oldest: the active memtable, frozen ones, tables. A value in memory
/// was joined with what older memtables had when it came, so the newest memtable that has a key
/// speaks for all; tables are joined on reading.
final class Tree: Sendable {
    /// What changes.
    struct State: Sendable {
        var active = Memtable()
        /// The oldest first; all wait for their flush.
        var frozen: [FrozenMemtable] = []
        /// The oldest first.
        var tables: [Table] = []
        var isFlushing = false
        var isDropped = false

        var memoryInUse: Int {
            active.sizeInBytes + frozen.reduce(0) { $0 + $1.table.sizeInBytes }
        }

        /// The oldest log segment with a record that is only in memory.
        var oldestSegment: UInt64 {
            frozen.reduce(active.oldestSegment) { min($0, $1.table.oldestSegment) }
        }
    }

    let number: UInt32
    let rule: MergeRule
    let since: LogPosition
    let state: Mutex<State>

    init(number: UInt32, rule: MergeRule, since: LogPosition, tables: [Table] = []) {
        self.number = number
        self.rule = rule
        self.since = since
        state = Mutex(State(tables: tables))
    }
}

extension Tree.State {
    /// Puts a record into the active memtable, joined with what memory has of its key.
    mutating func insert(
        _ record: Record,
        of source: RawSpan,
        rule: MergeRule,
        segment: UInt64
    ) -> ApplyOutcome {
        let needsCheck = mayBeOlder(record, of: source)
        active.noteSegment(segment)
        var result = ApplyOutcome.Result.inserted
        if !rule.isOverwrite, let (bytes, entry) = newest(record.prefix, record.key, of: source) {
            let existing = bytes.span.bytes.extracting(entry.value.offset..<entry.value.end)
            let incoming = source.extracting(record.value.offset..<record.value.end)
            switch rule.join(existing, incoming) {
            case .takeIncoming:
                break
            case .keepExisting:
                return ApplyOutcome(
                    result: .keptExisting(existing.array()),
                    needsCheck: needsCheck
                )
            case .merged(let value):
                active.set(
                    record.prefix,
                    record.key,
                    of: source,
                    value: ByteRange(offset: 0, count: value.count),
                    of: value.span.bytes,
                    stamp: max(entry.stamp, record.stamp)
                )
                return ApplyOutcome(result: .merged, needsCheck: needsCheck)
            }
        }
        active.set(
            record.prefix,
            record.key,
            of: source,
            value: record.value,
            of: source,
            stamp: record.stamp
        )
        result = .inserted
        return ApplyOutcome(result: result, needsCheck: needsCheck)
    }

    /// Whether a table may hold the record's key under a stamp not below the record's.
    private func mayBeOlder(_ record: Record, of source: RawSpan) -> Bool {
        var hash: UInt64?
        for table in tables where table.metadata.newestStamp >= record.stamp {
            let known = hash ?? BloomFilter.hash(record.prefix, record.key, of: source)
            hash = known
            if table.mayContain(record.prefix, record.key, of: source, hash: known) {
                return true
            }
        }
        return false
    }

    /// What the newest memtable that has a key says: its chunk and the places in it.
    func newest(
        _ prefix: UInt64,
        _ key: ByteRange,
        of source: RawSpan
    ) -> (bytes: [UInt8], entry: Arena.Entry)? {
        if let reference = active.find(prefix, key, of: source) {
            let entry = active.arena.entry(reference)
            return (active.arena.chunks[entry.chunk], entry)
        }
        for memtable in frozen.reversed() {
            if let reference = memtable.table.find(prefix, key, of: source) {
                let entry = memtable.table.arena.entry(reference)
                return (memtable.table.arena.chunks[entry.chunk], entry)
            }
        }
        return nil
    }
}
