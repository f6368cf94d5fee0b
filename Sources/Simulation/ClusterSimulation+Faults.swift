import Causality
import ClusterPrimitives
import FileSystems
import NodeCore
import Replication

/// The faults: drawn one after another, each with its own end.
extension ClusterSimulation {
    /// Enters the next fault.
    func scheduleFault() {
        guard !scenario.faults.isEmpty else { return }
        let pause = faultRandom.number(in: 1...(2 * scenario.faultPeriod))
        agenda.after(UInt64(pause) * 1_000_000) { [unowned self] in
            guard isActive else { return }
            injectFault()
            scheduleFault()
        }
    }

    private func injectFault() {
        let kinds = FaultKinds.named.map(\.kind).filter { scenario.faults.contains($0) }
        let kind = faultRandom.pick(kinds)
        faultCount += 1
        trace.add(.fault, at: agenda.now, place: 0, number: UInt64(kind.rawValue))
        switch kind {
        case .crash: crashSome()
        case .restart: restartOne()
        case .partition: partition()
        case .oneWay: cutOneWay()
        case .slow: slowDown()
        case .reset: resetSome()
        case .full: fillDisk()
        case .corrupt: corruptTable()
        case .wipe: rollBack(toOldDisk: false)
        case .rollback: rollBack(toOldDisk: true)
        case .step: stepClock()
        default: shiftClock()
        }
    }

    private func after(milliseconds: Int, _ action: @escaping () -> Void) {
        agenda.after(UInt64(milliseconds) * 1_000_000, action)
    }

    private func crashSome() {
        var victims = nodes
        faultRandom.shuffle(&victims)
        let count: Int
        switch faultRandom.below(10) {
        case ..<6: count = 1
        case ..<8: count = 1 + faultRandom.below(nodes.count)
        default: count = nodes.count
        }
        let isSilent = faultRandom.chance(1, in: 3)
        let chosen = Array(victims.prefix(count))
        // Disks that are slow when the power fails have the most to lose.
        let notice = faultRandom.chance(1, in: 2) ? faultRandom.number(in: 20...300) : 0
        if notice > 0 {
            for node in chosen { node.diskSlowness = faultRandom.number(in: 20...200) }
        }
        after(milliseconds: notice) { [unowned self] in
            for node in chosen {
                node.diskSlowness = 1
                guard isActive else { continue }
                crash(node, isSilent: isSilent)
                let longest = faultRandom.chance(1, in: 3) ? 15_000 : 2000
                let time = faultRandom.number(in: 100...longest)
                after(milliseconds: time) { [unowned self] in start(node) }
            }
        }
    }

    private func restartOne() {
        let node = faultRandom.pick(nodes)
        stop(node)
        after(milliseconds: faultRandom.number(in: 50...1500)) { [unowned self] in start(node) }
    }

    private func partition() {
        var isInside = nodes.map { _ in false }
        switch faultRandom.below(3) {
        case 0:
            isInside[faultRandom.below(nodes.count)] = true
        case 1 where scenario.nodes.count > 1:
            for node in nodes { isInside[node.index] = node.datacenter == 0 }
        default:
            for node in nodes { isInside[node.index] = faultRandom.chance(1, in: 2) }
        }
        var pairs: [(Int, Int)] = []
        for from in nodes.indices {
            for to in nodes.indices where isInside[from] != isInside[to] {
                pairs.append((from, to))
            }
        }
        log("partition: \(nodes.filter { isInside[$0.index] }.map(\.name)) from the others")
        cut(pairs)
    }

    private func cutOneWay() {
        let from = faultRandom.below(nodes.count)
        let all = faultRandom.chance(1, in: 2)
        let to = faultRandom.below(nodes.count)
        let isReversed = faultRandom.chance(1, in: 2)
        let pairs = nodes.indices.filter { $0 != from && (all || $0 == to) }
            .map { isReversed ? ($0, from) : (from, $0) }
        log("one-way cut: \(pairs.map { "\(nodes[$0.0].name)→\(nodes[$0.1].name)" })")
        cut(pairs)
    }

    private func cut(_ pairs: [(Int, Int)]) {
        for (from, to) in pairs { links.cut(from: from, to: to) }
        let limit = faultRandom.chance(1, in: 3) ? 20_000 : 3000
        after(milliseconds: faultRandom.number(in: 100...limit)) { [unowned self] in
            log("cuts mended")
            for (from, to) in pairs { links.mend(from: from, to: to) }
            releaseHeld()
        }
    }

