import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `A write made of what was read` {
    private struct Pending {
        var key: String
        var value: [UInt8]
        var basis: ReadBasis
    }

    private static func united(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        Set(left + right).sorted()
    }

    private static func read(_ engine: Engine, _ key: String) throws -> ([UInt8], ReadBasis) {
        let (found, basis) = try engine.getWithBasis(tree: 1, prefix: 0, key: Array(key.utf8))
        guard case .found(let value, _) = found else { return ([], basis) }
        return (value, basis)
    }

    private static func write(_ pending: Pending, _ engine: Engine) throws {
        var batch = WriteBatch()
        batch.put(
            tree: 1,
            prefix: 0,
            key: Array(pending.key.utf8),
            value: pending.value,
            stamp: 1,
            basis: pending.basis
        )
        try engine.write(batch)
    }

    /// Whatever is written, frozen, flushed, merged and opened again between the read and the
    /// write that is made of it.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `hides nothing that came meanwhile`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: union)
        var model: [String: [UInt8]] = [:]
        var pending: [Pending] = []
        for _ in 0..<200 {
            let key = random.pick(["a", "b", "c"])
            let byte = UInt8(random.below(256))
            switch random.below(16) {
            case 0..<5:
                try engine.put(batch(key, [byte]))
                model[key] = Self.united(model[key] ?? [], [byte])
            case 5..<9:
                let (value, basis) = try Self.read(engine, key)
                #expect(value == model[key] ?? [])
                let made = Self.united(value, [byte])
                pending.append(Pending(key: key, value: made, basis: basis))
            case 9..<12:
                guard !pending.isEmpty else { continue }
                let write = pending.remove(at: random.below(pending.count))
                try Self.write(write, engine)
                model[write.key] = Self.united(model[write.key] ?? [], write.value)
            case 12:
                _ = try engine.snapshot(tree: 1)
            case 13:
                try engine.flush(tree: 1)
            case 14:
                try engine.compact(tree: 1)
            default:
                try engine.close()
                engine = try openEngine(disk)
            }
            let (value, _) = try Self.read(engine, key)
            #expect(value == model[key] ?? [], "\(key)")
        }
        try engine.close()
    }

    @Test func `is read without what lies below it`() throws {
        let disk = InMemoryFileSystem()
        let engine = try openEngine(disk) { $0.cacheSize = 0 }
        try engine.createTree(1, rule: union)
        try engine.put(batch("a", [1]))
        try engine.flush(tree: 1)
        func fromMemory() throws -> Lookup {
            try engine.get(tree: 1, prefix: 0, key: [97], disk: .forbidden)
        }
        try engine.put(batch("a", [2]))
        #expect(try fromMemory() == .needsDisk)
        let (value, basis) = try Self.read(engine, "a")
        try Self.write(Pending(key: "a", value: value + [3], basis: basis), engine)
        #expect(try fromMemory() == .found([1, 2, 3], stamp: 1))
        // What comes later is joined with it, and it stays whole.
        try engine.put(batch("a", [4]))
        #expect(try fromMemory() == .found([1, 2, 3, 4], stamp: 1))
        // Frozen it still is; in a table nobody knows.
        _ = try engine.snapshot(tree: 1)
        #expect(try fromMemory() == .found([1, 2, 3, 4], stamp: 1))
        try engine.flush(tree: 1)
        #expect(try fromMemory() == .needsDisk)
        try engine.close()
    }
}
