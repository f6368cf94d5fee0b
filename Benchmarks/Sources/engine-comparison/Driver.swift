import Foundation

/// The engines that are compared.
enum EngineName: String, CaseIterable, Codable {
    case starling
    case rocksdb
    case leveldb

    /// Whether it has zlib; LevelDB 1.23 has only Snappy.
    var knowsZlib: Bool { self != .leveldb }
    /// Whether it tells the memory of its memtables' index.
    var tellsIndexMemory: Bool { self == .starling }
}

/// The program that lends one engine to the workload.
struct Driver {
    /// A driver that did not do its work; the reason is on standard error.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Where the programs lie that were built together with this one.
    static let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()

    private let program: URL

    init(_ engine: EngineName) {
        program = Self.programs.appending(path: "\(engine.rawValue)-driver")
    }

    /// The engine's name and version.
    func version() throws -> String {
        try output(of: ["version"]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The figures of one step on one kind of data.
    func run(_ step: Step, on data: Plan.Data, in directory: URL, seconds: Double) throws
        -> [String: Double]
    {
        let cache =
            switch step.cache {
            case .everything: 2 * data.size + 64 << 20
            case .little: 8 << 20
            case .usual: 64 << 20
            }
        let numbers = [
            ("keys", data.keys), ("value-size", data.valueSize), ("threads", step.threads),
            ("milliseconds", Int(seconds * 1000)), ("memory", 64 << 20), ("cache", cache),
            ("compresses", data.isCompressed ? 1 : 0), ("length", step.length),
            ("checks-blocks", step.checksBlocks ? 1 : 0),
        ]
        let arguments =
            [step.phase, "--directory", directory.path]
            + numbers.flatMap { ["--\($0)", "\($1)"] }
        var figures: [String: Double] = [:]
        for line in try output(of: arguments).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = Double(parts[1]) else {
                throw Failure(description: "\(program.lastPathComponent) printed '\(line)'")
            }
            figures[String(parts[0])] = value
        }
        return figures
    }

    private func output(of arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        // A tracer of a crash would hold the pipe open behind it.
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["SWIFT_BACKTRACE": "enable=no"]
        ) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: "\(program.lastPathComponent) ended with "
                    + "\(process.terminationStatus); its last words are above the table"
            )
        }
        return String(decoding: output, as: UTF8.self)
    }
}
