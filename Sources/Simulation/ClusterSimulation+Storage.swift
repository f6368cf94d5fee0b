import ClusterPrimitives
import FileSystems
import NodeCore
import ObjectStorage
import Partitioning
import Replication
import StorageEngine

/// The nodes' disks: jobs of lanes, group commit, upkeep, and what control planes keep.
extension ClusterSimulation {
    private func diskTime(_ time: (least: Int, mean: Int), of node: SimulatedNode) -> UInt64 {
        Self.draw(time, &diskRandom) * UInt64(node.diskSlowness)
    }

    /// Hands a turn's jobs to the store; what it can answer at once goes back into the lane.
    func submitJobs(_ node: SimulatedNode, _ process: NodeProcess, _ lane: LaneProcess) {
        while !lane.effects.jobs.isEmpty {
            let jobs = lane.effects.jobs
            let payload = lane.effects.payload.bytes
            for job in jobs {
                switch job.work {
                case .update(let update):
                    noteUpdate(update, of: node, job.origin.correlation)
                case .put(let put):
                    let update = put.update(of: payload.span.bytes)
                    noteUpdate(update, of: node, job.origin.correlation)
                case .write, .read, .scan: break
                }
            }
            lane.effects.jobs.removeAll()
            lane.effects.payload.bytes.removeAll(keepingCapacity: true)
            var results: [StorageResult] = []
            var deferred: [ReplicaStore.DeferredJob] = []
            let staged = process.store.submit(
                jobs: jobs,
                payload: payload,
                results: &results,
                deferred: &deferred
            )
            if let staged {
                if options.mutant == .answerBeforeSync {
                    process.store.finish(
                        staged,
                        isDurable: true,
                        results: &results,
                        deferred: &deferred
                    )
                } else {
                    process.unsynced.append((lane.number, staged))
                }
                syncSoon(node, process)
            }
            complete(results, node, lane)
            postpone(deferred, node, lane.number)
        }
    }

    private func complete(_ results: [StorageResult], _ node: SimulatedNode, _ lane: LaneProcess) {
        let now = instant(of: node)
        for result in results {
            if case .updated(let origin, let outcome) = result {
                updates.end(
                    outcome,
                    UpdateHistory.Request(node: node.index, correlation: origin.correlation)
                )
            }
            lane.lane.completed(result, at: now, into: &lane.effects)
        }
    }

    private func noteUpdate(_ update: KeyUpdate, of node: SimulatedNode, _ correlation: UInt64) {
        guard let key = History.number(ofKey: update.key) else { return }
        updates.begin(
            update,
            key: key,
            UpdateHistory.Request(node: node.index, correlation: correlation)
        )
    }

    /// Tells each lane what became of its jobs; updates of several lanes may be made together.
    private func deliver(_ results: [StorageResult], _ node: SimulatedNode, asker: Int) {
        for number in 0..<scenario.lanes {
            let own = results.filter { Int($0.lane ?? UInt8(asker)) == number }
            if !own.isEmpty { turn(node, number) { complete(own, node, $0) } }
        }
    }

    private func postpone(
        _ jobs: [ReplicaStore.DeferredJob],
        _ node: SimulatedNode,
        _ number: Int
    ) {
        let life = node.life
        for job in jobs {
            agenda.after(diskTime(scenario.diskTime, of: node)) { [unowned self] in
                guard node.life == life, let process = node.process else { return }
                trace.add(.deferred, at: agenda.now, place: node.index, number: UInt64(number))
                var next: [ReplicaStore.DeferredJob] = []
                let results = process.store.run(job, next: &next)
                deliver(results, node, asker: number)
                postpone(next, node, number)
            }
        }
    }

    /// Begins a sync, unless one is under way: then what waits shares the next one.
    private func syncSoon(_ node: SimulatedNode, _ process: NodeProcess) {
        guard !process.isSyncing else { return }
        process.isSyncing = true
        let life = node.life
        let batch = process.unsynced
        process.unsynced = []
        agenda.after(diskTime(scenario.syncTime, of: node)) { [unowned self] in
            guard node.life == life else { return }
            synced(batch, node, process)
        }
    }

