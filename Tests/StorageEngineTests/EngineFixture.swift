import FileSystems
import StorageEngine

/// Keeps the larger value, byte for byte; commutative, associative and idempotent.
let largestWins = MergeRule(name: "largest") { existing, incoming in
    existing.array().lexicographicallyPrecedes(incoming.array()) ? .takeIncoming : .keepExisting
}

/// The union of both values' bytes, ascending.
let union = MergeRule(name: "union") { existing, incoming in
    .merged(Set(existing.array() + incoming.array()).sorted())
}

/// Opens an engine at `/db`, with small segments and blocks.
func openEngine(
    _ disk: any FileSystem,
    _ change: (inout EngineOptions) -> Void = { _ in }
) throws -> Engine {
    var options = EngineOptions()
    options.segmentSize = 4096
    options.blockSize = 512
    options.identity = 0xC0FFEE
    change(&options)
    return try Engine.open(
        directory: "/db",
        on: disk,
        options: options,
        rules: [largestWins, union]
    )
}

func batch(
    _ tree: UInt32 = 1,
    _ prefix: UInt64 = 0,
    _ key: String,
    _ value: [UInt8],
    stamp: UInt64 = 1
) -> WriteBatch {
    var batch = WriteBatch()
    batch.put(tree: tree, prefix: prefix, key: Array(key.utf8), value: value, stamp: stamp)
    return batch
}

extension Engine {
    /// Appends, syncs and applies.
    @discardableResult
    func put(_ batch: WriteBatch) throws -> [ApplyOutcome] {
        let position = try append(batch)
        try sync()
        return apply(batch, at: position)
    }

    /// The value of a key, or nil if it is absent.
    func value(_ tree: UInt32 = 1, _ prefix: UInt64 = 0, _ key: String) throws -> [UInt8]? {
        switch try get(tree: tree, prefix: prefix, key: Array(key.utf8)) {
        case .absent: nil
        case .found(let value, _): value
        case .needsDisk: preconditionFailure("the disk was allowed")
        }
    }

    /// All entries, page by page.
    func allEntries(_ tree: UInt32 = 1, pageOf count: Int = 7) throws -> [ScanEntry] {
        var entries: [ScanEntry] = []
        var position: ScanPosition?
        repeat {
            let page = try scan(tree: tree, from: position, maximumEntries: count)
            entries += page.entries
            position = page.next
        } while position != nil
        return entries
    }
}

extension InMemoryFileSystem {
    /// All bytes of a file.
    func bytes(_ path: String) throws -> [UInt8] {
        try openForReading(path).read(at: 0, count: try size(of: path))
    }

    /// A disk with the same files, all synced.
    func copy() throws -> InMemoryFileSystem {
        let copy = InMemoryFileSystem()
        func walk(_ directory: String) throws {
            for name in try list(directory) {
                let path = directory == "/" ? "/\(name)" : "\(directory)/\(name)"
                if (try? list(path)) != nil {
                    try copy.createDirectory(path)
                    try walk(path)
                } else {
                    let file = try copy.openForAppending(path, .createNew)
                    try file.append(try bytes(path).span.bytes)
                    try file.sync()
                }
            }
            try copy.syncDirectory(directory)
        }
        try walk("/")
        return copy
    }
}
