import ArgumentParser
import Foundation
import Partitioning
import StarlingClient

/// The command `starling export`.
struct ExportCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write all records of a keyspace to a file of JSON lines, in token order.",
        discussion: """
            Each line is {"key": …, "value": …}, as 'starling import' reads it. The file appears
            under its name only when it is complete.

            Where siblings are kept, each value has a line of its own: importing them makes siblings
            again, beside what is there. Counters, sets and maps are not exported, since importing
            a sum would not give the same counter; 'starling scan KEYSPACE -o jsonl' prints them.

            EXAMPLES:
              starling export demo demo.jsonl
              starling export demo - -c QUORUM | gzip > demo.jsonl.gz
            """
    )

    @Argument(help: "The keyspace to read.")
    var keyspace: String

    @Argument(help: "The file, or - for standard output.")
    var file: String

    @Flag(help: "Tell how long each page took.")
    var trace = false

    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let mode = try await client.keyspace(keyspace).0.mode
        guard mode == .lww || mode == .siblings else {
            throw CommandError.usage(
                "the mode of keyspace '\(keyspace)' is \(mode), of which no records can be exported.",
                advice: "Print what it holds with 'starling scan \(keyspace) -o jsonl'."
            )
        }
        let sink = try RecordSink(file)
        let progress = ProgressReporter("records")
        var position: ScanPosition?
        var count = 0
        let options = ScanOptions(consistency: consistency.consistency)
        do {
            repeat {
                let start = ContinuousClock.now
                let page = try await client.scan(keyspace, from: position, options: options)
                if trace {
                    let elapsed = (ContinuousClock.now - start) / .milliseconds(1)
                    Console.note("page of \(page.entries.count) entries in \(Int(elapsed)) ms")
                }
                var lines = ""
                var records = 0
                for entry in page.entries {
                    for value in entry.contents.values {
                        lines += DataRecord(key: entry.key, value: value.bytes).line + "\n"
                        records += 1
                    }
                }
                try sink.write(lines)
                count += records
                progress.add(Int64(records))
                position = page.next
            } while position != nil
            try sink.finish()
        } catch {
            progress.finish()
            sink.abandon()
            throw error
        }
        progress.finish()
        Console.note("\(count) records in \(Figures.fixed(progress.elapsed, 1)) s")
        if output.isJSON, file != "-" {
            Console.print(
                JSONValue.object([
                    ("keyspace", .string(keyspace)), ("records", .integer(count)),
                    ("elapsed_s", .number(Figures.rounded(progress.elapsed, 3))),
                ]).text
            )
        }
    }
}

/// Where an export goes: standard output, or a file that gets its name at the end.
private final class RecordSink {
    private let path: String
    private let handle: FileHandle?

    private var temporary: String { path + ".partial" }

    init(_ path: String) throws {
        self.path = path
        guard path != "-" else {
            handle = nil
            return
        }
        let partial = path + ".partial"
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let file = FileHandle(forWritingAtPath: partial)
        else {
            throw CommandError.usage(
                "cannot write '\(partial)'.",
                advice: "Check that the directory exists and can be written."
            )
        }
        handle = file
    }

    func write(_ lines: String) throws {
        guard let handle else {
            Console.write(lines)
            return
        }
        do {
            try handle.write(contentsOf: Data(lines.utf8))
        } catch {
            throw CommandError("internal", "cannot write '\(temporary)'.", exit: .failed)
        }
    }

    func finish() throws {
        guard let handle else { return }
        do {
            try handle.synchronize()
            try handle.close()
        } catch {
            throw CommandError("internal", "cannot write '\(temporary)'.", exit: .failed)
        }
        guard rename(temporary, path) == 0 else {
            throw CommandError("internal", "cannot rename '\(temporary)'.", exit: .failed)
        }
    }

    /// Takes the unfinished file away.
    func abandon() {
        guard handle != nil else { return }
        try? FileManager.default.removeItem(atPath: temporary)
    }
}
