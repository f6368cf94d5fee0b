import Foundation
import Synchronization

/// Standard output, for data, and standard error, for notes and progress.
enum Console {
    private static let lock = Mutex(())

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    /// Whether standard error is a terminal.
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    /// Whether standard input is a terminal.
    static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Writes text to standard output at once.
    static func write(_ text: String) {
        write(Array(text.utf8), to: STDOUT_FILENO)
    }

    /// Writes bytes to standard output at once.
    static func write(_ bytes: [UInt8]) {
        write(bytes, to: STDOUT_FILENO)
    }

    /// Writes a line to standard output at once.
    static func print(_ line: String) {
        write(line + "\n")
    }

    /// Writes a line to standard error.
    static func note(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// Writes text to standard error as it is.
    static func noteRaw(_ text: String) {
        write(Array(text.utf8), to: STDERR_FILENO)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        lock.withLock { _ in
            var offset = 0
            while offset < bytes.count {
                let count = unsafe bytes.withUnsafeBytes { pointer in
                    unsafe Foundation.write(
                        descriptor,
                        pointer.baseAddress?.advanced(by: offset),
                        bytes.count - offset
                    )
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    // A reader that went away wants no more; anything else cannot be told.
                    if errno == EPIPE, descriptor == STDOUT_FILENO { exit(0) }
                    return
                }
                offset += count
            }
        }
    }
}
