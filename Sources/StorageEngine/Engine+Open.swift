internal import ByteCoding
public import FileSystems
internal import Synchronization

/// What opening does about damage that it can go on with.
public enum DamagePolicy: Sendable {
    /// It throws; nothing was changed.
    case refuse
    /// It goes on: what was lost is unknown, never absent, and `Engine.damage` names it.
    case isolate
}

extension Engine {
    /// Opens the engine of a directory, making or recovering it.
    ///
    /// After a crash, what recovery finds in the log is written to a new segment and synced before
    /// this returns, since bytes read back after a crash need not be on the disk. Nothing is
    /// deleted if it throws.
    ///
    /// - Parameters:
    ///   - directory: made if it does not exist; its parent must.
    ///   - files: the disk.
    ///   - options: what the engine may use; the identity must be that of the first time.
    ///   - rules: the rules of the trees there are, found by name; `overwrite` is known.
    ///   - damage: what to do about damaged tables and logs.
    /// - Returns: the engine, which holds the directory's lock until it is closed.
    /// - Throws: `locked`, `corruption`, `foreignFile`, `unsupportedFormat`, `unknownRule`,
    ///   `stampAhead`, `diskFull`, `io`.
    public static func open(
        directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions(),
        rules: [MergeRule] = [],
        damage: DamagePolicy = .refuse
    ) throws(StorageError) -> Engine {
        let directory = FileNames.normalized(directory)
        let lock = try onDisk { () throws(FileSystemError) in
            try files.createDirectory(directory)
            try files.syncDirectory(FileNames.parent(of: directory))
            return try files.lock(FileNames.lock(directory))
        }
        do throws(StorageError) {
            var recovery = Recovery(
                directory: directory,
                files: files,
                options: options,
                rules: [.overwrite] + rules,
                policy: damage
            )
            let parts = try recovery.open()
            let engine = Engine(
                directory: directory,
                files: files,
                options: options,
                parts: parts,
                lock: lock
            )
            engine.watchReserve()
            return engine
        } catch {
            lock.release()
            throw error
        }
    }
}

/// Brings an engine up from what the disk holds.
struct Recovery {
    let directory: String
    let files: any FileSystem
    let options: EngineOptions
    let rules: [MergeRule]
    let policy: DamagePolicy
    private var found: [StorageError] = []

    init(
        directory: String,
        files: any FileSystem,
        options: EngineOptions,
        rules: [MergeRule],
        policy: DamagePolicy
    ) {
        self.directory = directory
        self.files = files
        self.options = options
        self.rules = rules
        self.policy = policy
    }

    /// Notes damage, or throws it.
    mutating func report(_ error: StorageError) throws(StorageError) {
        guard policy == .isolate else { throw error }
        found.append(error)
    }

    mutating func open() throws(StorageError) -> sending Engine.Parts {
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
        var contents = try log(state, hasManifest: hasManifest, segments)
        let tableFiles = TableFiles(directory: directory, files: files, limit: options.openFiles)
        let cache = BlockCache(capacity: options.cacheSize)
        let trees = try open(state, tableFiles, cache)
        try checkStamps(of: trees, contents)
        let names = try names(state)
        contents.raiseSequence(above: trees.values)
        // Up to here nothing was changed.
        try onDisk { () throws(FileSystemError) in
            for place in names.missing + [FileNames.logDirectory(directory)] {
                try files.createDirectory(place)
            }
            try files.syncDirectory(directory)
        }
        let stays = hasManifest && contents.isClean
        let log =
            stays
            ? try Log(files: files, directory: directory, options: options, behind: contents)
            : try log(
                anew: contents,
                segments + trees.values.map(\.since.segment) + [contents.mark.segment]
            )
        try replay(contents, into: trees, stays ? nil : log)
        if !stays {
            _ = try log.write(syncing: true)
            state.logBegins = log.segments.lowerBound
        }
        lose(contents.damage, of: trees, before: log.nextSequence, &state)
        let manifest = try Manifest(
            writing: state,
            generation: generation + 1,
            directory: directory,
            identity: options.identity,
            files: files
        )
        for number in segments where number < state.logBegins && !stays {
            try onDisk { () throws(FileSystemError) in
                try files.remove(FileNames.segment(number, in: directory))
            }
        }
        try removeObsoleteFiles(&state)
        try remove(names.leftOver)
        return Engine.Parts(
            log: log,
            tableFiles: tableFiles,
            cache: cache,
            trees: trees,
            keeper: Engine.ManifestKeeper(
                manifest: manifest,
                state: state,
                generation: generation + 1
            ),
            nextTable: names.nextTable,
            memory: trees.values.reduce(0) { $0 + $1.view.memoryInUse },
            unknownFiles: names.unknown,
            damage: found
        )
    }

