internal import ByteCoding

/// Walks the versions of a tree's keys, prefix by prefix.
struct VersionWalk {
    /// A key's version.
    struct Version {
        let keyDigest: UInt64
        var versionDigest: UInt64
        fileprivate var stamp: UInt64
    }

    private let tree: Tree
    private let view: TreeView
    private let digest: (RawSpan) -> UInt64
    private let lastPrefix: UInt64
    private var tables: [VersionCursor] = []
    private var memtables: [MemtableCursor] = []
    /// Prefixes of which a table may have keys that no longer belong to the tree.
    private var cut: Set<UInt64> = []
    /// Whether runs differ about a key of the current prefix, so that values have to be joined.
    private var isDisputed = false
    /// The versions of the current prefix, ascending by the key's digest.
    private(set) var versions: [Version] = []

    init(tree: Tree, view: TreeView, digest: @escaping (RawSpan) -> UInt64, through last: UInt64) {
        self.tree = tree
        self.view = view
        self.digest = digest
        lastPrefix = last
    }

    /// Goes before the first prefix of a range.
    ///
    /// - Returns: false if a table has no version index, and its values have to be read.
    /// - Throws: `corruption`, `lost`, `io`.
    mutating func open(from firstPrefix: UInt64) throws(StorageError) -> Bool {
        let nothing: [UInt8] = []
        let lower = orderedKey(firstPrefix, nothing.span.bytes)
        let upper = lastPrefix == .max ? nil : orderedKey(lastPrefix + 1, nothing.span.bytes)
        for range in view.lost where range.overlaps(lower, upper) {
            throw .lost(tree: tree.number, range: range)
        }
        for part in view.parts where part.mayHold(from: firstPrefix, through: lastPrefix) {
            let reference = part.reference
            let first = prefix(ofOrderedKey: reference.lower.span.bytes)
            let last = reference.upper.map { prefix(ofOrderedKey: $0.span.bytes) }
            if reference.lower != reference.metadata.firstKey { cut.insert(first) }
            if let last { cut.insert(last) }
            let cursor = try VersionCursor(
                part.table,
                fromPrefix: max(firstPrefix, first),
                throughPrefix: min(lastPrefix, last ?? .max)
            )
            guard let cursor else { return false }
            if !cursor.isAtEnd { tables.append(cursor) }
        }
        for memtable in view.frozen + [view.active] where !memtable.isEmpty {
            memtables.append(MemtableCursor(memtable, from: lower.span.bytes))
        }
        return true
    }

    /// Brings the versions of the next prefix.
    ///
    /// - Returns: the prefix, or nil behind the last.
    /// - Throws: `corruption`, `lost`, `io`.
    mutating func next() throws(StorageError) -> UInt64? {
        var least: UInt64?
        for cursor in tables { least = min(least ?? .max, cursor.prefix) }
        for cursor in memtables where !cursor.isAtEnd { least = min(least ?? .max, cursor.first) }
        guard let least, least <= lastPrefix else { return nil }
        versions.removeAll(keepingCapacity: true)
        isDisputed = cut.contains(least)
        for index in tables.indices.reversed() {
            while !tables[index].isAtEnd, tables[index].prefix == least {
                let (key, version) = (tables[index].keyDigest, tables[index].versionDigest)
                add(key, version, tables[index].stamp)
                try tables[index].advance()
            }
            if tables[index].isAtEnd { tables.remove(at: index) }
        }
        for index in memtables.indices {
            while !memtables[index].isAtEnd, memtables[index].first == least {
                let (key, version) = memtables[index].withEntry { (Table.hash($0), digest($1)) }
                add(key, version, memtables[index].stamp)
                memtables[index].advance()
            }
        }
        if isDisputed { try join(at: least) }
        versions.sort { $0.keyDigest < $1.keyDigest }
        return least
    }

    private mutating func add(_ keyDigest: UInt64, _ versionDigest: UInt64, _ stamp: UInt64) {
        let version = Version(keyDigest: keyDigest, versionDigest: versionDigest, stamp: stamp)
        guard let known = versions.firstIndex(where: { $0.keyDigest == keyDigest }) else {
            versions.append(version)
            return
        }
        let isSettled = tree.rule.newestStampWins && versions[known].stamp != stamp
        if !isSettled, versions[known].versionDigest != versionDigest { isDisputed = true }
        if stamp > versions[known].stamp { versions[known] = version }
    }

    /// Takes the versions of a prefix from its values.
    private mutating func join(at prefix: UInt64) throws(StorageError) {
        var joined: [Version] = []
        try view.visit(tree: tree, from: .from(prefix: prefix), through: prefix) {
            prefix,
            key,
            value,
            stamp in
            let keyDigest = Table.hash(orderedKey(prefix, key).span.bytes)
            joined.append(
                Version(keyDigest: keyDigest, versionDigest: digest(value), stamp: stamp)
            )
            return true
        }
        versions = joined
    }
}

extension Part {
    /// Whether it may have keys of a range of prefixes.
    func mayHold(from first: UInt64, through last: UInt64) -> Bool {
        let lower = reference.lower
        let end = reference.upper ?? reference.metadata.lastKey
        return prefix(ofOrderedKey: lower.span.bytes) <= last
            && prefix(ofOrderedKey: end.span.bytes) >= first
    }
}
