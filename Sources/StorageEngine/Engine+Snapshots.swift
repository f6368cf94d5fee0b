internal import ByteCoding
public import FileSystems
internal import Synchronization

extension Engine {
    /// Makes a copy of the engine in a directory on the same disk, by hard links.
    ///
    /// It has everything that was applied before the call, costs no room until tables are
    /// compacted away, and is an engine's directory itself: a manifest with the checksum of each
    /// table, the tables, and an empty log. Its manifest comes last; without one it is not whole.
    ///
    /// - Parameter path: must not exist or be empty; its parent must exist.
    /// - Throws: `foreignFile` if the directory has anything in it, `diskFull`, `io`, `poisoned`,
    ///   `closed`.
    public func createSnapshot(at path: String) throws(StorageError) {
        if let refusal = log.refusal { throw refusal }
        for tree in allTrees { try flush(tree) }
        try manifest.withLock { keeper throws(StorageError) in
            try DirectoryCopy(files: files, options: options).link(
                keeper.state,
                from: directory,
                to: FileNames.normalized(path)
            )
        }
    }

    /// Makes an engine's directory of a snapshot, after it has checked every table's checksum.
    ///
    /// The snapshot stays as it is; the new directory shares its files by hard links.
    ///
    /// - Parameters:
    ///   - snapshot: the snapshot's directory.
    ///   - directory: must not exist or be empty; its parent must exist.
    ///   - files: the disk of both.
    ///   - options: the identity must be that of the engine.
    /// - Throws: `corruption`, `foreignFile`, `unsupportedFormat`, `diskFull`, `io`; the new
    ///   directory has no manifest then.
    public static func restore(
        snapshot: String,
        to directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions()
    ) throws(StorageError) {
        let snapshot = FileNames.normalized(snapshot)
        let directory = FileNames.normalized(directory)
        let (state, _) = try Manifest.read(snapshot, identity: options.identity, files: files)
        for error in try check(state, in: snapshot, on: files) { throw error }
        try DirectoryCopy(files: files, options: options).link(state, from: snapshot, to: directory)
    }

    /// Checks a directory's tables against the lengths and checksums of its manifest, without
    /// opening it.
    ///
    /// - Returns: what is damaged or missing; empty if nothing is.
    /// - Throws: `corruption` of the manifest, `foreignFile`, `unsupportedFormat`, `io`.
    public static func verifySnapshot(
        _ directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions()
    ) throws(StorageError) -> [StorageError] {
        let directory = FileNames.normalized(directory)
        let (state, _) = try Manifest.read(directory, identity: options.identity, files: files)
        return try check(state, in: directory, on: files)
    }

    private static func check(
        _ state: Manifest.State,
        in directory: String,
        on files: any FileSystem
    ) throws(StorageError) -> [StorageError] {
        var errors: [StorageError] = []
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            for metadata in tree.files {
                let path = FileNames.table(metadata.number, tree: number, in: directory)
                do throws(FileSystemError) {
                    if let error = try mismatch(of: path, metadata, files) { errors.append(error) }
                } catch {
                    guard error.reason == .notFound else { throw StorageError(error) }
                    errors.append(
                        .corruption(
                            file: path,
                            offset: 0,
                            expected: metadata.length,
                            found: 0,
                            what: "the file is missing"
                        )
                    )
                }
            }
        }
        return errors
    }

    private static func mismatch(
        of path: String,
        _ metadata: TableMetadata,
        _ files: any FileSystem
    ) throws(FileSystemError) -> StorageError? {
        let size = try files.size(of: path)
        let file = try files.openForReading(path)
        var checksum: UInt32 = 0
        var offset = 0
        while offset < size {
            let bytes = try file.read(at: offset, count: min(1 << 20, size - offset))
            if bytes.isEmpty { break }
            checksum = CRC32C.checksum(bytes, seed: checksum)
            offset += bytes.count
        }
        let isSound = UInt64(size) == metadata.length && checksum == metadata.checksum
        return isSound
            ? nil
            : .corruption(
                file: path,
                offset: 0,
                expected: UInt64(metadata.checksum),
                found: UInt64(checksum),
                what: "the file of \(size) bytes has another checksum or length"
            )
    }

    /// Opens a directory to read it, without a lock and without changing anything: a snapshot, or
    /// an engine's directory that no engine has open.
    ///
    /// - Returns: its trees, by number.
    /// - Throws: as `open`.
    public static func read(
        directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions(),
        rules: [MergeRule] = [],
        damage: DamagePolicy = .refuse
    ) throws(StorageError) -> [UInt32: TreeSnapshot] {
        var recovery = Recovery(
            directory: FileNames.normalized(directory),
            files: files,
            options: options,
            rules: [.overwrite] + rules,
            policy: damage
        )
        return try recovery.read().mapValues { TreeSnapshot(tree: $0, view: $0.view) }
    }
}

/// Makes directories that share the tables of others.
struct DirectoryCopy {
    let files: any FileSystem
    let options: EngineOptions

    func link(
        _ state: Manifest.State,
        from source: String,
        to target: String
    ) throws(StorageError) {
        try onDisk { () throws(FileSystemError) in
            try files.createDirectory(target)
            try files.syncDirectory(FileNames.parent(of: target))
        }
        let names = try onDisk { () throws(FileSystemError) in try files.list(target) }
        if let name = names.first {
            throw .foreignFile(file: "\(target)/\(name)", what: "the directory must be empty")
        }
        var copy = Manifest.State()
        copy.nextTable = state.nextTable
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            var linked = tree
            linked.since = LogPosition(segment: 0, offset: 0)
            copy.trees[number] = linked
            try onDisk { () throws(FileSystemError) in
                try files.createDirectory(FileNames.treeDirectory(number, in: target))
                for metadata in tree.files {
                    try files.link(
                        FileNames.table(metadata.number, tree: number, in: source),
                        to: FileNames.table(metadata.number, tree: number, in: target)
                    )
                }
                try files.syncDirectory(FileNames.treeDirectory(number, in: target))
            }
        }
        try onDisk { () throws(FileSystemError) in
            try files.createDirectory(FileNames.logDirectory(target))
            try files.syncDirectory(target)
        }
        let log = try Log(
            files: files,
            directory: target,
            options: options,
            segment: 1,
            durable: LogPosition(segment: 0, offset: 0),
            sequence: 1
        )
        try log.close()
        copy.logBegins = 1
        _ = try Manifest(
            writing: copy,
            generation: 1,
            directory: target,
            identity: options.identity,
            files: files
        )
    }
}

extension Manifest.State.Tree {
    /// The tables of which it has parts, each once.
    var files: [TableMetadata] {
        var seen: Set<UInt64> = []
        return tables.map(\.metadata).filter { seen.insert($0.number).inserted }
    }
}
