import Foundation
import Glibc

/// This program once more, as a process that may be killed.
final class Child {
    private let process = Process()
    private let errors: String

    /// Starts a command; its error output goes to a file.
    init(_ arguments: [String], errors: String) throws {
        self.errors = errors
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = arguments
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: errors)
        process.standardInput = FileHandle.nullDevice
    }

    /// Runs it to its end and takes what it prints.
    func run() throws -> (status: Int32, output: String) {
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(),
            as: UTF8.self
        )
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    func start() throws { try process.run() }

    /// What it has printed to its error output.
    var errorText: String { String(decoding: readFile(errors), as: UTF8.self) }

    /// Waits until a journal has grown to a size.
    ///
    /// - Throws: if the child ends by itself, if nothing is written for a minute, and if the
    ///   program is interrupted; the child is killed then.
    func wait(until journal: String, hasGrownTo size: Int) throws {
        var last = -1
        var quiet = 0
        while true {
            let now = Journal.size(of: journal)
            if now >= size { return }
            quiet = now == last ? quiet + 1 : 0
            last = now
            let reason: String? =
                if isInterrupted {
                    "interrupted"
                } else if !process.isRunning {
                    "write ended by itself: \(errorText)"
                } else if quiet > 60_000 {
                    "write has written nothing for a minute"
                } else {
                    nil
                }
            if let reason {
                kill()
                throw TortureError(reason)
            }
            usleep(1000)
        }
    }

    /// Ends it by SIGKILL and waits until it is gone.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}
