import FileSystems
import StorageEngine
import Testing

@Suite struct `Snapshots` {
    private func engine(_ disk: any FileSystem) throws -> Engine {
        let engine = try openEngine(disk)
        try engine.createTree(1, rule: largestWins)
        try engine.createTree(2, rule: .overwrite)
        for index in 0..<30 as Range<UInt8> {
            try engine.put(batch(1, UInt64(index), "a", [index]))
            if index % 10 == 9 { try engine.flush(tree: 1) }
        }
        try engine.put(batch(2, 0, "b", [1]))
        return engine
    }

    private func open(_ directory: String, _ disk: any FileSystem) throws -> Engine {
        try Engine.open(
            directory: directory,
            on: disk,
            options: engineOptions(),
            rules: engineRules
        )
    }

    private func read(
        _ directory: String,
        _ disk: any FileSystem
    ) throws -> [UInt32: TreeSnapshot] {
        try Engine.read(
            directory: directory,
            on: disk,
            options: engineOptions(),
            rules: engineRules
        )
    }

    @Test func `a snapshot stays whole after its source compacted and dropped everything`() throws {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        try engine.createSnapshot(at: "/copy")
        let before = try disk.contents("/copy")
        try engine.put(batch(1, 0, "a", [99]))
        try engine.compact(tree: 1)
        try engine.dropTree(1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(try disk.list("/db/1") == [])
        #expect(try disk.contents("/copy") == before)
        #expect(try Engine.verifySnapshot("/copy", on: disk, options: engineOptions()) == [])
        let trees = try read("/copy", disk)
        #expect(trees.keys.sorted() == [1, 2])
        let entries = try #require(trees[1]).scan().entries
        #expect(entries.map(\.value) == (0..<30).map { [UInt8($0)] })
        #expect(try trees[2]?.scan().entries.map(\.value) == [[1]])
        #expect(try disk.contents("/copy") == before)
    }

    @Test func `a snapshot is an engine's directory, which goes its own way`() throws {
        let disk = InMemoryFileSystem()
        let source = try engine(disk)
        try source.createSnapshot(at: "/copy/")
        var copy = try open("/copy", disk)
        try copy.put(batch(1, 0, "a", [200]))
        try copy.put(batch(2, 0, "b", [2]))
        try copy.compact(tree: 1)
        try copy.flush(tree: 2)
        while let job = copy.nextMaintenance() { try copy.perform(job) }
        try copy.close()
        copy = try open("/copy", disk)
        #expect(try copy.value(1, 0, "a") == [200])
        #expect(try copy.value(2, 0, "b") == [2])
        #expect(try source.value(1, 0, "a") == [0])
        #expect(try source.value(2, 0, "b") == [1])
        #expect(try source.verify(tree: 1) == [])
        #expect(copy.unknownFiles == [])
    }

    @Test func `what is written while a snapshot is made is in it or not, one write at a time`()
        async throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Each batch writes to both trees; of each tree a snapshot has a run of the first.
                for index in 1...200 as ClosedRange<UInt64> {
                    var writes = batch(1, 1000 + index, "n", [1])
                    writes.put(tree: 2, prefix: 1000 + index, key: [1], value: [1])
                    try engine.put(writes)
                }
            }
            group.addTask {
                for number in 0..<5 { try engine.createSnapshot(at: "/copy-\(number)") }
            }
            group.addTask {
                for _ in 0..<5 { try engine.compact(tree: 1) }
            }
            try await group.waitForAll()
        }
        var last = 0
        for number in 0..<5 {
            #expect(
                try Engine.verifySnapshot("/copy-\(number)", on: disk, options: engineOptions())
                    == []
            )
            let trees = try read("/copy-\(number)", disk)
            for tree in [1, 2] as [UInt32] {
                let prefixes = try #require(trees[tree])
                    .scan(from: .from(prefix: 1001)).entries.map(\.prefix)
                #expect(prefixes == prefixes.indices.map { 1001 + UInt64($0) })
                if tree == 1 {
                    #expect(prefixes.count >= last)
                    last = prefixes.count
                }
            }
            #expect(try trees[1]?.scan(through: 999).entries.count == 30)
        }
    }

    @Test func `a restored directory has all of the snapshot and leaves it as it was`() throws {
        let disk = InMemoryFileSystem()
        try engine(disk).createSnapshot(at: "/copy")
        let before = try disk.contents("/copy")
        try Engine.restore(
            snapshot: "/copy/",
            to: "/new",
            on: disk,
            options: engineOptions()
        )
        let restored = try open("/new", disk)
        #expect(try restored.allEntries(1).map(\.value) == (0..<30).map { [UInt8($0)] })
        try restored.put(batch(2, 0, "b", [9]))
        try restored.compact(tree: 1)
        #expect(try disk.contents("/copy") == before)
        #expect(try read("/copy", disk)[2]?.get(prefix: 0, key: Array("b".utf8)) != nil)
    }

    @Test func `neither a snapshot nor a restore writes to a directory that holds something`()
        throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        try disk.createDirectory("/full")
        try disk.write([1], to: "/full/file")
        try engine.createSnapshot(at: "/copy")
        let before = try disk.contents("/")
        let refusal = StorageError.foreignFile(
            file: "/full/file",
            what: "the directory must be empty"
        )
        #expect(throws: refusal) { try engine.createSnapshot(at: "/full") }
        #expect(throws: refusal) {
            try Engine.restore(
                snapshot: "/copy",
                to: "/full",
                on: disk,
                options: engineOptions()
            )
        }
        #expect(throws: StorageError.self) { try engine.createSnapshot(at: "/copy") }
        #expect(throws: StorageError.self) { try engine.createSnapshot(at: "/none/copy") }
        #expect(throws: StorageError.self) { try engine.createSnapshot(at: "/full/file") }
        #expect(try disk.contents("/") == before)
    }

    @Test func `a damaged snapshot is named, and not restored`() throws {
        let disk = InMemoryFileSystem()
        try engine(disk).createSnapshot(at: "/copy")
        let names = try disk.list("/copy/1")
        #expect(names.count == 3)
        try disk.flipBit(500, in: "/copy/1/\(names[1])")
        try disk.remove("/copy/1/\(names[2])")
        let found = try Engine.verifySnapshot("/copy", on: disk, options: engineOptions())
        let files = found.compactMap { error in
            if case .corruption(let file, _, let expected, let found, _) = error {
                return expected == found ? nil : file
            }
            return nil
        }
        #expect(files == names[1...].map { "/copy/1/\($0)" })
        #expect(throws: found[0]) {
            try Engine.restore(snapshot: "/copy", to: "/new", on: disk, options: engineOptions())
        }
        #expect(try !disk.exists("/new"))
        // One link of the file was changed, so the source has the damage too, and names it.
        let source = try read("/db", disk)
        #expect(throws: StorageError.self) { try source[1]?.scan() }
    }

    @Test func `a full disk or a crash in the middle leaves no manifest, so no snapshot`() throws {
        for call in 1...4 {
            let base = InMemoryFileSystem()
            let disk = FaultyFileSystem(base)
            let engine = try engine(disk)
            try engine.flush(tree: 1)
            try engine.flush(tree: 2)
            disk.add(FaultRule(.link, first: call, times: 1, .noSpace))
            let error = #expect(throws: StorageError.self) {
                try engine.createSnapshot(at: "/copy")
            }
            guard case .diskFull = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try !base.exists("/copy/MANIFEST"))
            #expect(throws: StorageError.self) { try read("/copy", base) }
            // The engine goes on, also with snapshots.
            try engine.put(batch(2, 0, "c", [1]))
            try engine.createSnapshot(at: "/other")
            #expect(try read("/other", base)[2]?.scan().entries.count == 2)
        }
    }

    @Test func `a view of a tree shows one moment and holds its files until it is released`() throws
    {
        let disk = InMemoryFileSystem()
        let engine = try engine(disk)
        var view: TreeSnapshot? = try engine.snapshot(tree: 1)
        let files = try disk.list("/db/1")
        for index in 0..<30 as Range<UInt8> {
            try engine.put(batch(1, UInt64(index), "a", [index + 100]))
        }
        try engine.compact(tree: 1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(engine.statistics().obsoleteTables >= files.count)
        #expect(Set(try disk.list("/db/1")).isSuperset(of: files))
        #expect(try view?.scan().entries.map(\.value) == (0..<30).map { [UInt8($0)] })
        #expect(try engine.allEntries(1).map(\.value) == (0..<30).map { [UInt8($0 + 100)] })
        view = nil
        #expect(engine.nextMaintenance() == .removeObsoleteFiles)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(engine.statistics().obsoleteTables == 0)
        #expect(Set(try disk.list("/db/1")).isDisjoint(with: files))
    }

    @Test func `a view outlives its tree, and files that it held go at the next start`() throws {
        let disk = InMemoryFileSystem()
        var engine = try engine(disk)
        let view = try engine.snapshot(tree: 1)
        try engine.dropTree(1)
        while let job = engine.nextMaintenance() { try engine.perform(job) }
        #expect(try view.scan().entries.count == 30)
        #expect(try !disk.list("/db/1").isEmpty)
        try engine.close()
        engine = try open("/db", disk)
        #expect(try !disk.exists("/db/1"))
        #expect(engine.unknownFiles == [])
        #expect(engine.trees == [2])
    }
}
