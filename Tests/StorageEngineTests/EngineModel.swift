import StorageEngine

/// One write, as the model remembers it.
struct ModelWrite {
    /// Which entry; see `EngineModel`.
    let index: Int
    /// What is stored; nil deletes the key.
    let value: [UInt8]?
    /// By which the newest wins; in the overwriting tree the place in the log.
    let stamp: UInt64
}

/// What an engine of three trees must hold, told without an engine.
///
/// The entries are numbered by tree, prefix and key in the order of the engine's scans.
struct EngineModel {
    /// What a reader sees of an entry.
    struct Visible: Equatable {
        let value: [UInt8]
        /// Told where the owner gives the stamps.
        let stamp: UInt64?
    }

    private struct Entry {
        var value: [UInt8]?
        var stamp: UInt64
    }

    static let overwriting: UInt32 = 1
    static let uniting: UInt32 = 2
    static let newest: UInt32 = 3
    static let trees = [overwriting, uniting, newest]

    /// Ascending, with both ends of the ring.
    static let prefixes: [UInt64] = [0, 1, 0x3000_0000_0000_0000, 0x9000_0000_0000_0000, .max]
    /// Ascending, some beginning with others.
    static let keys: [[UInt8]] = {
        var keys: [[UInt8]] = [[], [0], [0, 0], [0, 0, 1], [0xFF], [0xFF, 0xFF]]
        for number in 0..<12 { keys.append(Array("\(number)".utf8)) }
        for number in 0..<6 { keys.append([UInt8](repeating: 0x61, count: 60) + [UInt8(number)]) }
        keys.append([UInt8](repeating: 0x61, count: 700))
        return keys.sorted { $0.lexicographicallyPrecedes($1) }
    }()

    private static let perTree = prefixes.count * keys.count
    static let count = trees.count * perTree

    /// The newest stamp wins; a value begins with the time of its expiry, an empty one is a
    /// tombstone.
    static let expiring = MergeRule(
        name: "expiring",
        newestStampWins: true,
        droppableFrom: { value in
            let value = value.array()
            guard let expiry = expiry(of: value) else { return value.isEmpty ? 0 : nil }
            return expiry
        },
        versionDigest: { digest(of: $0.array()) },
        join: { existing, incoming in
            let isLess = existing.array().lexicographicallyPrecedes(incoming.array())
            return isLess ? .takeIncoming : .keepExisting
        }
    )

    static func digest(of value: [UInt8]) -> UInt64 {
        value.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// A value of the expiring tree; nil never expires.
    static func stored(_ bytes: [UInt8], expiry: UInt32?) -> [UInt8] {
        let time = expiry ?? .max
        return (0..<4).map { UInt8(truncatingIfNeeded: time >> (8 * $0)) } + bytes
    }

    private static func expiry(of value: [UInt8]) -> UInt64? {
        guard value.count >= 4 else { return nil }
        let time = (0..<4).reduce(UInt64(0)) { $0 | UInt64(value[$1]) << (8 * UInt64($1)) }
        return time == UInt64(UInt32.max) ? nil : time
    }

    /// What a reader sees of an entry with a value, at a time.
    static func visible(_ value: [UInt8]?, _ stamp: UInt64, tree: UInt32, now: UInt64) -> Visible? {
        guard let value else { return nil }
        guard tree == newest else { return Visible(value: value, stamp: nil) }
        if value.isEmpty || expiry(of: value).map({ $0 <= now }) ?? false { return nil }
        return Visible(value: value, stamp: stamp)
    }

    /// What the engine keeps of an entry that is there; the stamp where the owner gives it.
    static func kept(_ value: [UInt8], _ stamp: UInt64, tree: UInt32) -> Visible {
        Visible(value: value, stamp: tree == newest ? stamp : nil)
    }

    static func index(tree: UInt32, prefix: Int, key: Int) -> Int {
        Int(tree - 1) * perTree + prefix * keys.count + key
    }

    static func tree(of index: Int) -> UInt32 { UInt32(index / perTree) + 1 }
    static func prefixNumber(of index: Int) -> Int { index % perTree / keys.count }
    static func prefix(of index: Int) -> UInt64 { prefixes[prefixNumber(of: index)] }
    static func key(of index: Int) -> [UInt8] { keys[index % keys.count] }

    /// The numbers of a tree's entries.
    static func range(of tree: UInt32) -> Range<Int> {
        Int(tree - 1) * perTree..<Int(tree) * perTree
    }

    private var entries = [Entry?](repeating: nil, count: count)

    mutating func apply(_ write: ModelWrite) {
        guard let known = entries[write.index] else {
            entries[write.index] = Entry(value: write.value, stamp: write.stamp)
            return
        }
        switch Self.tree(of: write.index) {
        case Self.uniting:
            let joined = Set((known.value ?? []) + (write.value ?? [])).sorted()
            entries[write.index] = Entry(value: joined, stamp: 0)
        case Self.newest where known.stamp == write.stamp:
            let (old, new) = (known.value ?? [], write.value ?? [])
            if old.lexicographicallyPrecedes(new) { entries[write.index]?.value = new }
        default:
            guard known.stamp < write.stamp else { return }
            entries[write.index] = Entry(value: write.value, stamp: write.stamp)
        }
    }

    /// Whether an engine that keeps these entries holds what it must.
    ///
    /// What no reader sees may have been forgotten, but not be another: it still hides what is
    /// written later under an older stamp.
    func admits(_ kept: [Visible?], now: UInt64) -> Bool {
        entries.indices.allSatisfy { index in
            guard let found = kept[index] else { return visible(index, now: now) == nil }
            guard let entry = entries[index], let value = entry.value else { return false }
            return Self.kept(value, entry.stamp, tree: Self.tree(of: index)) == found
        }
    }

    mutating func drop(_ tree: UInt32) {
        for index in Self.range(of: tree) { entries[index] = nil }
    }

    /// What a reader sees of an entry at a time.
    func visible(_ index: Int, now: UInt64) -> Visible? {
        guard let entry = entries[index] else { return nil }
        let tree = Self.tree(of: index)
        return Self.visible(entry.value, entry.stamp, tree: tree, now: now)
    }

    /// What a reader sees of all entries.
    func visible(now: UInt64) -> [Visible?] {
        entries.indices.map { visible($0, now: now) }
    }
}
