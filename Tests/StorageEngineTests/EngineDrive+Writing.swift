import ClusterPrimitives
import FileSystems
import Testing

import StorageEngine

extension EngineDrive {
    private mutating func makeBatch() -> (batch: WriteBatch, writes: [ModelWrite]) {
        var batch = WriteBatch()
        var writes: [ModelWrite] = []
        for _ in 0..<random.pick([1, 1, 1, 2, 5]) {
            let tree = randomTree(&random)
            let prefixNumber = random.below(EngineModel.prefixes.count)
            let keyNumber = random.below(EngineModel.keys.count)
            let index = EngineModel.index(tree: tree, prefix: prefixNumber, key: keyNumber)
            let (prefix, key) = (EngineModel.prefix(of: index), EngineModel.key(of: index))
            let isDeletion = tree != EngineModel.uniting && random.below(4) == 0
            var bytes = random.bytes(random.pick([0, 3, 40, 300]))
            clock += 1
            var stamp = clock
            switch tree {
            case EngineModel.overwriting where isDeletion:
                batch.delete(tree: tree, prefix: prefix, key: key)
                writes.append(ModelWrite(index: index, value: nil, stamp: clock))
                continue
            case EngineModel.overwriting: break
            case EngineModel.uniting:
                // The rule is idempotent for sorted sets only.
                bytes = Set(bytes).sorted()
                stamp = 0
            default:
                stamp -= min(UInt64(random.below(6)), clock - floors[prefixNumber] - 1)
                let expiry = random.below(3) == 0 ? UInt32(now) + UInt32(random.below(20)) : nil
                bytes = isDeletion ? [] : EngineModel.stored(bytes, expiry: expiry)
            }
            batch.put(tree: tree, prefix: prefix, key: key, value: bytes, stamp: stamp)
            writes.append(ModelWrite(index: index, value: bytes, stamp: stamp))
        }
        return (batch, writes)
    }

    mutating func write() throws {
        let (batch, writes) = makeBatch()
        batches += 1
        let logged = Logged(number: batches, writes: writes)
        switch random.below(20) {
        case 0..<8:
            let isDone = try withRoom(for: logged) { engine throws(StorageError) in
                try engine.write(batch)
            }
            guard isDone else { return }
            unsynced.append(logged)
            writes.forEach { current.apply($0) }
            becameDurable()
        case 8..<11 where !isFull:
            let isDone = try withRoom(for: logged) { engine throws(StorageError) in
                try engine.write(batch, durability: .written)
            }
            guard isDone else { return }
            unsynced.append(logged)
            writes.forEach { current.apply($0) }
        case 11..<16 where !isFull:
            let isDone = try withRoom(for: logged) { engine throws(StorageError) in
                engine.apply(batch, at: try engine.append(batch))
            }
            guard isDone else { return }
            unsynced.append(logged)
            writes.forEach { current.apply($0) }
        default:
            var position: AppendedPosition?
            let isDone = try withRoom(for: logged) { engine throws(StorageError) in
                position = try engine.append(batch)
            }
            guard isDone, let position else { return }
            unsynced.append(logged)
            pending.append(Pending(batch: batch, position: position, number: batches))
            pendingWrites[batches] = writes
            if pending.count > 8 { try sync() }
        }
    }

    private enum Attempt {
        case done
        case overloaded
        case diskFull
    }

    private func attempt(
        _ write: (Engine) throws(StorageError) -> Void
    ) throws(StorageError) -> Attempt {
        do throws(StorageError) {
            try write(engine)
            return .done
        } catch {
            if case .overloaded = error { return .overloaded }
            if isFull, case .diskFull = error { return .diskFull }
            throw error
        }
    }

    /// Writes, after a flush if memory is full; false if the disk is.
    private mutating func withRoom(
        for logged: Logged,
        _ write: (Engine) throws(StorageError) -> Void
    ) throws -> Bool {
        var outcome = try attempt(write)
        if outcome == .overloaded {
            count("overloaded")
            try settle()
            let hasRoom = try attempt { engine throws(StorageError) in
                while case .flush(let tree)? = engine.nextMaintenance() {
                    try engine.perform(.flush(tree))
                }
            }
            outcome = try attempt(write)
            let isRefused = outcome == .overloaded
            expect(!isRefused || hasRoom == .diskFull, "no room after all flushes")
        }
        if outcome == .diskFull { takeBack(logged) }
        return outcome == .done
    }

    /// A full disk took back what was not written; whose call it was does not matter.
    ///
    /// - Parameter last: a batch of which the engine's `write` said so.
    mutating func takeBack(_ last: Logged?) {
        count("taken back")
        var gone: [Logged] = []
        for entry in pending where engine.wasTakenBack(entry.position) {
            let outcomes = engine.apply(entry.batch, at: entry.position)
            expect(
                outcomes.allSatisfy { $0.result == .takenBack },
                "a batch that was taken back became \(outcomes)"
            )
            gone += unsynced.filter { $0.number == entry.number }
            unsynced.removeAll { $0.number == entry.number }
            forget(entry.number)
        }
        pending.removeAll { entry in pendingWrites[entry.number] == nil }
        if let last { gone.append(last) }
        ghosts = (ghosts + gone).sorted { $0.number < $1.number }.suffix(Self.maximumGhosts)
    }

    /// As many as can be tried in all combinations; that more pile up between two syncs is rare.
    private static let maximumGhosts = 16

    mutating func becameDurable() {
        // What was taken back later than the last of them lies behind it.
        if let last = unsynced.last { ghosts.removeAll { $0.number < last.number } }
        for write in unsynced.lazy.flatMap(\.writes) { durable.apply(write) }
        unsynced = []
    }

    /// Syncs; false if the disk is full.
    private mutating func syncLog() throws -> Bool {
        do throws(StorageError) {
            try engine.sync()
        } catch {
            guard isFull, case .diskFull = error else { throw error }
            takeBack(nil)
            return false
        }
        becameDurable()
        return true
    }

    /// Syncs, and makes most of what was appended visible, in any order.
    mutating func sync() throws {
        guard try syncLog() else { return }
        random.shuffle(&pending)
        var rest: [Pending] = []
        for entry in pending {
            if random.below(4) == 0 { rest.append(entry) } else { apply(entry) }
        }
        pending = rest
    }

    /// Syncs, and makes all that was appended visible.
    mutating func settle() throws {
        guard try syncLog() else { return }
        pending.forEach { apply($0) }
        pending = []
    }

    private mutating func apply(_ entry: Pending) {
        let outcomes = engine.apply(entry.batch, at: entry.position)
        let writes = pendingWrites[entry.number] ?? []
        expect(outcomes.count == writes.count, "\(outcomes.count) outcomes")
        for (write, outcome) in zip(writes, outcomes) {
            let isGone = dropped.contains(.init(number: entry.number, index: write.index))
            expect(
                (outcome.result == .treeDropped) == isGone,
                "entry \(write.index) became \(outcome.result), its tree is gone: \(isGone)"
            )
            if !isGone { current.apply(write) }
        }
        forget(entry.number)
    }

    private mutating func forget(_ number: UInt64) {
        pendingWrites[number] = nil
        if !dropped.isEmpty { dropped = dropped.filter { $0.number != number } }
    }
}
