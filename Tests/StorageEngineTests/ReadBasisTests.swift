import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `A write made of what was read` {
    private struct Pending {
        var key: String
        var value: [UInt8]
        var basis: ReadBasis
        var stamp: UInt64 = 1
    }

    private static func united(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        Set(left + right).sorted()
    }

    private static func read(_ engine: Engine, _ key: String) throws -> ([UInt8], ReadBasis) {
        let (found, basis) = try engine.getWithBasis(tree: 1, prefix: 0, key: Array(key.utf8))
        guard case .found(let value, _) = found else { return ([], basis) }
        return (value, basis)
    }

    private static func made(_ writes: [Pending]) -> WriteBatch {
        var batch = WriteBatch()
        for write in writes {
            batch.put(
                tree: 1,
                prefix: 0,
                key: Array(write.key.utf8),
                value: write.value,
                stamp: write.stamp,
                basis: write.basis
            )
        }
        return batch
    }

    /// A batch that is durable and cannot be read yet.
    private struct Unapplied {
        var writes: [Pending]
        var batch: WriteBatch
        var position: AppendedPosition
    }

    /// Keys that split the leaf of the others, and move them to other slots.
    private static func neighbours(_ random: inout SeededRandom) -> WriteBatch {
        var batch = WriteBatch()
        for _ in 0..<30 {
            let key = Array("\(random.pick(["a", "b", "c"]))\(random.below(10_000))".utf8)
            let stamp = random.next() >> 1
            batch.put(tree: 1, prefix: 0, key: key, value: [0], stamp: stamp)
        }
        return batch
    }

    /// Whatever is written, frozen, flushed, merged and opened again between the read and the
    /// write that is made of it, and before that can be read.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `hides nothing that came meanwhile`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let disk = InMemoryFileSystem()
        // Runs of like size become one while others, older and newer, stay.
        func open() throws -> Engine {
            try openEngine(disk) {
                $0.compaction.minimumSize = 64
                $0.compaction.minimumTables = 2
            }
        }
        var engine = try open()
        try engine.createTree(1, rule: union)
        var model: [String: [UInt8]] = [:]
        var pending: [Pending] = []
        var unapplied: [Unapplied] = []
        func apply(_ one: Unapplied) {
            engine.apply(one.batch, at: one.position)
            for write in one.writes {
                model[write.key] = Self.united(model[write.key] ?? [], write.value)
            }
        }
        for _ in 0..<400 {
            let key = random.pick(["a", "b", "c"])
            let byte = UInt8(random.below(256))
            switch random.below(23) {
            case 0..<3:
                // Also older than what is there, so that a run comes behind older ones.
                let stamp = UInt64(random.below(100))
                pending.append(Pending(key: key, value: [byte], basis: .none, stamp: stamp))
            case 3..<8:
                let (found, basis) = try Self.read(engine, key)
                #expect(found == model[key] ?? [])
                let value = Self.united(found, [byte])
                let stamp = UInt64(100 + random.below(100))
                pending.append(Pending(key: key, value: value, basis: basis, stamp: stamp))
            case 8..<11:
                var writes: [Pending] = []
                for _ in 0..<random.number(in: 1...3) where !pending.isEmpty {
                    writes.append(pending.remove(at: random.below(pending.count)))
                }
                let batch = Self.made(writes)
                let position = try engine.append(batch)
                try engine.sync()
                unapplied.append(Unapplied(writes: writes, batch: batch, position: position))
            case 11..<14:
                if !unapplied.isEmpty { apply(unapplied.remove(at: random.below(unapplied.count))) }
            case 14:
                _ = try engine.snapshot(tree: 1)
            case 15:
                try engine.flush(tree: 1)
            case 16:
                try engine.compact(tree: 1)
            case 17, 18:
                try engine.write(Self.neighbours(&random))
            case 19, 20:
                try engine.flush(tree: 1)
            case 21:
                if let job = engine.nextMaintenance() { try engine.perform(job) }
            default:
                for one in unapplied { apply(one) }
                unapplied = []
                try engine.close()
                engine = try open()
            }
            let (value, _) = try Self.read(engine, key)
            #expect(value == model[key] ?? [], "\(key)")
        }
        for one in unapplied { apply(one) }
        try engine.close()
    }

    /// Each number of keys between none and those that split the leaf twice.
    @Test func `reaches its key where others moved it meanwhile`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: union)
        for step in 0...300 {
            try engine.flush(tree: 1)
            let (count, side) = (step / 2, step.isMultiple(of: 2) ? "j" : "l")
            let key = "k\(step)"
            for index in 0..<40 { try engine.put(batch("j\(index)", [0])) }
            try engine.put(batch(key, [1]))
            let (value, basis) = try Self.read(engine, key)
            for index in 0..<count { try engine.put(batch("\(side)\(index * 7 % 150)x", [0])) }
            try engine.write(Self.made([Pending(key: key, value: value + [2], basis: basis)]))
            #expect(try Self.read(engine, key).0 == [1, 2], "\(key)")
        }
        try engine.close()
    }

    /// A stamp that decides may be above that of what was made of the value.
    @Test func `is joined all the same where stamps decide`() throws {
        let engine = try openEngine(InMemoryFileSystem())
        try engine.createTree(1, rule: newestWins)
        try engine.put(batch("a", [9], stamp: 9))
        let (_, basis) = try Self.read(engine, "a")
        var batch = WriteBatch()
        batch.put(tree: 1, prefix: 0, key: [97], value: [5], stamp: 5, basis: basis)
        try engine.write(batch)
        #expect(try Self.read(engine, "a").0 == [9])
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
        try engine.write(Self.made([Pending(key: "a", value: value + [3], basis: basis)]))
        #expect(try fromMemory() == .found([1, 2, 3], stamp: 1))
        // What comes later is joined with it, and it stays whole.
        try engine.put(batch("a", [4]))
        #expect(try fromMemory() == .found([1, 2, 3, 4], stamp: 1))
        // Frozen it still is, and in a table.
        _ = try engine.snapshot(tree: 1)
        #expect(try fromMemory() == .found([1, 2, 3, 4], stamp: 1))
        try engine.flush(tree: 1)
        var options = DumpOptions()
        options.showsEntries = true
        var marked: [String] = []
        try Engine.dump(directory: "/db", on: disk, options: options) { line in
            if line.contains(" whole ") { marked.append(line) }
        }
        #expect(marked.filter { $0.hasSuffix("stamp 1 whole 4 bytes") }.count == 1, "\(marked)")
        try disk.flipBit(8 * 60, in: "/db/1/000001.sst")
        #expect(try Self.read(engine, "a").0 == [1, 2, 3, 4])
        // What was not made of it has to be joined with all.
        try engine.put(batch("a", [5]))
        try engine.flush(tree: 1)
        #expect(try Self.read(engine, "a").0 == [1, 2, 3, 4, 5])
        try engine.put(batch("b", [5]))
        try engine.flush(tree: 1)
        try disk.flipBit(8 * 60, in: "/db/1/000002.sst")
        #expect(throws: StorageError.self) { try Self.read(engine, "a") }
        try engine.close()
    }
}
