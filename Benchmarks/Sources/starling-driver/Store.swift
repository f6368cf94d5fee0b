import Foundation
import StorageEngine
import Synchronization
import Workload

/// An engine with one tree, and two threads that do its upkeep: RocksDB has two by default.
final class Store: Sendable {
    static let tree: UInt32 = 1

    let engine: Engine
    private let isClosing = Atomic(false)
    private let threads = DispatchGroup()

    /// Opens the engine of a directory, making it if there is none.
    init(_ settings: workload_settings) throws {
        var options = EngineOptions()
        options.memoryBudget = settings.memtable_bytes
        options.cacheSize = settings.block_cache_bytes
        let engine = try Engine.open(
            directory: unsafe String(cString: settings.directory),
            on: PosixFileSystem(),
            options: options
        )
        self.engine = engine
        if !engine.trees.contains(Self.tree) {
            try engine.createTree(
                Self.tree,
                rule: .overwrite,
                compression: settings.compresses ? .zlib(level: 1) : .none
            )
        }
        for _ in 0..<2 {
            threads.enter()
            let thread = Thread { [self] in
                defer { threads.leave() }
                maintain()
            }
            thread.start()
        }
    }

    /// Performs what is due, and looks again every few milliseconds.
    private func maintain() {
        while !isClosing.load(ordering: .relaxed) {
            guard let job = engine.nextMaintenance() else {
                usleep(5000)
                continue
            }
            // Upkeep that fails leaves a store that is not worth measuring.
            if attempt({ try engine.perform(job) }) == nil { exit(1) }
        }
    }

    /// Entries of the memtables, and the bytes they take beside keys and values.
    var memtables: (entries: Int, indexBytes: Int) {
        let statistics = engine.statistics()
        return statistics.trees.reduce((0, 0)) { sum, tree in
            (sum.0 + tree.memtableEntries, sum.1 + tree.memtableIndexBytes)
        }
    }

    /// Bytes given to the log, which stores them in mapped memory.
    ///
    /// Those that it writes by calls count twice then: when it is synced often, and long batches.
    var logBytes: Int { engine.statistics().writtenLogBytes }

    /// Ends the upkeep and closes the engine.
    func close() {
        isClosing.store(true, ordering: .relaxed)
        threads.wait()
        if attempt({ try engine.close() }) == nil { exit(1) }
    }
}
