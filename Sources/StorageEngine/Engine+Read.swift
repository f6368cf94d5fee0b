public import ByteCoding
internal import Synchronization

/// Whether a lookup may wait for the disk.
public enum DiskAccess: Sendable {
    /// It may.
    case allowed
    /// It answers from memory, the system's for files too, or that it cannot.
    case forbidden
}

extension Engine {
    /// Looks a key up, joined over all runs.
    ///
    /// The key is a range of `source`. With the disk forbidden the answer is `needsDisk`, unless
    /// memory, the cache, and the tables' filters and bounds suffice. A key whose block is damaged
    /// is never `absent`.
    ///
    /// - Throws: `unknownTree`, `corruption`, `lost`, `io`.
    public func get(
        tree number: UInt32,
        prefix: UInt64,
        key: ByteRange,
        of source: RawSpan,
        disk: DiskAccess = .allowed
    ) throws(StorageError) -> Lookup {
        let tree = try existing(number)
        return try tree.view.get(
            prefix: prefix,
            key: source.extracting(key.offset..<key.end),
            tree: tree,
            disk: disk
        ).0
    }

    /// Looks a key up that is an array.
    ///
    /// - Throws: as the other `get`.
    public func get(
        tree number: UInt32,
        prefix: UInt64,
        key: [UInt8],
        disk: DiskAccess = .allowed
    ) throws(StorageError) -> Lookup {
        try getWithBasis(tree: number, prefix: prefix, key: key, disk: disk).0
    }

    /// Looks a key up for a write that will be made of what is found.
    ///
    /// - Returns: what is found, and what a record names that has all of it.
    /// - Throws: as `get`.
    public func getWithBasis(
        tree number: UInt32,
        prefix: UInt64,
        key: [UInt8],
        disk: DiskAccess = .allowed
    ) throws(StorageError) -> (Lookup, ReadBasis) {
        let tree = try existing(number)
        return try tree.view.get(prefix: prefix, key: key.span.bytes, tree: tree, disk: disk)
    }

    /// Joins what can be read of a key of which `get` says that something is damaged or lost.
    ///
    /// - Returns: the value, nil where none of it can be read, and all that stood in the way.
    /// - Throws: `unknownTree`.
    public func salvage(
        tree number: UInt32,
        prefix: UInt64,
        key: [UInt8]
    ) throws(StorageError) -> (value: [UInt8]?, damage: [StorageError]) {
        let tree = try existing(number)
        return try tree.view.salvage(prefix: prefix, key: key.span.bytes, tree: tree)
    }

    /// Looks a key up and lends its value, without a copy where one run has it alone.
    ///
    /// - Returns: what `body` made of the value; nil if the key is absent.
    /// - Throws: `unknownTree`, `corruption`, `lost`, `io`.
    @inlinable
    public func read<R>(
        tree number: UInt32,
        prefix: UInt64,
        key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> R
    ) throws(StorageError) -> R? {
        var result: R?
        try lend(tree: number, prefix: prefix, key: key) { result = body($0, $1) }
        return result
    }

    /// Lends the value of a key, if it is there; not generic, so that it need not be specialised.
    @usableFromInline
    func lend(
        tree number: UInt32,
        prefix: UInt64,
        key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> Void
    ) throws(StorageError) {
        let tree = try existing(number)
        try tree.view.lend(prefix: prefix, key: key, tree: tree, body)
    }

    /// The newest stamp of a tree's entries; 0 if it has none.
    ///
    /// - Throws: `unknownTree`.
    public func newestStamp(tree number: UInt32) throws(StorageError) -> UInt64 {
        try existing(number).view.newestStamp
    }

