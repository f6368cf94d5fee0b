import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

@Suite struct `The engine on every disk` {
    enum Disk: String, CaseIterable {
        case machine
        case memory
        case faulty
    }

    @Test(arguments: Disk.allCases)
    func `answers like a dictionary through all it can be asked`(kind: Disk) throws {
        let machine = PosixFileSystem()
        let place = kind == .machine ? try temporaryDirectory() : "/place"
        defer { if kind == .machine { removeAll(place, machine) } }
        let disk: any FileSystem =
            switch kind {
            case .machine: machine
            case .memory: InMemoryFileSystem()
            case .faulty: FaultyFileSystem(InMemoryFileSystem())
            }
        if kind != .machine { try disk.createDirectory(place) }
        func open() throws -> Engine {
            let options = engineOptions {
                $0.segmentSize = 8192
                $0.fragmentSize = 4096
                $0.openFiles = 4
            }
            return try Engine.open(
                directory: "\(place)/db",
                on: disk,
                options: options,
                rules: engineRules
            )
        }
        var random = SeededRandom(seed: 7)
        var model: [String: [UInt8]] = [:]
        var engine = try open()
        try engine.createTree(1, rule: .overwrite, compression: .zlib(level: 1))
        func check(_ engine: Engine) throws {
            var found: [String: [UInt8]] = [:]
            for entry in try engine.allEntries(pageOf: 50) {
                found[String(decoding: entry.key, as: UTF8.self)] = entry.value
            }
            #expect(found == model, "\(kind)")
        }
        for step in 0..<1500 {
            let key = "key \(random.below(200))"
            switch random.below(60) {
            case 0..<40:
                let value = random.bytes(random.below(120))
                try engine.write(batch(key, value), durability: .written)
                model[key] = value
            case 40..<50:
                var deletion = WriteBatch()
                deletion.delete(tree: 1, prefix: 0, key: Array(key.utf8))
                try engine.write(deletion)
                model[key] = nil
            case 50: try engine.flush(tree: 1)
            case 51..<55: while let job = engine.nextMaintenance() { try engine.perform(job) }
            case 55:
                try engine.setPurgeHorizon(.everything(now: 1), tree: 1)
                try engine.compact(tree: 1)
            case 56:
                try engine.close()
                engine = try open()
            default: #expect(try engine.value(key) == model[key], "\(kind), step \(step)")
            }
        }
        try check(engine)
        #expect(try engine.verify(tree: 1).isEmpty)
        #expect(try engine.scrub(tree: 1).findings.isEmpty)
        try engine.createSnapshot(at: "\(place)/snapshot")
        try engine.close()
        let options = engineOptions()
        #expect(
            try Engine.verifySnapshot("\(place)/snapshot", on: disk, options: options).isEmpty
        )
        try Engine.restore(
            snapshot: "\(place)/snapshot",
            to: "\(place)/restored",
            on: disk,
            options: options
        )
        let restored = try Engine.open(
            directory: "\(place)/restored",
            on: disk,
            options: options,
            rules: engineRules
        )
        try check(restored)
        #expect(restored.unknownFiles.isEmpty)
        try restored.close()
    }
}