    /// The trees of a directory as its last engine left them, read without changing anything.
    mutating func read() throws(StorageError) -> [UInt32: Tree] {
        var (state, _) = try Manifest.read(directory, identity: options.identity, files: files)
        let contents = try log(state, hasManifest: true, try logSegments())
        let tableFiles = TableFiles(directory: directory, files: files, limit: options.openFiles)
        let cache = BlockCache(capacity: options.cacheSize)
        let trees = try open(state, tableFiles, cache)
        try checkStamps(of: trees, contents)
        try replay(contents, into: trees, nil)
        lose(contents.damage, of: trees, before: contents.nextSequence, &state)
        return trees
    }

    /// A log to which everything that was read is written again, since it need not be on the disk.
    private func log(
        anew contents: LogReader.Contents,
        _ segments: [UInt64]
    ) throws(StorageError) -> Log {
        // Positions only grow, even if the segments that had the last ones are gone.
        let last = segments.max() ?? 0
        guard last + 1 < FileNames.numberLimit else {
            let file = FileNames.segment(last, in: directory)
            throw .foreignFile(file: file, what: "no number is left behind its own")
        }
        return try Log(
            files: files,
            directory: directory,
            options: options,
            segment: last + 1,
            durable: contents.mark,
            sequence: contents.nextSequence
        )
    }

    /// The numbers of the segments there are, ascending.
    private func logSegments() throws(StorageError) -> [UInt64] {
        let names = try listIfThere(FileNames.logDirectory(directory)) ?? []
        return names.compactMap { FileNames.number($0, suffix: ".log") }.sorted()
    }

    private mutating func log(
        _ state: Manifest.State,
        hasManifest: Bool,
        _ segments: [UInt64]
    ) throws(StorageError) -> LogReader.Contents {
        let reader = LogReader(files: files, directory: directory, identity: options.identity)
        func corrupt(_ file: String, _ what: String) -> StorageError {
            .corruption(file: file, offset: 0, expected: 1, found: 0, what: what)
        }
        let first = hasManifest ? state.logBegins : nil
        let contents = try reader.read(from: first, numbers: segments, mark: state.synced)
        // An engine is made with its manifest before it takes a record or makes a tree.
        if !hasManifest {
            let names = try onDisk { () throws(FileSystemError) in try files.list(directory) }
            let hasTrees = names.contains { FileNames.tree($0) != nil }
            if hasTrees || contents.segments.contains(where: { !$0.batches.isEmpty }) {
                throw corrupt(
                    FileNames.manifest(directory),
                    "the file is missing, though there are trees or records"
                )
            }
        }
        for damage in contents.damage { try report(damage.error) }
        return contents
    }

    /// Notes what damage of the log may have taken of each tree.
    ///
    /// - Parameters:
    ///   - damage: what was found in the log.
    ///   - trees: all that there are; any of them may have lost records.
    ///   - next: the number of the next record. Older ones that were recovered may have got new
    ///     numbers below it, and must not pass for newer than what was lost.
    ///   - state: what the manifest is to say.
    private func lose(
        _ damage: [LogDamage],
        of trees: [UInt32: Tree],
        before next: UInt64,
        _ state: inout Manifest.State
    ) {
        guard !damage.isEmpty else { return }
        for (number, tree) in trees {
            let newest = tree.rule.isOverwrite ? next << 1 - 1 : .max
            let lost = damage.map { $0.lostRange(newestStamp: newest) }
            state.trees[number]?.lost += lost
            tree.change { $0.with(lost: $0.lost + lost) }
        }
    }