    /// Lends the entries of a range in ascending order, joined over all runs.
    ///
    /// What is written meanwhile may or may not be among them; a snapshot shows one moment.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - position: where to begin; nil for the first entry.
    ///   - lastPrefix: the last prefix that belongs to the range.
    ///   - body: whether to go on; must not keep the spans.
    /// - Throws: `unknownTree`, `corruption`, `lost`, `io`.
    public func visit(
        tree number: UInt32,
        from position: ScanPosition? = nil,
        through lastPrefix: UInt64 = .max,
        _ body: (_ prefix: UInt64, _ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Bool
    ) throws(StorageError) {
        let tree = try existing(number)
        try tree.view.visit(tree: tree, from: position, through: lastPrefix, body)
    }

    /// A page of entries in ascending order, joined over all runs.
    ///
    /// Each page shows its own moment; pages of a snapshot show one.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - position: where to begin; nil for the first entry.
    ///   - lastPrefix: the last prefix that belongs to the range.
    ///   - maximumBytes: keys and values after which the page ends; one entry always fits.
    ///   - maximumEntries: entries after which the page ends, at least 1.
    /// - Returns: the entries and where the next page begins.
    /// - Throws: `unknownTree`, `corruption`, `lost`, `io`.
    public func scan(
        tree number: UInt32,
        from position: ScanPosition? = nil,
        through lastPrefix: UInt64 = .max,
        maximumBytes: Int = 1 << 20,
        maximumEntries: Int = 1024
    ) throws(StorageError) -> ScanPage {
        let tree = try existing(number)
        return try tree.view.scan(
            tree: tree,
            from: position,
            through: lastPrefix,
            maximumBytes: maximumBytes,
            maximumEntries: maximumEntries
        )
    }

    /// Holds a tree as it is now, for as long as the snapshot lives.
    ///
    /// The active memtable becomes a frozen one, so that each snapshot costs a run until the next
    /// flush.
    ///
    /// - Throws: `unknownTree`.
    public func snapshot(tree number: UInt32) throws(StorageError) -> TreeSnapshot {
        let tree = try existing(number)
        tree.freeze()
        let view = tree.view
        return TreeSnapshot(
            tree: tree,
            view: TreeView(
                active: Memtable(),
                frozen: view.frozen,
                runs: view.runs,
                lost: view.lost
            )
        )
    }
}

/// A tree as it was at one moment; it holds the files of its tables until it is released.
public final class TreeSnapshot: Sendable {
    private let tree: Tree
    private let view: TreeView

    init(tree: Tree, view: TreeView) {
        self.tree = tree
        self.view = view
    }

    /// Looks a key up, joined over all runs.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    public func get(prefix: UInt64, key: [UInt8]) throws(StorageError) -> Lookup {
        try view.get(prefix: prefix, key: key.span.bytes, tree: tree, disk: .allowed).0
    }

    /// Looks a key up and lends its value.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    public func read<R>(
        prefix: UInt64,
        key: RawSpan,
        _ body: (_ value: RawSpan, _ stamp: UInt64) -> R
    ) throws(StorageError) -> R? {
        var result: R?
        try view.lend(prefix: prefix, key: key, tree: tree) { result = body($0, $1) }
        return result
    }

    /// Lends the entries of a range in ascending order; as `Engine.visit`.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    public func visit(
        from position: ScanPosition? = nil,
        through lastPrefix: UInt64 = .max,
        _ body: (_ prefix: UInt64, _ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Bool
    ) throws(StorageError) {
        try view.visit(tree: tree, from: position, through: lastPrefix, body)
    }

    /// A page of entries in ascending order; as `Engine.scan`.
    ///
    /// - Throws: `corruption`, `lost`, `io`.
    public func scan(
        from position: ScanPosition? = nil,
        through lastPrefix: UInt64 = .max,
        maximumBytes: Int = 1 << 20,
        maximumEntries: Int = 1024
    ) throws(StorageError) -> ScanPage {
        try view.scan(
            tree: tree,
            from: position,
            through: lastPrefix,
            maximumBytes: maximumBytes,
            maximumEntries: maximumEntries
        )
    }
}
