import ArgumentParser
import Foundation

/// How a command prints what it found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// Aligned columns, for people.
    case table
    /// One JSON value.
    case json
    /// One JSON value per record and line.
    case jsonl
    /// Columns between tabs, for scripts.
    case plain
}

extension OutputFormat {
    /// Whether JSON is asked for, also where the arguments are not understood.
    static func isJSONWanted(_ arguments: [String], _ environment: [String: String]) -> Bool {
        var format = environment[EnvironmentOptions.variable("output")]
        for (index, argument) in arguments.enumerated() {
            if argument == "--" { break }
            if argument == "-o" || argument == "--output" {
                if index + 1 < arguments.count { format = arguments[index + 1] }
            } else if argument.hasPrefix("--output=") {
                format = String(argument.dropFirst("--output=".count))
            } else if argument.hasPrefix("-o"), !argument.hasPrefix("--") {
                format = String(argument.dropFirst(2))
            }
        }
        return format == OutputFormat.json.rawValue || format == OutputFormat.jsonl.rawValue
    }
}

/// When text is coloured.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    /// On a terminal, unless `NO_COLOR` is set.
    case auto
    /// Always.
    case always
    /// Never.
    case never
}

/// The options about output that every command takes.
struct OutputOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("output")],
        help: "How to print: table on a terminal, plain (tab-separated) otherwise."
    )
    var output: OutputFormat?

    @Option(name: .customLong("color"), help: "When to use colour; NO_COLOR is respected.")
    var color = ColorChoice.auto

    /// The format, by default after where standard output goes.
    var format: OutputFormat { output ?? (Console.isTerminal ? .table : .plain) }

    /// Whether the format is one of JSON's.
    var isJSON: Bool { format == .json || format == .jsonl }

    /// Whether to colour what goes to standard output.
    var isColored: Bool {
        switch color {
        case .always: true
        case .never: false
        case .auto:
            Console.isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
        }
    }

    /// Text in a colour, where there is to be any.
    func colored(_ text: String, _ color: TextColor) -> String {
        isColored ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// The few colours in use, by what they mean.
enum TextColor: Int {
    case good = 32
    case warning = 33
    case bad = 31
    case faint = 2
    case strong = 1
}
