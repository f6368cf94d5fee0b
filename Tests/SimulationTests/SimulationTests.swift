import ClusterPrimitives
import Partitioning
import Simulation
import Testing

private func report(
    _ seed: UInt64,
    seconds: Int,
    mutant: Mutant? = nil,
    adjust: (inout SimulationOptions) -> Void = { _ in }
) -> SimulationReport {
    var options = SimulationOptions(seed: seed)
    options.duration = .seconds(seconds)
    options.mutant = mutant
    adjust(&options)
    return ClusterSimulation.run(options)
}

@Suite struct `Simulation` {
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `a cluster under faults keeps its promises`(seed: UInt64) {
        let report = report(seed, seconds: 10)
        #expect(report.violations.isEmpty, "seed \(seed): \(report.scenario)")
        #expect(report.operations.done > 0, "seed \(seed): \(report.scenario)")
    }

    @Test(arguments: [ConflictMode.lww, .siblings, .counter, .set, .map])
    func `a cluster without faults answers every request`(mode: ConflictMode) {
        let report = report(7, seconds: 5) {
            $0.faults = []
            $0.mode = mode
        }
        #expect(report.violations.isEmpty)
        #expect(report.faults == 0)
    }

    @Test(arguments: [ConflictMode.siblings, .counter, .set, .map])
    func `no update is lost and none is made up, whatever fails`(mode: ConflictMode) {
        for seed: UInt64 in 1...4 {
            let report = report(seed, seconds: 10) { $0.mode = mode }
            #expect(report.violations.isEmpty, "seed \(seed): \(report.scenario)")
        }
    }

    @Test func `a seed does the same twice, and another seed something else`() {
        let first = report(11, seconds: 5)
        #expect(report(11, seconds: 5) == first)
        #expect(report(12, seconds: 5).traceHash != first.traceHash)
    }

    @Test(arguments: [2, 8, 17, 23] as [UInt64])
    func `full disks and damaged tables make replicas fail, and no answer wrong`(seed: UInt64) {
        let report = report(seed, seconds: 10) { $0.faults = [.crash, .full, .corrupt] }
        #expect(report.violations.isEmpty, "seed \(seed): \(report.scenario)")
        #expect(report.faults > 0, "seed \(seed): \(report.scenario)")
    }

    @Test(arguments: [7, 11, 13, 17] as [UInt64])
    func `a node with an empty or an older disk reads nothing wrong to anybody`(seed: UInt64) {
        let report = report(seed, seconds: 10) {
            $0.faults = [.wipe, .rollback, .crash, .restart]
        }
        #expect(report.violations.isEmpty, "seed \(seed): \(report.scenario)")
        #expect(report.faults > 0, "seed \(seed): \(report.scenario)")
    }

    @Test func `the number of nodes can be given`() {
        let report = report(1, seconds: 1) { $0.nodeCount = 1 }
        #expect(report.violations.isEmpty)
        #expect(report.scenario.contains("1 nodes"))
    }

    @Test(arguments: Mutant.allCases)
    func `a planted bug is found within a hundred seeds`(mutant: Mutant) {
        let finder = (1...100 as ClosedRange<UInt64>).first { seed in
            !report(seed, seconds: 15, mutant: mutant) {
                // More crashes in less time; the checkers stay as they are.
                $0.faults = mutant.faults
                $0.mode = mutant.mode
                $0.nodeCount = 3
            }.violations.isEmpty
        }
        #expect(finder != nil, "nobody noticed \(mutant)")
    }
}

@Suite struct `Seeds that failed once` {
    /// The faults that there were then; another one makes other runs of the same seeds.
    private static let faults = FaultKinds.all.subtracting(.step)

    private func lww(_ seed: UInt64, seconds: Int) -> SimulationReport {
        report(seed, seconds: seconds) {
            $0.mode = .lww
            $0.faults = Self.faults
        }
    }

    /// A replica's answer reached the next connection that was given the number of its own.
    @Test func `the result of a job does not reach a later connection`() {
        #expect(lww(37, seconds: 40).violations == [])
    }

    /// A full disk took back writes that waited for the next sync, which succeeded without them.
    @Test(arguments: [107, 120] as [UInt64])
    func `a write that a full disk took back is not acknowledged`(seed: UInt64) {
        #expect(lww(seed, seconds: 10).violations == [], "seed \(seed)")
    }

    /// A disk without room for the manifest poisoned the engine until the node was restarted.
    @Test func `a disk that was full for a while takes writes again`() {
        #expect(lww(8, seconds: 5).violations == [])
    }

    /// A node whose disk was gone forgot what it had minted since, and minted it again.
    @Test func `a node without its disk gives no dot to two values`() {
        let report = report(4, seconds: 10) {
            $0.faults = [.wipe, .rollback]
            $0.mode = .siblings
        }
        #expect(report.violations == [])
    }

    /// A node without its disk started twice, and passed the number of the life that it lost.
    @Test func `a node that starts twice without its disk does not take it for whole`() {
        let report = report(147, seconds: 20) {
            $0.faults = [.crash, .wipe, .rollback]
            $0.mode = .lww
        }
        #expect(report.violations == [])
    }

    /// A node whose clock had been ahead began there again, from an older copy of its disk.
    @Test func `a node that was ahead in an earlier life gives no stamp twice`() {
        #expect(report(700_967, seconds: 60) { $0.mode = .lww }.violations == [])
    }

    /// A coordinator that held nothing visible took that for all its writer had seen.
    @Test func `no value stands beside the one that replaced it`() {
        let report = report(39, seconds: 20) {
            $0.faults = [.wipe, .rollback, .partition, .oneWay, .reset]
            $0.mode = .siblings
        }
        #expect(report.violations == [])
    }

    /// A delta told that an entry is void, but not which one counts in its place.
    @Test func `no increment is missing between the copies of one operation`() {
        #expect(report(101_047, seconds: 60) { $0.mode = .counter }.violations == [])
    }

    /// A write at a local level was handed to a replica of another datacenter.
    @Test(arguments: [ConflictMode.siblings, .counter, .set])
    func `a local level is met in the datacenter of its client`(mode: ConflictMode) {
        for seed: UInt64 in mode == .siblings ? [94, 122] : [71, 117] {
            let report = report(seed, seconds: 20) {
                $0.mode = mode
                $0.faults = Self.faults
            }
            #expect(report.violations == [], "seed \(seed)")
        }
    }
}

@Suite struct `Fault kinds` {
    @Test func `read what they print, and refuse unknown names`() {
        #expect(FaultKinds("all") == .all)
        #expect(FaultKinds("none") == FaultKinds([]))
        #expect(FaultKinds("crash,oneway")?.description == "crash,oneway")
        #expect(FaultKinds("crash,quake") == nil)
        #expect(FaultKinds("") == nil)
    }
}
