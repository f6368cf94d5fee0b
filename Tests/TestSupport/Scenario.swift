import Foundation
import Synchronization

/// One block of a scenario file: a command, `----`, and what it is expected to print.
///
/// With `REWRITE=1` in the environment a mismatch rewrites the file; read the difference before
/// committing it.
public struct Scenario: Sendable, CustomStringConvertible {
    /// The file it comes from.
    public let file: String
    /// Its place in the file.
    public let index: Int
    /// The lines above `----`.
    public let command: [String]
    /// The lines below it.
    public let expected: String

    /// File name and command, for a failing test's name.
    public var description: String {
        "\(file.split(separator: "/").last ?? ""): \(command.joined(separator: " / "))"
    }

    /// All scenarios of a file beside the test that asks, in `Scenarios/NAME.txt`.
    public static func all(in name: String, beside path: String = #filePath) throws -> [Scenario] {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let file = folder.joined(separator: "/") + "/Scenarios/\(name).txt"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        return blocks(of: text).enumerated().map { index, block in
            Scenario(
                file: file,
                index: index,
                command: block.command,
                expected: block.expected
            )
        }
    }

    private static func blocks(of text: String) -> [(command: [String], expected: String)] {
        text.components(separatedBy: "\n\n").compactMap { block in
            let lines = block.components(separatedBy: "\n").filter { !$0.hasPrefix("#") }
            guard let cut = lines.firstIndex(of: "----") else { return nil }
            let command = lines[..<cut].filter { !$0.isEmpty }
            let expected = lines[(cut + 1)...].filter { !$0.isEmpty }
            return (Array(command), expected.joined(separator: "\n"))
        }
    }

    /// Whether `actual` is what the scenario expects; rewrites the file instead where asked to.
    public func matches(_ actual: String) throws -> Bool {
        if actual == expected { return true }
        guard ProcessInfo.processInfo.environment["REWRITE"] == "1" else { return false }
        return try Self.rewriting.withLock { _ in try rewrite(actual) }
    }

    /// Scenarios of one file are tested, and so rewritten, at one time.
    private static let rewriting = Mutex(())

    private func rewrite(_ actual: String) throws -> Bool {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let before = (command + ["----"]).joined(separator: "\n")
        guard let start = text.range(of: before) else { return false }
        let rest = text[start.upperBound...]
        let end = rest.range(of: "\n\n")?.lowerBound ?? rest.endIndex
        let isLast = end == rest.endIndex
        let updated =
            text[..<start.upperBound] + "\n" + actual + (isLast ? "\n" : "") + rest[end...]
        try String(updated).write(toFile: file, atomically: true, encoding: .utf8)
        return true
    }
}
