import Foundation
import Testing

@Suite struct `The engine against a dictionary` {
    private static func number(_ variable: String) -> Int? {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) }
    }

    /// Operations of all seeds together; more when the environment asks for them.
    private static let operations = number("STARLING_MODEL_OPERATIONS") ?? 20_000
    private static let firstSeed = UInt64(number("STARLING_MODEL_FIRST_SEED") ?? 0)
    private static let seeds = number("STARLING_MODEL_SEEDS") ?? 20

    @Test(arguments: firstSeed..<firstSeed + UInt64(seeds))
    func `holds what was written through flushes, compactions, reopenings and crashes`(
        seed: UInt64
    ) throws {
        var drive = try EngineDrive(seed: seed)
        do {
            while drive.operations < Self.operations / Self.seeds, !drive.hasFailed {
                try drive.step()
            }
            if !drive.hasFailed { try drive.check() }
        } catch {
            Issue.record("seed \(seed), operation \(drive.operations): \(error)")
        }
        if Self.operations > 1_000_000 {
            print(
                "seed \(seed): \(drive.operations) operations, \(drive.counts.sorted { $0 < $1 })"
            )
        }
    }
}
