import ClusterPrimitives
import Glibc
package import Logging
import Synchronization

/// Where a node's log lines go, in which form, and from which level on; shared by its loggers.
package final class LogOutput: Sendable {
    private let format: ServerConfiguration.LogFormat
    private let level: Mutex<Logger.Level>
    private let writer: @Sendable (String) -> Void

    /// An output.
    ///
    /// - Parameters:
    ///   - format: how lines look.
    ///   - level: the least level that is written.
    ///   - writer: takes each whole line with its end, from any thread; by default standard error.
    package init(
        format: ServerConfiguration.LogFormat,
        level: Logger.Level,
        writer: @escaping @Sendable (String) -> Void = LogOutput.writeToStandardError
    ) {
        self.format = format
        self.level = Mutex(level)
        self.writer = writer
    }

    /// The least level that is written; may change while the node runs.
    package var minimumLevel: Logger.Level {
        get { level.withLock { $0 } }
        set { level.withLock { $0 = newValue } }
    }

    /// A logger of this output.
    ///
    /// `minimumLevel`: a level of its own; nil follows the output's.
    package func logger(_ label: String, minimumLevel: Logger.Level? = nil) -> Logger {
        Logger(label: label) {
            var handler = LineLogHandler(label: $0, output: self)
            if let minimumLevel { handler.logLevel = minimumLevel }
            return handler
        }
    }

    func write(_ line: LogLine) {
        writer((format == .json ? line.json : line.text) + "\n")
    }

    /// Writes with one call a line, so that lines of several threads do not mix.
    @Sendable
    package static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var written = 0
            while written < bytes.count, let start = bytes.baseAddress {
                let count = Glibc.write(2, start + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                // A log that cannot be written must not stop the node.
                guard count > 0 else { return }
                written += count
            }
        }
    }
}

/// Hands a logger's events to its node's output.
struct LineLogHandler: LogHandler {
    let label: String
    let output: LogOutput
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? output.minimumLevel }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values = metadata
        if let own = event.metadata {
            values.merge(own) { _, new in new }
        }
        output.write(
            LogLine(
                time: SystemClock.wallTime,
                level: event.level,
                label: label,
                message: "\(event.message)",
                metadata: values
            )
        )
    }
}
