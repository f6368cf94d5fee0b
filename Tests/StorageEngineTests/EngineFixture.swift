import FileSystems
import StorageEngine

/// Keeps the larger value, byte for byte; commutative, associative and idempotent.
let largestWins = MergeRule(name: "largest") { existing, incoming in
    let isLess = existing.array().lexicographicallyPrecedes(incoming.array())
    return isLess ? .takeIncoming : .keepExisting
}

/// The union of both values' bytes, ascending.
let union = MergeRule(name: "union") { existing, incoming in
    var isThere = [Bool](repeating: false, count: 256)
    for byte in existing.array() { isThere[Int(byte)] = true }
    for byte in incoming.array() { isThere[Int(byte)] = true }
    return .merged((0...255 as ClosedRange<UInt8>).filter { isThere[Int($0)] })
}

/// The value with the larger stamp, of two with one stamp the larger; an empty value is a
/// tombstone.
let newestWins = MergeRule(
    name: "newest",
    newestStampWins: true,
    droppableFrom: { $0.isEmpty ? 0 : nil },
    versionDigest: { UInt64($0.byteCount) }
) { existing, incoming in
    let isLess = existing.array().lexicographicallyPrecedes(incoming.array())
    return isLess ? .takeIncoming : .keepExisting
}

/// The rules that tests use.
let engineRules = [largestWins, union, newestWins]

/// Small segments and blocks, so that little is enough to fill them.
func engineOptions(_ change: (inout EngineOptions) -> Void = { _ in }) -> EngineOptions {
    var options = EngineOptions()
    options.segmentSize = 4096
    options.blockSize = 512
    options.spareSegments = 1
    options.identity = 0xC0FFEE
    change(&options)
    return options
}

/// Opens an engine at `/db`.
func openEngine(
    _ disk: any FileSystem,
    damage: DamagePolicy = .refuse,
    _ change: (inout EngineOptions) -> Void = { _ in }
) throws -> Engine {
    try Engine.open(
        directory: "/db",
        on: disk,
        options: engineOptions(change),
        rules: engineRules,
        damage: damage
    )
}

func batch(
    _ tree: UInt32,
    _ prefix: UInt64,
    _ key: String,
    _ value: [UInt8],
    stamp: UInt64 = 1
) -> WriteBatch {
    var batch = WriteBatch()
    batch.put(tree: tree, prefix: prefix, key: Array(key.utf8), value: value, stamp: stamp)
    return batch
}

/// A batch of one record of tree 1.
func batch(_ key: String, _ value: [UInt8], stamp: UInt64 = 1) -> WriteBatch {
    batch(1, 0, key, value, stamp: stamp)
}

extension Engine {
    /// Appends, syncs and applies.
    @discardableResult
    func put(_ batch: WriteBatch) throws -> [ApplyOutcome] {
        try write(batch)
    }

    /// The value of a key, or nil if it is absent.
    func value(_ key: String) throws -> [UInt8]? {
        try value(1, 0, key)
    }

    /// The value of a key, or nil if it is absent.
    func value(_ tree: UInt32, _ prefix: UInt64, _ key: String) throws -> [UInt8]? {
        let lookup = try get(tree: tree, prefix: prefix, key: Array(key.utf8))
        guard case .found(let value, _) = lookup else {
            precondition(lookup == .absent, "the disk was allowed")
            return nil
        }
        return value
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
        try self.copy("/", to: copy)
        return copy
    }

    private func copy(_ directory: String, to target: InMemoryFileSystem) throws {
        for name in try list(directory) {
            let path = directory == "/" ? "/" + name : directory + "/" + name
            if (try? list(path)) != nil {
                try target.createDirectory(path)
                try copy(path, to: target)
            } else {
                let file = try target.openForAppending(path, .createNew)
                let content = try bytes(path)
                try file.append(content.span.bytes)
                try file.sync()
            }
        }
        try target.syncDirectory(directory)
    }
}
