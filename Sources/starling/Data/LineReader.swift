import Dispatch
import Foundation

/// Reads a file or standard input line by line, in bounded memory, off the tasks' threads.
final class LineReader {
    /// A line, or what is wrong with it.
    enum Line {
        /// Its bytes, without the newline.
        case bytes([UInt8])
        /// It is longer than any record can be; the rest of it was skipped.
        case tooLong
    }

    /// The longest line: the largest key and value, each byte escaped as `\u00xx`.
    static let maximumLength = 52 * 1024 * 1024
    private static let chunkSize = 256 * 1024

    private let file: FileHandle
    private let queue = DispatchQueue(label: "starling.lines")
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false

    /// Reads standard input for `-`, else the file of this name.
    ///
    /// - Throws: a usage error where the file cannot be read.
    init(_ path: String) throws {
        if path == "-" {
            file = .standardInput
        } else if let handle = FileHandle(forReadingAtPath: path) {
            file = handle
        } else {
            throw CommandError.usage(
                "cannot read '\(path)'.",
                advice: "Check the name and that the file can be read."
            )
        }
    }

    /// The next line; nil at the end, where an empty last line is no line.
    func next() async throws -> Line? {
        var searched = position
        var isSkipping = false
        while true {
            if let newline = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[position..<newline])
                position = newline + 1
                return isSkipping ? .tooLong : .bytes(line)
            }
            if isAtEnd {
                guard position < buffer.count || isSkipping else { return nil }
                let line = Array(buffer[position...])
                position = buffer.count
                return isSkipping ? .tooLong : .bytes(line)
            }
            if position > 0 {
                buffer.removeFirst(position)
                position = 0
            }
            if buffer.count > Self.maximumLength {
                isSkipping = true
                buffer.removeAll()
            }
            searched = buffer.count
            let chunk = try await read()
            if chunk.isEmpty { isAtEnd = true }
            buffer += chunk
        }
    }

    private func read() async throws -> [UInt8] {
        let descriptor = file.fileDescriptor
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                var chunk = [UInt8](repeating: 0, count: Self.chunkSize)
                var count = -1
                repeat {
                    count = unsafe chunk.withUnsafeMutableBytes { pointer in
                        unsafe Foundation.read(descriptor, pointer.baseAddress, Self.chunkSize)
                    }
                } while count < 0 && errno == EINTR
                if count < 0 {
                    continuation.resume(
                        throwing: CommandError("internal", "cannot read the input.", exit: .failed)
                    )
                } else {
                    continuation.resume(returning: Array(chunk.prefix(count)))
                }
            }
        }
    }
}
