internal import ByteCoding

extension Engine {
    /// Lends a digest of each key and of its version, in the order of prefixes, for comparing
    /// replicas.
    ///
    /// It reads the version indexes of tables and not their values; only keys that several runs
    /// have are read and joined, unless the newest stamp wins. Keys of one prefix come in the order
    /// of their digests. Tombstones are versions like others.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - firstPrefix: the first prefix of the range.
    ///   - lastPrefix: the last prefix of the range.
    ///   - body: whether to go on.
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
        let view = tree.view
        var walk = VersionWalk(tree: tree, view: view, digest: digest, through: lastPrefix)
        guard try walk.open(from: firstPrefix) else {
            // A table has lost its version index.
            return try view.visit(
                tree: tree,
                from: .from(prefix: firstPrefix),
                through: lastPrefix
            ) { prefix, key, value, _ in
                body(prefix, Table.hash(orderedKey(prefix, key).span.bytes), digest(value))
            }
        }
        while let prefix = try walk.next() {
            for version in walk.versions {
                guard body(prefix, version.keyDigest, version.versionDigest) else { return }
            }
        }
    }
}
