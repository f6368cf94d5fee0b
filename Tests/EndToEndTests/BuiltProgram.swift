import Foundation

/// The `starling` program that was built together with these tests.
enum BuiltProgram {
    /// What a run of the program left.
    struct Outcome: CustomStringConvertible {
        /// The arguments it was given.
        let arguments: [String]
        /// The exit code.
        let exit: Int32
        /// Everything on standard output.
        let output: String
        /// Everything on standard error.
        let notes: String

        /// For the message of a failed expectation.
        var description: String {
            "starling \(arguments.joined(separator: " ")) → \(exit)\n\(output)\(notes)"
        }

        /// The output as a JSON object; empty when it is none.
        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
        }

        /// The first value's text in the answer of `get -o json`.
        var value: String? {
            (json["values"] as? [[String: Any]])?.first?["value"] as? String
        }

        /// The `error` object of a failed command with `-o json`.
        var error: [String: Any] { json["error"] as? [String: Any] ?? [:] }
    }

    /// The program lies beside the bundle of the tests, which is the running program.
    static let path: String = {
        let link = "/proc/self/exe"
        let runner =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: link))
            ?? CommandLine.arguments[0]
        let candidates = [runner] + Bundle.allBundles.map(\.bundlePath)
        return candidates.map { candidate in
            URL(filePath: candidate).deletingLastPathComponent().appending(path: "starling").path
        }.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "starling"
    }()

    /// Runs the program to its end.
    ///
    /// Its output goes to files, because the nodes that `dev --detach` leaves behind must not keep
    /// a pipe open.
    static func run(
        _ arguments: [String],
        input: String = "",
        environment: [String: String] = [:],
        in folder: URL
    ) async throws -> Outcome {
        let place = folder.appending(path: "run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        func file(_ name: String, _ text: String) throws -> FileHandle {
            let url = place.appending(path: name)
            try Data(text.utf8).write(to: url)
            return try FileHandle(forUpdating: url)
        }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder.path]
            .merging(environment) { $1 }
        let (output, notes) = (try file("output", ""), try file("notes", ""))
        process.standardInput = try file("input", input)
        process.standardOutput = output
        process.standardError = notes
        let exit = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: place.appending(path: name)), as: UTF8.self)
        }
        return Outcome(
            arguments: arguments,
            exit: exit,
            output: try text("output"),
            notes: try text("notes")
        )
    }
}
