import Foundation

/// The machine, as far as it explains the figures.
struct Machine: Encodable {
    let processor: String
    let processorCount: Int
    let memoryInMiB: Int
    let kernel: String

    init() {
        let line = Self.text("/proc/cpuinfo").split(separator: "\n")
            .first { $0.hasPrefix("model name") }
        processor =
            line?.split(separator: ":").last.map {
                $0.trimmingCharacters(in: .whitespaces)
            } ?? "unknown processor"
        processorCount = ProcessInfo.processInfo.activeProcessorCount
        memoryInMiB = Int(ProcessInfo.processInfo.physicalMemory >> 20)
        kernel = Self.text("/proc/sys/kernel/osrelease")
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Processes that ran or waited to run, the mean of the last minute.
    static var load: Double {
        text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}
