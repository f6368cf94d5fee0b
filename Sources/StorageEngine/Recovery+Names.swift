internal import FileSystems

extension Recovery {
    /// What lies in an engine's directories.
    struct Names {
        /// A number behind those of all tables on the disk.
        var nextTable: UInt64
        /// Names that are none of an engine's, which are left alone.
        var unknown: [String] = []
        /// Tables that were never whole, and then directories of dropped trees; they go.
        var leftOver: [String] = []
        /// Directories of trees that are to be made anew.
        var missing: [String] = []
    }

    /// Looks through the directories; changes nothing.
    ///
    /// - Throws: `corruption` if the directory of a tree is missing, `foreignFile` if a table's
    ///   number leaves none behind it, `io`.
    mutating func names(_ state: Manifest.State) throws(StorageError) -> Names {
        var names = Names(nextTable: state.nextTable)
        let log = FileNames.logDirectory(directory)
        for name in try listIfThere(directory) ?? [] where !FileNames.isOwn(name) {
            let tree = FileNames.tree(name)
            if let tree, state.trees[tree] != nil { continue }
            let place = "\(directory)/\(name)"
            if tree != nil { raise(&names.nextTable, aboveStraysOf: place) }
            if let tree, let left = leftOver(of: tree, state) {
                names.leftOver += left + [place]
            } else if tree != nil, let strays = try? files.list(place) {
                names.unknown += strays.map { "\(place)/\($0)" }
            } else {
                names.unknown.append(place)
            }
        }
        for name in try listIfThere(log) ?? [] where !FileNames.isOwnLog(name) {
            names.unknown.append("\(log)/\(name)")
        }
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            try add(number, Set(tree.tables.map(\.metadata.number)), state, to: &names)
        }
        return names
    }

    /// The files that go with the directory of a dropped tree; nil if there are others in it.
    private func leftOver(of tree: UInt32, _ state: Manifest.State) -> [String]? {
        let place = FileNames.treeDirectory(tree, in: directory)
        // A file of such a name is none of an engine's.
        guard let names = try? files.list(place) else { return nil }
        var left: [String] = []
        for name in names {
            if FileNames.number(name, suffix: ".tmp") != nil {
                left.append("\(place)/\(name)")
                continue
            }
            let number = FileNames.number(name, suffix: ".sst")
            let isObsolete = number.map {
                state.obsolete.contains(ObsoleteTable(number: $0, tree: tree))
            }
            guard isObsolete == true else { return nil }
        }
        return left
    }

    private mutating func add(
        _ tree: UInt32,
        _ known: Set<UInt64>,
        _ state: Manifest.State,
        to names: inout Names
    ) throws(StorageError) {
        let place = FileNames.treeDirectory(tree, in: directory)
        guard let found = try listIfThere(place) else {
            try report(
                .corruption(
                    file: place,
                    offset: 0,
                    expected: 1,
                    found: 0,
                    what: "the directory of a tree is missing"
                )
            )
            names.missing.append(place)
            return
        }
        for name in found {
            let path = "\(place)/\(name)"
            if let number = FileNames.number(name, suffix: ".tmp") {
                names.leftOver.append(path)
                try raise(&names.nextTable, above: number, path)
            } else if let number = FileNames.number(name, suffix: ".sst") {
                try raise(&names.nextTable, above: number, path)
                let isObsolete = state.obsolete.contains(ObsoleteTable(number: number, tree: tree))
                if !known.contains(number), !isObsolete { names.unknown.append(path) }
            } else {
                names.unknown.append(path)
            }
        }
    }

    /// A tree made anew gets the directory of the dropped one, with what could not go of it.
    private func raise(_ next: inout UInt64, aboveStraysOf place: String) {
        for name in (try? files.list(place)) ?? [] {
            let number =
                FileNames.number(name, suffix: ".sst") ?? FileNames.number(name, suffix: ".tmp")
            guard let number, number + 1 < FileNames.numberLimit else { continue }
            next = max(next, number + 1)
        }
    }

    private func raise(
        _ next: inout UInt64,
        above number: UInt64,
        _ path: String
    ) throws(StorageError) {
        guard number + 1 < FileNames.numberLimit else {
            throw .foreignFile(file: path, what: "no number is left behind its own")
        }
        next = max(next, number + 1)
    }

    /// Removes files and directories that a crash or a dropped tree left.
    func remove(_ leftOver: [String]) throws(StorageError) {
        for path in leftOver {
            try onDisk { () throws(FileSystemError) in try files.remove(path) }
        }
    }

    /// The names in a directory; nil if there is none.
    func listIfThere(_ directory: String) throws(StorageError) -> [String]? {
        do throws(FileSystemError) {
            return try files.list(directory)
        } catch {
            if error.reason == .notFound { return nil }
            throw StorageError(error)
        }
    }
}

extension Recovery {
    /// Compares the newest stamps, of tables and of the log, with what the owner's clock allows.
    ///
    /// - Throws: `stampAhead`.
    func checkStamps(
        of trees: [UInt32: Tree],
        _ contents: LogReader.Contents
    ) throws(StorageError) {
        guard let limit = options.latestStamp else { return }
        var newest = trees.filter { !$0.value.rule.isOverwrite }.mapValues(\.view.newestStamp)
        for segment in contents.segments {
            let span = segment.bytes.span.bytes
            for batch in segment.batches {
                let payload = span.extracting(0..<batch.payload.end)
                var next = Record(in: payload, at: batch.payload.offset)
                while let record = next {
                    if let known = newest[record.tree], known < record.stamp,
                        trees[record.tree].map({ batch.position >= $0.since }) == true
                    {
                        newest[record.tree] = record.stamp
                    }
                    next = Record(in: payload, at: record.value.end)
                }
            }
        }
        for (tree, stamp) in newest.sorted(by: { $0.key < $1.key }) where stamp > limit {
            throw .stampAhead(tree: tree, newest: stamp, limit: limit)
        }
    }
}
