import ArgumentParser
import ClusterPrimitives
import Partitioning
import StarlingClient
import Synchronization

/// The command `starling import`.
struct ImportCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Write many records from a file of JSON lines.",
        discussion: """
            Each line is {"key": …, "value": …}; either may be {"base64": "…"}. With -o jsonl each
            record's outcome is printed as soon as it is known. A write whose outcome is unknown
            is repeated: same key, same value. Exit code: 0 all done, 4 any unknown, else 1.

            Where siblings are kept, each record is written beside what is there, and none is
            repeated, since that could make another sibling.

            EXAMPLES:
              starling import demo users.jsonl
              zcat dump.jsonl.gz | starling import demo - --rate 5000
              starling import demo users.jsonl --keep-going -o jsonl > outcomes.jsonl
            """
    )

    /// Writes at one time.
    private static let maximumInFlight = 256

    @Argument(help: "The keyspace to write to.")
    var keyspace: String

    @Argument(help: "The file, or - for standard input.")
    var file: String

    @Option(help: "At most so many records a second.")
    var rate: Int?

    @Flag(help: "Go on after malformed lines and refused records.")
    var keepGoing = false

    @Flag(help: "Tell what happened to each request, on standard error.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let rate, rate < 1 { throw ValidationError("--rate must be at least 1.") }
    }

    func execute(_ client: StarlingClient) async throws {
        let lines = try LineReader(file)
        let mode = try await client.keyspace(keyspace).0.mode
        let progress = ProgressReporter("records")
        let tally = ImportTally(format: output.format, progress: progress)
        let pace = rate.map { Duration.seconds(1) / $0 }
        let start = ContinuousClock.now
        var number = 0
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            var inFlight: Set<[UInt8]> = []
            while keepGoing || !tally.hasFailed, let line = try await lines.next() {
                // It may have failed while the line was waited for.
                guard keepGoing || !tally.hasFailed else { break }
                number += 1
                guard let record = record(line, number, tally) else { continue }
                if let pace {
                    try await Task.sleep(until: start + pace * (number - 1), clock: .continuous)
                }
                // Two writes of one key at one time could end in either order.
                while inFlight.count == Self.maximumInFlight || inFlight.contains(record.key),
                    let key = try await group.next()
                {
                    inFlight.remove(key)
                }
                let position = number
                group.addTask {
                    await write(
                        record,
                        at: position,
                        with: client,
                        repeats: mode == .lww ? Self.maximumRepeats : 0,
                        tally
                    )
                    return record.key
                }
                inFlight.insert(record.key)
            }
            for try await _ in group {}
        }
        progress.finish()
        try tally.conclude(elapsed: progress.elapsed, stopped: !keepGoing)
    }

    private func record(_ line: LineReader.Line, _ number: Int, _ tally: ImportTally) -> DataRecord?
    {
        switch line {
        case .tooLong:
            tally.malformed(line: number, "longer than any record can be")
        case .bytes(let bytes):
            if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return nil }
            do throws(DataRecord.Malformed) {
                return try DataRecord(line: bytes)
            } catch {
                tally.malformed(line: number, error.description)
            }
        }
        return nil
    }

    /// How often a write of unknown outcome is repeated beyond what the client library does.
    private static let maximumRepeats = 5

    private func write(
        _ record: DataRecord,
        at line: Int,
        with client: StarlingClient,
        repeats: Int,
        _ tally: ImportTally
    ) async {
        var options = WriteOptions(consistency: consistency.consistency, isTraced: trace)
        options.retriesUnknownOutcome = true
        var isUnknown = false
        for attempt in 0...repeats {
            do throws(StarlingError) {
                let result = try await client.put(
                    record.value,
                    for: record.key,
                    in: keyspace,
                    options: options
                )
                TraceText.note(result.trace)
                tally.done(line: line, record.key, result)
                return
            } catch {
                if error.written == .unknown { isUnknown = true }
                guard isUnknown, attempt < repeats else {
                    tally.failed(line: line, record.key, error, isUnknown: isUnknown)
                    return
                }
                // Cancellation only ends the pause.
                try? await Task.sleep(for: .milliseconds(100 << attempt))
            }
        }
    }
}
