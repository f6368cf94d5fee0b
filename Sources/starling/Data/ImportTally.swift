import StarlingClient
import Synchronization

/// What became of an import's records so far; prints each outcome when it is known.
final class ImportTally: Sendable {
    private struct Counts {
        var done = 0
        var refused = 0
        var unknown = 0
        var malformed = 0
        /// Failures that were told on standard error; the rest are only counted.
        var told = 0
    }

    /// Failures that are told one by one where outcomes are not printed anyway.
    private static let maximumTold = 20

    private let format: OutputFormat
    private let progress: ProgressReporter
    private let counts = Mutex(Counts())

    /// A tally without records.
    init(format: OutputFormat, progress: ProgressReporter) {
        self.format = format
        self.progress = progress
    }

    /// Whether any record was refused, malformed or of unknown outcome.
    var hasFailed: Bool {
        counts.withLock { $0.refused + $0.unknown + $0.malformed > 0 }
    }

    /// A record was written.
    func done(line: Int, _ key: [UInt8], _ result: PutResult) {
        counts.withLock { $0.done += 1 }
        progress.add()
        print(line, key, "done", [("version", .string(result.version.description))])
    }

    /// A record was not written, or may not have been.
    func failed(line: Int, _ key: [UInt8], _ error: StarlingError, isUnknown: Bool) {
        counts.withLock { counts in
            if isUnknown { counts.unknown += 1 } else { counts.refused += 1 }
        }
        progress.add()
        let failure = CommandError(error)
        print(
            line,
            key,
            isUnknown ? "unknown" : "refused",
            [("error", .string(failure.code)), ("message", .string(failure.message))]
        )
        tell("line \(line): \(failure.code): \(failure.message)")
    }

    /// A line is no record.
    func malformed(line: Int, _ problem: String) {
        counts.withLock { $0.malformed += 1 }
        if format == .jsonl {
            Console.print(
                JSONValue.object([
                    ("line", .integer(line)), ("key", .null), ("outcome", .string("refused")),
                    ("version", .null), ("error", .string("invalid")),
                    ("message", .string(problem)),
                ]).text
            )
        }
        tell("line \(line) is malformed: \(problem)")
    }

    private func print(
        _ line: Int,
        _ key: [UInt8],
        _ outcome: String,
        _ more: [JSONValue.Member]
    ) {
        guard format == .jsonl else { return }
        var members: [JSONValue.Member] = [
            ("line", .integer(line)), ("key", .bytes(key)), ("outcome", .string(outcome)),
        ]
        if outcome != "done" { members.append(("version", .null)) }
        Console.print(JSONValue.object(members + more).text)
    }

    private func tell(_ text: String) {
        let isTold = counts.withLock { counts in
            counts.told += 1
            return counts.told <= Self.maximumTold
        }
        if isTold { Console.note(text) }
    }

    /// Prints the summary.
    ///
    /// - Throws: the exit code, where not all is done.
    func conclude(elapsed: Double, stopped: Bool) throws {
        let counts = counts.withLock { $0 }
        let rate = elapsed > 0 ? Int(Double(counts.done) / elapsed) : 0
        Console.note(
            "\(counts.done) done, \(counts.refused) refused, \(counts.unknown) unknown, "
                + "\(counts.malformed) malformed, in \(Figures.fixed(elapsed, 1)) s (\(rate) /s)"
        )
        if format == .json {
            Console.print(
                JSONValue.object([
                    ("done", .integer(counts.done)), ("refused", .integer(counts.refused)),
                    ("unknown", .integer(counts.unknown)),
                    ("malformed", .integer(counts.malformed)),
                    ("elapsed_s", .number(Figures.rounded(elapsed, 3))),
                ]).text
            )
        }
        if hasFailed, stopped {
            Console.note("stopped at the first failure; --keep-going would have gone on.")
        }
        let failure: CommandError.Exit? =
            counts.unknown > 0
            ? .unknownOutcome : counts.refused + counts.malformed > 0 ? .failed : nil
        if let failure { throw CommandExit(failure) }
    }
}
