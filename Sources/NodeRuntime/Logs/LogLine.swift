package import ClusterPrimitives
package import Logging

/// One line of the log, before it is text.
package struct LogLine {
    /// When.
    package var time: WallClockTime
    /// How grave.
    package var level: Logger.Level
    /// The logger's label.
    package var label: String
    /// What happened; the same words each time.
    package var message: String
    /// The values, ordered by key.
    package var metadata: [(key: String, value: String)]

    /// A line of these parts, with its metadata put in order.
    package init(
        time: WallClockTime,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata
    ) {
        self.time = time
        self.level = level
        self.label = label
        self.message = message
        self.metadata = metadata.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
    }

    /// The line for people: `2026-11-22T10:02:11.120Z INFO  node started node=dc1-n1`.
    ///
    /// Values with spaces, quotes or control characters are quoted and escaped, so that a value
    /// that a peer chose can neither end the line nor pass for another key.
    package var text: String {
        var text = "\(time) \(Self.padded(level)) \(message)"
        for (key, value) in metadata {
            text += " \(key)=\(Self.needsQuotes(value) ? Self.quoted(value) : value)"
        }
        return text
    }

    /// The line as one JSON object.
    package var json: String {
        var text = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\""
        text += ",\"logger\":\(Self.quoted(label)),\"message\":\(Self.quoted(message))"
        for (key, value) in metadata {
            text += ",\(Self.quoted(key)):\(Self.quoted(value))"
        }
        return text + "}"
    }

    private static func padded(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO "
        case .notice: "NOTE "
        case .warning: "WARN "
        case .error: "ERROR"
        case .critical: "FATAL"
        }
    }

    private static func needsQuotes(_ value: String) -> Bool {
        value.isEmpty
            || value.unicodeScalars.contains {
                $0.value <= 32 || $0.value == 127 || $0 == "\"" || $0 == "\\" || $0 == "="
                    || (0x80...0x9F).contains($0.value)
            }
    }

    /// A JSON string; C1 control characters are escaped too, since terminals obey them.
    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 32 || (0x7F...0x9F).contains(scalar.value) {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }
}