    private func slowDown() {
        let node = faultRandom.pick(nodes)
        let time = faultRandom.number(in: 500...8000)
        if faultRandom.chance(1, in: 2) {
            let extra = faultRandom.number(in: 10...400) * 1000
            log("links of \(node.name) take \(extra / 1000) ms more")
            links.slowness[node.index] += extra
            after(milliseconds: time) { [unowned self] in links.slowness[node.index] -= extra }
        } else {
            log("disk of \(node.name) is slow")
            node.diskSlowness = faultRandom.number(in: 10...100)
            after(milliseconds: time) { node.diskSlowness = 1 }
        }
    }

    private func resetSome() {
        let count = 1 + faultRandom.below(5)
        for _ in 0..<count where !connections.isEmpty {
            reset(faultRandom.pick(connections))
        }
    }

    private func fillDisk() {
        let node = faultRandom.pick(nodes)
        guard !node.isFull else { return }
        let room = faultRandom.below([1 << 10, 64 << 10, 1 << 20][faultRandom.below(3)])
        log("disk of \(node.name) has room for \(room) bytes")
        node.leaveFree(room)
        after(milliseconds: faultRandom.number(in: 100...10_000)) { [unowned self] in
            log("disk of \(node.name) has room again")
            node.leaveFree(nil)
        }
    }

    /// The one node that may lose what it acknowledged: what no other replica has may be lost.
    private func chooseVictim() -> SimulatedNode {
        let node = victim ?? faultRandom.pick(nodes)
        victim = node
        return node
    }

    /// Lets a node wake up with another disk: an empty one, or its own as it was in an earlier life.
    private func rollBack(toOldDisk isOld: Bool) {
        let node = chooseVictim()
        guard nodes.count > 2, !node.isFull, let life = node.process?.identity.incarnation.start
        else { return }
        let copy = isOld ? node.disk.crashClone(random: &diskRandom) : InMemoryFileSystem()
        let time = isOld ? faultRandom.number(in: 100...20_000) : 0
        after(milliseconds: time) { [unowned self] in
            guard isActive, !node.isFull, let process = node.process else { return }
            // Of a copy from the same life nobody can tell that it is one.
            guard !isOld || process.identity.incarnation.start > life else { return }
            guard isLifeKept(process.identity.incarnation, of: node) else { return }
            log("\(node.name) gets \(isOld ? "its disk of \(time) ms ago" : "an empty disk")")
            crash(node, isSilent: false)
            node.isCorrupt = true
            node.isRolledBack = true
            node.disk = copy
            if !isOld { format(node) }
            let pause = faultRandom.number(in: 100...2000)
            after(milliseconds: pause) { [unowned self] in start(node) }
        }
    }

    /// Whether all others have a node's life on their disks, so that whichever of them speaks to
    /// its next one first can tell it.
    private func isLifeKept(_ incarnation: Incarnation, of node: SimulatedNode) -> Bool {
        nodes.allSatisfy { other in
            guard other !== node else { return true }
            guard let process = other.process else { return false }
            return process.control.incarnations[node.id] == incarnation
                && process.persists.isEmpty
        }
    }

    /// Flips bits in a table.
    private func corruptTable() {
        let node = chooseVictim()
        let tables = node.tables
        guard !tables.isEmpty else { return }
        let table = faultRandom.pick(tables)
        node.isCorrupt = true
        for _ in 0...faultRandom.below(3) {
            let bit = faultRandom.below(max(1, 8 * table.size))
            log("bit \(bit) of \(table.path) of \(node.name) flips")
            do {
                try node.disk.flipBit(bit, in: table.path)
            } catch {
                violate("the simulated disk has no such bit: \(error)")
            }
        }
    }

    /// Lets one clock jump, where enough others can tell that it is wrong.
    private func stepClock() {
        let node = faultRandom.pick(nodes)
        guard nodes.count > 2, nodes.allSatisfy({ abs($0.clockOffset) <= 200 }) else { return }
        let size = faultRandom.number(in: 1000...[5000, 60_000, 3_600_000][faultRandom.below(3)])
        let offset = node.clockOffset
        node.clockOffset = faultRandom.chance(1, in: 2) ? size : -size
        log("clock of \(node.name) jumps by \(node.clockOffset) ms")
        after(milliseconds: faultRandom.number(in: 100...15_000)) { [unowned self] in
            log("clock of \(node.name) is set right")
            node.clockOffset = offset
        }
    }

    private func shiftClock() {
        let node = faultRandom.pick(nodes)
        guard abs(node.clockOffset) <= 200 else { return }
        node.clockOffset = faultRandom.number(in: -200...200)
        log("clock of \(node.name) is off by \(node.clockOffset) ms")
    }
}
