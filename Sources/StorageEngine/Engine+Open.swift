internal import ByteCoding
public import FileSystems
internal import Synchronization

extension Engine {
    /// Opens the engine of a directory, making or recovering it.
    ///
    /// What recovery finds in the log is written to a new segment and synced before this returns,
    /// since bytes read back after a crash need not be on the disk. Nothing is deleted if it
    /// throws.
    ///
    /// - Parameters:
    ///   - directory: made if it does not exist; its parent must.
    ///   - files: the disk.
    ///   - options: what the engine may use; the identity must be that of the first time.
    ///   - rules: the rules of the trees there are, found by name; `overwrite` is known.
    /// - Returns: the engine, which holds the directory's lock until it is closed.
    /// - Throws: `locked`, `corruption`, `foreignFile`, `unsupportedFormat`, `unknownRule`,
    ///   `diskFull`, `io`.
    public static func open(
        directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions(),
        rules: [MergeRule] = []
    ) throws(StorageError) -> Engine {
        let lock = try onDisk { () throws(FileSystemError) in
            try files.createDirectory(directory)
            try files.syncDirectory(FileNames.parent(of: directory))
            return try files.lock(FileNames.lock(directory))
        }
        do throws(StorageError) {
            return try Recovery(
                directory: directory,
                files: files,
                options: options,
                rules: [.overwrite] + rules
            ).open(holding: lock)
        } catch {
            lock.release()
            throw error
        }
    }
}

/// Brings an engine up from what the disk holds.
private struct Recovery {
    let directory: String
    let files: any FileSystem
    let options: EngineOptions
    let rules: [MergeRule]

