import Foundation
import Glibc
import Synchronization

/// Why a command could not do its work; found losses are no errors.
struct TortureError: Error, CustomStringConvertible {
    /// What the program leaves with: 64 for a wrong call, 69 for what the machine lacks, else 2.
    let exitCode: Int32
    let description: String

    init(_ description: String, exitCode: Int32 = 2) {
        self.description = description
        self.exitCode = exitCode
    }

    /// A call to the system that failed, with `errno`.
    static func system(_ call: String, _ path: String) -> TortureError {
        TortureError("\(call) \(path): \(String(cString: unsafe strerror(errno)))")
    }
}

/// `--name value` and `--flag` of a command line.
struct Options {
    private var values: [String: String] = [:]

    /// Takes the words behind the command; `flags` have no value.
    init(_ words: ArraySlice<String>, known: Set<String>, flags: Set<String>) throws(TortureError) {
        var words = words
        while let word = words.popFirst() {
            let name = String(word.dropFirst(2))
            if flags.contains(name), word.hasPrefix("--") {
                values[name] = ""
            } else if known.contains(name), word.hasPrefix("--"), let value = words.popFirst() {
                values[name] = value
            } else {
                throw TortureError("\(word): no such option, or its value is missing", exitCode: 64)
            }
        }
    }

    func has(_ flag: String) -> Bool { values[flag] != nil }

    func text(_ name: String) -> String? { values[name] }

    func required(_ name: String) throws(TortureError) -> String {
        guard let value = values[name] else { throw TortureError("give --\(name)", exitCode: 64) }
        return value
    }

    /// A number of a range, or the default.
    func number(
        _ name: String,
        in range: ClosedRange<Int>,
        default fallback: Int
    ) throws(TortureError) -> Int {
        guard let text = values[name] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw TortureError(
                "--\(name) \(text): give a number from \(range.lowerBound) to \(range.upperBound)",
                exitCode: 64
            )
        }
        return value
    }

    /// The seed, drawn if none is given.
    func seed() throws(TortureError) -> UInt64 {
        guard let text = values["seed"] else { return UInt64.random(in: 1..<1 << 32) }
        guard let seed = UInt64(text) else {
            throw TortureError("--seed \(text): give a number", exitCode: 64)
        }
        return seed
    }
}

/// All bytes of a file; none if it cannot be read.
func readFile(_ path: String) -> [UInt8] {
    FileManager.default.contents(atPath: path).map(Array.init) ?? []
}

/// Writes a line at once, so that it stands in its place among those of the children.
func report(_ line: String) {
    print(line)
    _ = fflush(nil)
}

private let wasInterrupted = Atomic<Bool>(false)

/// Whether somebody asked the program to stop; long commands look at it and clean up.
var isInterrupted: Bool { wasInterrupted.load(ordering: .relaxed) }

/// Makes Ctrl-C and `kill` ask instead of ending the program.
func watchInterrupts() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
        signal(number) { _ in wasInterrupted.store(true, ordering: .relaxed) }
    }
}
