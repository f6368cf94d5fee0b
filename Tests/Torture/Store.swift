import FileSystems
import Glibc
import StorageEngine

/// The engine as the test uses it: two trees, little memory, small files.
final class Store: Sendable {
    /// Threads that do upkeep.
    static let maintenanceThreads = 2

    private let engine: Engine

    /// Opens or makes the engine of a directory.
    init(directory: String, isSyncLying: Bool) throws {
        var files: any FileSystem = PosixFileSystem()
        if isSyncLying {
            let liar = FaultyFileSystem(files)
            liar.add(FaultRule(.sync, .lyingSync))
            liar.add(FaultRule(.syncDirectory, .lyingSync))
            files = liar
        }
        var options = EngineOptions()
        options.memoryBudget = 1 << 20
        options.segmentSize = 256 << 10
        options.fragmentSize = 1 << 20
        options.cacheSize = 1 << 20
        options.openFiles = 16
        options.identity = 0x746F_7274_7572_6521
        engine = try Engine.open(directory: directory, on: files, options: options)
        let trees = engine.trees
        if !trees.contains(1) { try engine.createTree(1, rule: .overwrite, compression: .none) }
        if !trees.contains(2) {
            try engine.createTree(2, rule: .overwrite, compression: .zlib(level: 1))
        }
        for tree in engine.trees { try engine.setPurgeHorizon(.everything(now: .max), tree: tree) }
    }

    /// Writes changes as one batch; waits for a flush while memory is full, half a minute at most.
    func write(_ changes: [Change], _ durability: WriteCommand.Durability) throws {
        var batch = WriteBatch()
        for change in changes {
            let key = change.key
            if change.isDeletion {
                batch.delete(tree: key.tree, prefix: key.prefix, key: key.bytes)
            } else {
                batch.put(
                    tree: key.tree,
                    prefix: key.prefix,
                    key: key.bytes,
                    value: Value.bytes(of: change)
                )
            }
        }
        for _ in 0..<30_000 {
            do throws(StorageError) {
                try engine.write(batch, durability: durability == .group ? .synced : .written)
                return
            } catch .overloaded {
                usleep(1000)
            }
        }
        throw TortureError("memory has been full for half a minute")
    }

    /// What is written so far is on the disk on return.
    func sync() throws { try engine.sync() }

    /// Does the piece of upkeep that is most due; false if there is none.
    func maintain() throws -> Bool {
        guard let job = engine.nextMaintenance() else { return false }
        try engine.perform(job)
        return true
    }

    /// The value of a key, or nil.
    func value(of key: KeyNumber) throws -> [UInt8]? {
        switch try engine.get(tree: key.tree, prefix: key.prefix, key: key.bytes) {
        case .found(let value, _): value
        case .absent, .needsDisk: nil
        }
    }

    /// Every key of every tree with its value, in order.
    func visitAll(
        _ body: (_ tree: UInt32, _ prefix: UInt64, _ key: [UInt8], _ value: [UInt8]) -> Void
    ) throws {
        for tree in engine.trees {
            try engine.visit(tree: tree, from: nil) { prefix, key, value, _ in
                body(tree, prefix, key.array(), value.array())
                return true
            }
        }
    }

    func close() throws { try engine.close() }
}