    private mutating func open(
        _ state: Manifest.State,
        _ tableFiles: TableFiles,
        _ cache: BlockCache
    ) throws(StorageError) -> [UInt32: Tree] {
        var trees: [UInt32: Tree] = [:]
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            trees[number] = try open(number, tree, tableFiles, cache)
        }
        return trees
    }

    private mutating func open(
        _ number: UInt32,
        _ tree: Manifest.State.Tree,
        _ tableFiles: TableFiles,
        _ cache: BlockCache
    ) throws(StorageError) -> Tree {
        guard let rule = rules.last(where: { $0.name == tree.rule }) else {
            throw .unknownRule(tree: number, name: tree.rule)
        }
        var tables: [UInt64: Table] = [:]
        var parts: [Part] = []
        for reference in tree.tables {
            let metadata = reference.metadata
            let table: Table
            if let known = tables[metadata.number] {
                table = known
            } else {
                table = try open(metadata, tableFiles, cache)
                tables[metadata.number] = table
            }
            parts.append(Part(reference: reference, table: table))
        }
        let view = TreeView(
            active: Memtable(),
            frozen: [],
            runs: Run.runs(of: parts),
            lost: tree.lost
        )
        let opened = Tree(number: number, rule: rule, since: tree.since, view: view)
        opened.upkeep.withLock { $0.compression = tree.compression }
        return opened
    }

    private mutating func open(
        _ metadata: TableMetadata,
        _ tableFiles: TableFiles,
        _ cache: BlockCache
    ) throws(StorageError) -> Table {
        do throws(StorageError) {
            let table = try Table(
                metadata,
                identity: options.identity,
                files: tableFiles,
                cache: cache
            )
            if let damage = table.damage { found.append(damage) }
            return table
        } catch {
            guard case .corruption = error else { throw error }
            try report(error)
            return Table(unreadable: metadata, error: error)
        }
    }

    /// Puts the records of live trees into their memtables, and into a new log if there is one.
    private func replay(
        _ contents: LogReader.Contents,
        into trees: [UInt32: Tree],
        _ log: Log?
    ) throws(StorageError) {
        for segment in contents.segments {
            let span = segment.bytes.span.bytes
            for batch in segment.batches {
                var kept = WriteBatch(capacity: batch.payload.count)
                kept.add(recordsOf: batch.payload, of: span) { record in
                    trees[record.tree].map { batch.position >= $0.since } ?? false
                }
                let place = AppendedPosition(end: batch.end, sequence: batch.sequence)
                if let log {
                    guard kept.count > 0 else { continue }
                    let moved = try log.append(kept)
                    _ = Engine.insert(kept, at: moved, log) { trees[$0] }
                } else {
                    // Records keep their numbers, so those of dropped trees are not left out.
                    kept.removeAll()
                    kept.add(recordsOf: batch.payload, of: span) { _ in true }
                    _ = Engine.insert(kept, at: place, nil) { number in
                        trees[number].flatMap { batch.position >= $0.since ? $0 : nil }
                    }
                }
            }
            if let log { _ = try log.write(syncing: false) }
        }
    }

    /// Removes what a crash left of tables that were in a tree and are in none.
    private func removeObsoleteFiles(_ state: inout Manifest.State) throws(StorageError) {
        for table in state.obsolete.sorted(by: { $0.number < $1.number }) {
            let path = FileNames.table(table.number, tree: table.tree, in: directory)
            try onDisk { () throws(FileSystemError) in
                if try files.exists(path) { try files.remove(path) }
            }
        }
        state.obsolete = []
    }
}

extension LogReader.Contents {
    /// Numbers the next record above those of all entries that the engine stamped itself.
    fileprivate mutating func raiseSequence(above trees: some Collection<Tree>) {
        for tree in trees where tree.rule.isOverwrite {
            nextSequence = max(nextSequence, tree.view.newestStamp >> 1 + 1)
        }
    }
}

extension LogDamage {
    /// The keys of which it may have taken records; stamps up to `newestStamp` may be lost.
    fileprivate func lostRange(newestStamp: UInt64) -> LostRange {
        let nothing: [UInt8] = []
        let last = prefixes?.upperBound ?? .max
        return LostRange(
            lower: orderedKey(prefixes?.lowerBound ?? 0, nothing.span.bytes),
            upper: last == .max ? nil : orderedKey(last + 1, nothing.span.bytes),
            newestStamp: newestStamp
        )
    }
}
