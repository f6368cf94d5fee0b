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
    ///   `diskFull`, `io`.
    public static func open(
        directory: String,
        on files: any FileSystem,
        options: EngineOptions = EngineOptions(),
        rules: [MergeRule] = [],
        damage: DamagePolicy = .refuse
    ) throws(StorageError) -> Engine {
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
            return Engine(
                directory: directory,
                files: files,
                options: options,
                parts: parts,
                lock: lock
            )
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
    private mutating func report(_ error: StorageError) throws(StorageError) {
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
        contents.raiseSequence(above: trees.values)
        let stays = hasManifest && contents.isClean
        let log =
            stays
            ? try Log(files: files, directory: directory, options: options, behind: contents)
            : try log(anew: contents, segments)
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
        let (next, unknown) = try names(state)
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
            nextTable: next,
            memory: trees.values.reduce(0) { $0 + $1.view.memoryInUse },
            unknownFiles: unknown,
            damage: found
        )
    }

    /// The trees of a directory as its last engine left them, read without changing anything.
    mutating func read() throws(StorageError) -> [UInt32: Tree] {
        var (state, _) = try Manifest.read(directory, identity: options.identity, files: files)
        let names = try list(FileNames.logDirectory(directory))
        let segments = names.compactMap { FileNames.number($0, suffix: ".log") }.sorted()
        let contents = try log(state, hasManifest: true, segments)
        let tableFiles = TableFiles(directory: directory, files: files, limit: options.openFiles)
        let cache = BlockCache(capacity: options.cacheSize)
        let trees = try open(state, tableFiles, cache)
        try replay(contents, into: trees, nil)
        lose(contents.damage, of: trees, before: contents.nextSequence, &state)
        return trees
    }

    /// A log to which everything that was read is written again, since it need not be on the disk.
    private func log(
        anew contents: LogReader.Contents,
        _ segments: [UInt64]
    ) throws(StorageError) -> Log {
        let first = (segments.last ?? 0) &+ 1
        return try Log(
            files: files,
            directory: directory,
            options: options,
            segment: first,
            durable: contents.mark,
            sequence: contents.nextSequence
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
            let hasTrees = names.contains { UInt32($0) != nil }
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
    /// - Parameter next: the number of the next record. Older ones that were recovered may have
    ///   got new numbers below it, and must not pass for newer than what was lost.
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

    /// A number behind those of all tables on the disk, and the names that are none of ours.
    private func names(
        _ state: Manifest.State
    ) throws(StorageError) -> (nextTable: UInt64, unknown: [String]) {
        var highest = state.nextTable - 1
        var unknown: [String] = []
        for name in try list(directory) where !FileNames.isOwn(name) {
            let path = "\(directory)/\(name)"
            guard let tree = UInt32(name) else {
                unknown.append(path)
                continue
            }
            // The directory of a tree that was dropped stays; it should be empty.
            if state.trees[tree] == nil { unknown += try list(path).map { "\(path)/\($0)" } }
        }
        for name in try list(FileNames.logDirectory(directory)) where !FileNames.isOwnLog(name) {
            unknown.append("\(FileNames.logDirectory(directory))/\(name)")
        }
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            let known = Set(tree.tables.map(\.metadata.number))
            let place = FileNames.treeDirectory(number, in: directory)
            for name in try list(place) {
                if let found = FileNames.number(name, suffix: ".tmp") {
                    // Never whole, never named by a manifest.
                    highest = max(highest, found)
                    try onDisk { () throws(FileSystemError) in
                        try files.remove("\(place)/\(name)")
                    }
                } else if let found = FileNames.number(name, suffix: ".sst") {
                    highest = max(highest, found)
                    if !known.contains(found) { unknown.append("\(place)/\(name)") }
                } else {
                    unknown.append("\(place)/\(name)")
                }
            }
        }
        return (highest + 1, unknown)
    }

    private func list(_ directory: String) throws(StorageError) -> [String] {
        try onDisk { () throws(FileSystemError) in try files.list(directory) }
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