    private func synced(
        _ batch: [(lane: Int, writes: ReplicaStore.StagedWrites)],
        _ node: SimulatedNode,
        _ process: NodeProcess
    ) {
        trace.add(.synced, at: agenda.now, place: node.index, number: UInt64(batch.count))
        var isDurable = true
        do throws(StorageError) {
            try process.store.sync()
        } catch {
            isDurable = false
            if !node.excuses(error) {
                violate("\(node.name) cannot sync a healthy disk: \(error)")
            }
        }
        process.isSyncing = false
        for (number, writes) in batch {
            var results: [StorageResult] = []
            var deferred: [ReplicaStore.DeferredJob] = []
            process.store.finish(
                writes,
                isDurable: isDurable,
                results: &results,
                deferred: &deferred
            )
            turn(node, number) { complete(results, node, $0) }
            postpone(deferred, node, number)
        }
        if !process.unsynced.isEmpty { syncSoon(node, process) }
        maintain(node, process)
    }

    /// Does the upkeep that is due, a piece at a time.
    func maintain(_ node: SimulatedNode, _ process: NodeProcess) {
        guard !process.isMaintaining, let job = process.store.nextMaintenance() else { return }
        perform(job, node, process)
    }

    /// Flushes now and then though nothing calls for it, so that there are tables to read.
    func flushSometimes(_ node: SimulatedNode, _ life: Int) {
        let time = diskRandom.number(in: 1...(2 * scenario.flushPeriod))
        agenda.after(UInt64(time) * 1_000_000) { [unowned self] in
            guard node.life == life, let process = node.process else { return }
            let keyspaces = process.control.view.topology.keyspaces
            if let keyspace = keyspaces.first, !process.isMaintaining {
                perform(.flush(keyspace.number.rawValue), node, process)
            }
            flushSometimes(node, life)
        }
    }

    private func perform(_ job: MaintenanceJob, _ node: SimulatedNode, _ process: NodeProcess) {
        process.isMaintaining = true
        let life = node.life
        agenda.after(diskTime(scenario.diskTime, of: node) * 4) { [unowned self] in
            guard node.life == life else { return }
            trace.add(.maintained, at: agenda.now, place: node.index, number: 0)
            process.isMaintaining = false
            do throws(StorageError) {
                try process.store.perform(job) { _ in
                    diskRandom.chance(1, in: 4) ? .cancel : .goOn
                }
                maintain(node, process)
            } catch {
                // The next tick tries again.
                if !node.excuses(error) {
                    violate("\(node.name) cannot do its upkeep: \(error)")
                }
            }
        }
    }

    /// Does the upkeep that the control plane asked for, all at once after the time of a disk.
    func beginUpkeep(_ node: SimulatedNode, _ process: NodeProcess) {
        guard let job = process.controlEffects.upkeep else { return }
        process.controlEffects.upkeep = nil
        let life = node.life
        agenda.after(diskTime(scenario.diskTime, of: node) * 4) { [unowned self] in
            guard node.life == life else { return }
            trace.add(.maintained, at: agenda.now, place: node.index, number: 1)
            let results = process.store.run(job)
            let now = instant(of: node)
            controlTurn(node) {
                $0.control.upkeepFinished(results, at: now, into: &$0.controlEffects)
            }
        }
    }

    /// Makes the next thing durable that the control plane asked for.
    func persistNext(_ node: SimulatedNode, _ process: NodeProcess) {
        guard !process.isPersisting, !process.persists.isEmpty else { return }
        process.isPersisting = true
        let life = node.life
        agenda.after(diskTime(scenario.syncTime, of: node)) { [unowned self] in
            guard node.life == life else { return }
            guard let persist = process.persists.first else { return }
            trace.add(.persisted, at: agenda.now, place: node.index, number: persist.ticket)
            guard keep(persist.content, node, process) else {
                return agenda.after(1_000_000_000) { [unowned self] in
                    guard node.life == life else { return }
                    process.isPersisting = false
                    persistNext(node, process)
                }
            }
            process.persists.removeFirst()
            process.isPersisting = false
            let now = instant(of: node)
            controlTurn(node) {
                $0.control.persisted(persist.ticket, at: now, into: &$0.controlEffects)
            }
        }
    }

    /// - Returns: whether it is durable.
    private func keep(
        _ content: ControlEffects.Persist.Content,
        _ node: SimulatedNode,
        _ process: NodeProcess
    ) -> Bool {
        do {
            switch content {
            case .clockBound(let bound):
                try process.state.save(.clockBound(bound))
            case .acceptor(let bytes):
                try process.state.save(.acceptor(bytes))
            case .topology(let bytes):
                try process.store.adopt(try Topology(decoding: bytes))
                try process.state.save(.topology(bytes))
            case .incarnations(let bytes):
                try process.state.save(.incarnations(bytes))
            case .lostLife(let start):
                try process.state.save(.lostLife(start))
            }
            return true
        } catch {
            if !node.isFull { violate("\(node.name) cannot keep \(content): \(error)") }
            return false
        }
    }
}
