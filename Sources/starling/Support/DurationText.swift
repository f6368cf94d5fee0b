import ArgumentParser
import ClusterPrimitives

/// A length of time as people write it: `500ms`, `2s`, `1h`, `7d`.
struct DurationText: ExpressibleByArgument, Equatable {
    /// The length; at most 100 years.
    var duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    /// Reads a number and its unit; nil when it is not of that form.
    init?(_ text: String) {
        let units: [(suffix: String, milliseconds: Double)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
        let figures = text.dropLast(unit.suffix.count)
        guard !figures.isEmpty, figures.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }),
            let number = Double(figures), number.isFinite
        else { return nil }
        let milliseconds = number * unit.milliseconds
        guard milliseconds <= 100 * 365.25 * 86_400_000 else { return nil }
        duration = .milliseconds(Int64(milliseconds.rounded()))
    }

    /// For the argument parser.
    init?(argument: String) {
        self.init(argument)
    }

    /// As it is shown as a default: `2s`.
    var defaultValueDescription: String { Self.text(duration) }

    /// A length in the largest unit that leaves no rest: `1500ms`, `2s`, `7d`.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        let units: [(String, Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
        ]
        for (suffix, size) in units where milliseconds >= size && milliseconds % size == 0 {
            return "\(milliseconds / size)\(suffix)"
        }
        return "\(milliseconds)ms"
    }

    /// A length for people, two units at most: `4 min 12 s`.
    static func approximate(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: return "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: return "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
        }
    }
}
