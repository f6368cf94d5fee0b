import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `The engine against a dictionary` {
    /// What must be there and what may be.
    private struct Model {
        /// The last value known durable, per key.
        var durable: [String: [UInt8]] = [:]
        /// Values appended and not synced since, in order.
        var unsynced: [(key: String, value: [UInt8])] = []

        /// Whether the engine holds the durable state and a prefix of what was appended since.
        func admits(_ found: [String: [UInt8]]) -> Bool {
            var state = durable
            if found == state { return true }
            for write in unsynced {
                state[write.key] = write.value
                if found == state { return true }
            }
            return false
        }
    }

    private func contents(_ engine: Engine) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for entry in try engine.allEntries(pageOf: 13) {
            contents["\(entry.prefix)/\(String(decoding: entry.key, as: UTF8.self))"] = entry.value
        }
        return contents
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `keeps what was synced through flushes, reopenings and crashes`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var disk = InMemoryFileSystem()
        var engine = try openEngine(disk)
        try engine.createTree(1, rule: .overwrite)
        var model = Model()
        for step in 0..<300 {
            switch random.below(20) {
            case 0..<12:
                let prefix = UInt64(random.below(4))
                let key = String(random.below(30))
                let value = random.bytes(random.below(200))
                let write = batch(1, prefix, key, value, stamp: UInt64(step))
                let position = try engine.append(write)
                engine.apply(write, at: position)
                model.unsynced.append(("\(prefix)/\(key)", value))
            case 12..<15:
                try engine.sync()
                for write in model.unsynced { model.durable[write.key] = write.value }
                model.unsynced = []
            case 15:
                try engine.write()
            case 16:
                // A table may hold what the log has not synced; sync first, as an owner would.
                try engine.sync()
                for write in model.unsynced { model.durable[write.key] = write.value }
                model.unsynced = []
                try engine.perform(.flush(1))
            case 17:
                try engine.writeIdleMark()
            case 18:
                try engine.close()
                for write in model.unsynced { model.durable[write.key] = write.value }
                model.unsynced = []
                engine = try openEngine(disk)
            default:
                disk = disk.crashClone(random: &random)
                engine = try openEngine(disk)
                if engine.trees.isEmpty { try engine.createTree(1, rule: .overwrite) }
                let found = try contents(engine)
                #expect(model.admits(found), "seed \(seed), step \(step)")
                model = Model(durable: found)
            }
        }
        var expected = model.durable
        for write in model.unsynced { expected[write.key] = write.value }
        #expect(try contents(engine) == expected, "seed \(seed)")
        for (name, value) in expected.sorted(by: { $0.key < $1.key }) {
            let parts = name.split(separator: "/", maxSplits: 1)
            let prefix = try #require(UInt64(parts[0]))
            #expect(try engine.value(1, prefix, String(parts[1])) == value, "seed \(seed)")
        }
    }

    @Test func `a crash while an engine recovers loses nothing`() throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let disk = InMemoryFileSystem()
            let engine = try openEngine(disk)
            try engine.createTree(1, rule: .overwrite)
            for index in 0..<40 { try engine.put(batch("\(index)", random.bytes(150))) }
            let expected = try contents(engine)
            let crashed = disk.crashClone(random: &random)
            let faulty = FaultyFileSystem(crashed)
            let operation = random.pick([
                FileSystemError.Operation.append, .sync, .rename, .remove, .syncDirectory,
            ])
            faulty.add(FaultRule(operation, first: random.number(in: 1...4), .inputOutputError))
            let first = try? openEngine(faulty)
            let again = try openEngine(crashed.crashClone(random: &random))
            #expect(try contents(again) == expected, "seed \(seed), \(operation)")
            _ = first
        }
    }

    @Test(arguments: [
        FileSystemError.Operation.openForAppending, .append, .sync, .rename, .syncDirectory,
        .openForReading, .read, .remove,
    ])
    func `a flush that fails at any call, and a crash after it, lose nothing`(
        operation: FileSystemError.Operation
    ) throws {
        for call in 1...6 {
            var random = SeededRandom(seed: UInt64(call))
            let disk = InMemoryFileSystem()
            let faulty = FaultyFileSystem(disk)
            let engine = try openEngine(faulty)
            try engine.createTree(1, rule: .overwrite)
            for index in 0..<30 { try engine.put(batch("\(index)", random.bytes(150))) }
            try engine.perform(.flush(1))
            for index in 20..<50 { try engine.put(batch("\(index)", random.bytes(150))) }
            let expected = try contents(engine)
            faulty.add(FaultRule(operation, first: call, times: 1, .inputOutputError))
            try? engine.perform(.flush(1))
            faulty.removeRules()
            #expect(try contents(engine) == expected, "\(operation), call \(call)")
            for _ in 0..<5 {
                let crashed = disk.crashClone(random: &random)
                let found = try contents(openEngine(crashed))
                #expect(found == expected, "\(operation), call \(call)")
            }
        }
    }
}
