import ArgumentParser
import Foundation
import StorageEngine

/// Tells by how much a full compaction slows reads.
@main
struct CompactionLatency: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compaction-latency",
        abstract: "Compares read latency during a throttled full compaction with that without.",
        discussion: """
            Each round overwrites a part of the keys, reads for a while without compaction, and \
            then while all tables are compacted into one. Reads begin at a fixed rate; a read that \
            has to wait for the one before it is measured from when it should have begun.
            """
    )

    @Option(help: "Keys, of 16 B with values of 256 B.")
    var keys = 1_000_000

    @Option(help: "Pairs of measurements.")
    var rounds = 5

    @Option(help: "Reads that begin in a second.")
    var rate = 10_000

    @Option(help: "Seconds of reads without compaction.")
    var seconds = 10.0

    @Flag(help: "Lets compaction go as fast as it can.")
    var unthrottled = false

    @Option(help: "Where the data is to lie; by default beside the built program.")
    var directory: String?

    func validate() throws {
        guard (1000...100_000_000).contains(keys), rounds >= 1, seconds >= 1,
            (100...1_000_000).contains(rate)
        else {
            throw ValidationError("a number is out of range")
        }
    }

    func run() throws {
        let parent =
            directory.map { URL(filePath: $0) }
            ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let data = parent.appending(path: "compaction-latency-data")
        try? FileManager.default.removeItem(at: data)
        defer { try? FileManager.default.removeItem(at: data) }
        let store = try SampleStore(directory: data.path, keys: UInt64(keys))
        try store.write(share: 1)
        var ratios: [Double] = []
        print("round  quiet p50 / p99 / p99.9 µs  compacting p50 / p99 / p99.9 µs  seconds  ratio")
        for round in 1...rounds {
            try store.write(share: 4)
            let quiet = try measureQuiet(store)
            let (busy, duration) = try measureCompaction(store, quiet: quiet)
            let ratio = busy.percentile(0.999) / quiet.percentile(0.999)
            ratios.append(ratio)
            print("\(round)  \(quiet)  \(busy)  \(text(duration))  \(text(ratio))")
        }
        try store.engine.close()
        let middle = ratios.sorted()[ratios.count / 2]
        let verdict = middle <= 3 ? "reached" : "not reached"
        print("median ratio of p99.9: \(text(middle)); goal: at most 3: \(verdict)")
    }

    private func measureQuiet(_ store: SampleStore) throws -> Latencies {
        let reads = OpenLoopReads(store: store, rate: rate)
        reads.start()
        Thread.sleep(forTimeInterval: seconds)
        return try reads.finish()
    }

    private func measureCompaction(
        _ store: SampleStore,
        quiet: Latencies
    ) throws -> (Latencies, seconds: Double) {
        let reads = OpenLoopReads(store: store, rate: rate)
        reads.start()
        var pacer = Pacer(reads: reads, quietLatency: quiet.percentile(0.99))
        let start = ContinuousClock.now
        try store.engine.compact(tree: SampleStore.tree) { progress in
            if !unthrottled {
                pacer.wait(for: progress.bytes, backlog: progress.bytesInAll - progress.bytesDone)
            }
            return .goOn
        }
        return (try reads.finish(), (ContinuousClock.now - start) / .seconds(1))
    }

    private func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
