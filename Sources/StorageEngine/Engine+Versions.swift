internal import ByteCoding

extension Engine {
    /// Lends a digest of each key and of its version, in the order of prefixes, for comparing
    /// replicas.
    ///
    /// It reads the version indexes of tables and not their values; only keys that several runs
    /// have are read and joined, unless the newest stamp wins. Keys of one prefix come in no
    /// particular order. A key that was deleted by a deletion of the engine's is left out;
    /// tombstones are versions like others.
    ///
    /// - Parameter body: whether to go on.
    /// - Throws: `unknownTree`, `noVersionIndex` if the tree's rule gives no digests, `corruption`,
    ///   `lost`, `io`.
    public func visitVersions(
        tree number: UInt32,
        from firstPrefix: UInt64 = 0,
        through lastPrefix: UInt64 = .max,
        _ body: (_ prefix: UInt64, _ keyDigest: UInt64, _ versionDigest: UInt64) -> Bool
    ) throws(StorageError) {
        let tree = try existing(number)
        guard let digest = tree.rule.versionDigest else { throw .noVersionIndex(tree: number) }
        try tree.view.visitVersions(
            tree: tree,
            digest: digest,
            from: firstPrefix,
            through: lastPrefix,
            body
        )
    }
}

extension TreeView {
    /// A key's version as one run knows it.
    private struct Version {
        let keyDigest: UInt64
        var versionDigest: UInt64
        var stamp: UInt64
        var isShared = false
    }

    func visitVersions(
        tree: Tree,
        digest: @Sendable (RawSpan) -> UInt64,
        from firstPrefix: UInt64,
        through lastPrefix: UInt64,
        _ body: (_ prefix: UInt64, _ keyDigest: UInt64, _ versionDigest: UInt64) -> Bool
    ) throws(StorageError) {
        let nothing: [UInt8] = []
        let lower = orderedKey(firstPrefix, nothing.span.bytes)
        let upper = lastPrefix == .max ? nil : orderedKey(lastPrefix + 1, nothing.span.bytes)
        for range in lost where range.overlaps(lower, upper) {
            throw .lost(tree: tree.number, range: range)
        }
        var tables: [VersionCursor] = []
        // A prefix that a part's bounds cut is looked up by its values.
        var cut: Set<UInt64> = []
        for part in parts where part.mayHold(from: firstPrefix, through: lastPrefix) {
            let lower = prefix(ofOrderedKey: part.reference.lower.span.bytes)
            let upper = part.reference.upper.map { prefix(ofOrderedKey: $0.span.bytes) }
            if part.reference.lower != part.reference.metadata.firstKey { cut.insert(lower) }
            if let upper { cut.insert(upper) }
            let cursor = try VersionCursor(
                part.table,
                fromPrefix: max(firstPrefix, lower),
                throughPrefix: min(lastPrefix, upper ?? .max)
            )
            guard let cursor else {
                return try visitByValues(
                    tree: tree,
                    digest: digest,
                    from: firstPrefix,
                    through: lastPrefix,
                    body
                )
            }
            if !cursor.isAtEnd { tables.append(cursor) }
        }
        var memtables = (frozen + [active]).filter { !$0.isEmpty }
            .map { MemtableCursor($0, from: lower.span.bytes) }
        while true {
            var least = tables.reduce(UInt64?.none) { min($0 ?? .max, $1.prefix) }
            for cursor in memtables where !cursor.isAtEnd {
                least = min(least ?? .max, cursor.first)
            }
            guard let least, least <= lastPrefix else { return }
            var versions: [Version] = []
            func add(_ keyDigest: UInt64, _ versionDigest: UInt64, _ stamp: UInt64) {
                let known = versions.firstIndex { $0.keyDigest == keyDigest }
                guard let known else {
                    versions.append(
                        Version(keyDigest: keyDigest, versionDigest: versionDigest, stamp: stamp)
                    )
                    return
                }
                let isSettled = tree.rule.newestStampWins && versions[known].stamp != stamp
                if !isSettled, versions[known].versionDigest != versionDigest {
                    versions[known].isShared = true
                }
                if stamp > versions[known].stamp {
                    versions[known].versionDigest = versionDigest
                    versions[known].stamp = stamp
                }
            }
            for index in tables.indices.reversed() {
                while !tables[index].isAtEnd, tables[index].prefix == least {
                    let cursor = tables[index]
                    add(cursor.keyDigest, cursor.versionDigest, cursor.stamp)
                    try tables[index].advance()
                }
                if tables[index].isAtEnd { tables.remove(at: index) }
            }
            for index in memtables.indices {
                while !memtables[index].isAtEnd, memtables[index].first == least {
                    let stamp = memtables[index].stamp
                    memtables[index].withEntry { key, value in
                        add(Table.hash(key), digest(value), stamp)
                    }
                    memtables[index].advance()
                }
            }
            if cut.contains(least) || versions.contains(where: \.isShared) {
                versions = try joined(at: least, tree: tree, digest: digest)
            }
            for version in versions.sorted(by: { $0.keyDigest < $1.keyDigest }) {
                guard body(least, version.keyDigest, version.versionDigest) else { return }
            }
        }
    }

    /// As `visitVersions`, where a table has lost its version index.
    private func visitByValues(
        tree: Tree,
        digest: (RawSpan) -> UInt64,
        from first: UInt64,
        through last: UInt64,
        _ body: (_ prefix: UInt64, _ keyDigest: UInt64, _ versionDigest: UInt64) -> Bool
    ) throws(StorageError) {
        try visit(tree: tree, from: .from(prefix: first), through: last) {
            prefix,
            key,
            value,
            _ in
            let ordered = orderedKey(prefix, key)
            return body(prefix, Table.hash(ordered.span.bytes), digest(value))
        }
    }

    /// The versions of a prefix, by reading its values.
    private func joined(
        at prefix: UInt64,
        tree: Tree,
        digest: (RawSpan) -> UInt64
    ) throws(StorageError) -> [Version] {
        var versions: [Version] = []
        try visit(tree: tree, from: .from(prefix: prefix), through: prefix) {
            prefix,
            key,
            value,
            stamp in
            let ordered = orderedKey(prefix, key)
            versions.append(
                Version(
                    keyDigest: Table.hash(ordered.span.bytes),
                    versionDigest: digest(value),
                    stamp: stamp
                )
            )
            return true
        }
        return versions
    }
}

extension Part {
    /// Whether it may have keys of a range of prefixes.
    func mayHold(from first: UInt64, through last: UInt64) -> Bool {
        let end = reference.upper ?? reference.metadata.lastKey
        return prefix(ofOrderedKey: reference.lower.span.bytes) <= last
            && prefix(ofOrderedKey: end.span.bytes) >= first
    }
}
