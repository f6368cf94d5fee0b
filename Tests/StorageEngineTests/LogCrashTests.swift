import ClusterPrimitives
import FileSystems
import Testing

@testable import StorageEngine

@Suite struct `The log and crashes` {
    @Test(arguments: 0..<24 as Range<UInt64>)
    func `after a crash at any call nothing acknowledged is lost and nothing comes back`(
        seed: UInt64
    ) throws {
        let workload = try LogWorkload(seed: seed, spares: Int(seed % 3))
        workload.watch()
        for _ in 0..<8 {
            for _ in 0..<12 {
                if workload.random.chance(1, in: 4) { workload.keepUp() } else { workload.write() }
                if workload.random.chance(1, in: 10) { workload.fillDisk() }
            }
            try workload.restart(crashing: workload.random.chance(2, in: 3))
        }
        let complaints = workload.crashes.found
        #expect(complaints.isEmpty, "seed \(seed): \(complaints.prefix(3))")
        #expect(workload.crashes.count > 100, "seed \(seed)")
    }

    @Test func `a disk that lies about syncs is seen to lose what was acknowledged`() throws {
        var lost = 0
        for seed in 0..<20 as Range<UInt64> {
            let workload = try LogWorkload(seed: seed, spares: 1)
            workload.faults.add(FaultRule(.sync, .lyingSync))
            workload.watch()
            for _ in 0..<12 { workload.write() }
            lost += workload.crashes.found.contains { $0.contains("lost") } ? 1 : 0
        }
        #expect(lost == 20)
    }
}
