import ClusterPrimitives
import FileSystems
import StorageEngine
import Testing

extension EngineDrive {
    /// Closes the engine and opens it anew.
    mutating func reopen() throws {
        try settle()
        try engine.close()
        try open()
        try check()
        try setHorizonAgain()
        count("reopenings")
    }

    /// The machine stops; what is there afterwards is what was durable and a prefix of the rest.
    mutating func crash() throws {
        disk = disk.crashClone(random: &random)
        try open()
        guard var state = admitted(try kept(by: engine)) else {
            let what = "what a crash left of \(unsynced.count) unsynced batches"
            compare(try contents(of: engine), durable, what)
            expect(false, "\(what) is hidden and differs")
            return
        }
        swap(&durable, &state)
        current = durable
        unsynced = []
        ghosts = []
        pending = []
        pendingWrites = [:]
        dropped = []
        try makeTrees()
        try setHorizonAgain()
        count("crashes")
    }

    /// Which of the states that a crash may leave was found.
    ///
    /// Batches come in the order of their numbers: those that were not synced up to any of them,
    /// and behind these any that a full disk took back, since later ones may have been written
    /// over parts of earlier ones.
    private func admitted(_ kept: [EngineModel.Visible?]) -> EngineModel? {
        var state = durable
        var last: UInt64 = 0
        for batch in [nil] + unsynced.map(Optional.some) {
            if let batch {
                batch.writes.forEach { state.apply($0) }
                last = batch.number
            }
            if state.admits(kept, now: now) { return state }
            let behind = ghosts.filter { $0.number > last }
            if let found = admitted(kept, state, behind[...]) { return found }
        }
        return nil
    }

    private func admitted(
        _ kept: [EngineModel.Visible?],
        _ state: EngineModel,
        _ ghosts: ArraySlice<Logged>
    ) -> EngineModel? {
        for index in ghosts.indices {
            var next = state
            ghosts[index].writes.forEach { next.apply($0) }
            if next.admits(kept, now: now) { return next }
            let found = admitted(kept, next, ghosts[(index + 1)...])
            if let found { return found }
        }
        return nil
    }

    /// Lets the disk run full for some operations: writes are refused, all else stays exact, and
    /// all goes on once there is room.
    mutating func fillDisk() throws {
        try settle()
        disk.setCapacity(1 << 40)
        let used = (1 << 40) - (try disk.freeSpace(at: "/"))
        disk.setCapacity(used + random.pick([0, 50, 500, 5000]))
        isFull = true
        for _ in 0..<random.below(16) where engine.trees.count == EngineModel.trees.count {
            do {
                switch random.below(12) {
                case 0..<5: try write()
                case 5, 6: try look()
                case 7: try sync()
                case 8: try engine.flush(tree: randomTree(&random))
                case 9: try maintain()
                case 10: try engine.compact(tree: randomTree(&random))
                default: try drop()
                }
            } catch StorageError.diskFull {
                count("disk full")
                takeBack(nil)
            }
        }
        disk.setCapacity(nil)
        isFull = false
        if random.below(3) == 0 { return try crash() }
        try makeTrees()
        try check()
        try write()
    }

    /// Lets reads of tables fail or bring turned bits: an answer is right or an error.
    mutating func failReads() throws {
        let effect: FaultRule.Effect =
            random.below(2) == 0 ? .inputOutputError : .flipBit(random.below(4096))
        files.add(
            FaultRule(
                .read,
                pathContains: ".sst",
                first: random.number(in: 1...4),
                times: random.pick([1, 3, .max]),
                effect
            )
        )
        for _ in 0..<random.below(12) {
            do {
                switch random.below(8) {
                case 0..<5: try look()
                case 5: try check()
                case 6: try checkRange()
                case _ where effect == .inputOutputError: try maintain()
                default: try checkVersions()
                }
            } catch StorageError.io {
                count("read errors")
            } catch StorageError.corruption where effect != .inputOutputError {
                count("turned bits found")
            }
        }
        files.removeRules()
        try check()
    }

    /// Copies the engine's directory, and compares an earlier copy with what it must hold.
    mutating func checkBackup() throws {
        let path = "/backup"
        if let expected = backup {
            let damage = try Engine.verifySnapshot(path, on: disk, options: options)
            expect(damage.isEmpty, "the copy is damaged: \(damage)")
            compare(try read(path), expected, "the old copy")
            try restore(path, expected)
            try removeAll(path)
            backup = nil
        }
        try engine.createSnapshot(at: path)
        backup = current
        compare(try read(path), current, "the copy")
        count("copies")
    }

    private func read(_ path: String) throws -> [EngineModel.Visible?] {
        var all = [EngineModel.Visible?](repeating: nil, count: EngineModel.count)
        let trees = try Engine.read(
            directory: path,
            on: disk,
            options: options,
            rules: Self.rules
        )
        for (tree, snapshot) in trees {
            for index in EngineModel.range(of: tree) {
                let lookup = try snapshot.get(
                    prefix: EngineModel.prefix(of: index),
                    key: EngineModel.key(of: index)
                )
                guard case .found(let value, let stamp) = lookup else { continue }
                all[index] = EngineModel.visible(value, stamp, tree: tree, now: now)
            }
        }
        return all
    }

    private mutating func restore(_ path: String, _ expected: EngineModel) throws {
        let target = "/restored"
        try Engine.restore(snapshot: path, to: target, on: disk, options: options)
        let restored = try Engine.open(
            directory: target,
            on: disk,
            options: options,
            rules: Self.rules
        )
        compare(try contents(of: restored), expected, "the restored engine")
        try restored.compact(tree: randomTree(&random))
        compare(try contents(of: restored), expected, "the restored and compacted engine")
        try restored.close()
        try removeAll(target)
    }

    private func removeAll(_ path: String) throws {
        for name in (try? disk.list(path)) ?? [] { try removeAll("\(path)/\(name)") }
        try disk.remove(path)
    }
}