    func open(holding lock: any FileLock) throws(StorageError) -> Engine {
        let segments = try logSegments()
        let hasManifest = try onDisk { () throws(FileSystemError) in
            try files.exists(FileNames.manifest(directory))
        }
        var state = Manifest.State()
        var generation: UInt64 = 0
        if hasManifest {
            (state, generation) = try Manifest.read(
                directory,
                identity: options.identity,
                files: files
            )
        }
        let contents = try log(state, hasManifest: hasManifest, segments)
        var trees: [UInt32: Tree] = [:]
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            trees[number] = try open(number, tree)
        }
        let first = (segments.last ?? 0) + 1
        let isNext = contents.end.segment + 1 == first
        let log = try Log(
            files: files,
            directory: directory,
            options: options,
            segment: first,
            previousEnd: isNext ? contents.end.offset : 0,
            durable: contents.mark
        )
        try replay(contents, into: trees, log)
        _ = try log.write(syncing: true)
        state.logBegins = first
        let manifest = try Manifest(
            writing: state,
            generation: generation + 1,
            directory: directory,
            identity: options.identity,
            files: files
        )
        for number in segments {
            try onDisk { () throws(FileSystemError) in
                try files.remove(FileNames.segment(number, in: directory))
            }
        }
        let memory = trees.values.reduce(0) { $0 + $1.state.withLock { $0.memoryInUse } }
        return Engine(
            directory: directory,
            files: files,
            options: options,
            rules: rules,
            log: log,
            trees: trees,
            manifest: Engine.ManifestKeeper(manifest: manifest, state: state),
            nextTable: try nextTable(state),
            memory: memory,
            lock: lock
        )
    }

    private func logSegments() throws(StorageError) -> [UInt64] {
        let names = try onDisk { () throws(FileSystemError) in
            let log = FileNames.logDirectory(directory)
            try files.createDirectory(log)
            try files.syncDirectory(directory)
            return try files.list(log)
        }
        return names.compactMap { FileNames.number($0, suffix: ".log") }.sorted()
    }

    private func log(
        _ state: Manifest.State,
        hasManifest: Bool,
        _ segments: [UInt64]
    ) throws(StorageError) -> LogReader.Contents {
        let reader = LogReader(files: files, directory: directory, identity: options.identity)
        func corrupt(_ file: String, _ what: String) -> StorageError {
            .corruption(file: file, offset: 0, expected: 1, found: 0, what: what)
        }
        let first = hasManifest ? state.logBegins : segments.first ?? 0
        if hasManifest, !segments.contains(first) {
            throw corrupt(
                FileNames.segment(first, in: directory),
                "the file is missing, though the manifest says that the log begins with it"
            )
        }
        let contents = try reader.read(from: first, numbers: segments)
        // An engine is made with its manifest before it takes a record or makes a tree.
        if !hasManifest {
            let names = try onDisk { () throws(FileSystemError) in try files.list(directory) }
            let hasTrees = names.contains { UInt32($0) != nil }
            if hasTrees || contents.segments.contains(where: { !$0.batches.isEmpty }) {
                throw corrupt(
                    FileNames.manifest(directory),
                    "the file is missing, though there are trees or records"
                )
            }
        }
        return contents
    }

    private func open(
        _ number: UInt32,
        _ tree: Manifest.State.Tree
    ) throws(StorageError) -> Tree {
        guard let rule = rules.last(where: { $0.name == tree.rule }) else {
            throw .unknownRule(tree: number, name: tree.rule)
        }
        var tables: [Table] = []
        for metadata in tree.tables {
            tables.append(
                try Table(
                    metadata,
                    directory: directory,
                    identity: options.identity,
                    files: files
                )
            )
        }
        return Tree(number: number, rule: rule, since: tree.since, tables: tables)
    }

    /// Puts the records of live trees into their memtables and the new log.
    private func replay(
        _ contents: LogReader.Contents,
        into trees: [UInt32: Tree],
        _ log: Log
    ) throws(StorageError) {
        for segment in contents.segments {
            let span = segment.bytes.span.bytes
            for batch in segment.batches where batch.count > 0 {
                var kept = WriteBatch(capacity: batch.payload.count)
                var offset = batch.payload.offset
                let payload = span.extracting(0..<batch.payload.end)
                var count = 0
                while let record = Record(in: payload, at: offset) {
                    offset = record.value.end
                    count += 1
                    guard let tree = trees[record.tree], batch.position >= tree.since else {
                        continue
                    }
                    kept.put(
                        tree: record.tree,
                        prefix: record.prefix,
                        key: record.key,
                        value: record.value,
                        of: span,
                        stamp: record.stamp
                    )
                }
                guard offset == batch.payload.end, count == batch.count else {
                    throw .corruption(
                        file: FileNames.segment(segment.number, in: directory),
                        offset: offset,
                        expected: UInt64(batch.count),
                        found: UInt64(count),
                        what: "a batch holds another number of records than it says"
                    )
                }
                guard kept.count > 0 else { continue }
                let position = try log.append(kept)
                _ = Engine.insert(kept, at: position, log) { trees[$0] }
            }
            _ = try log.write(syncing: false)
        }
    }

    /// A number behind those of all tables on the disk, also such as a crash left behind.
    private func nextTable(_ state: Manifest.State) throws(StorageError) -> UInt64 {
        var highest: UInt64 = 0
        for (number, tree) in state.trees {
            highest = tree.tables.reduce(highest) { max($0, $1.number) }
            let names = try onDisk { () throws(FileSystemError) in
                try files.list(FileNames.treeDirectory(number, in: directory))
            }
            for name in names {
                let found =
                    FileNames.number(name, suffix: ".sst")
                    ?? FileNames.number(name, suffix: ".tmp")
                highest = max(highest, found ?? 0)
                if name.hasSuffix(".tmp"), found != nil {
                    // Never whole, never named by a manifest.
                    let path = "\(FileNames.treeDirectory(number, in: directory))/\(name)"
                    try onDisk { () throws(FileSystemError) in try files.remove(path) }
                }
            }
        }
        return highest + 1
    }
}
