/// Swift source as lines of code: comments and the contents of string literals are blanked.
///
/// Rules look at these lines, so that a comment may speak of what the code must not do.
struct SourceText {
    /// The lines with only code in them, first line first.
    private(set) var code: [String] = []
    /// The lines as they are.
    let lines: [String]

    private enum Region: Equatable {
        case code
        case blockComment(depth: Int)
        case string(quotes: Int, hashes: Int)
    }

    /// Takes a file apart.
    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var region = Region.code
        for line in lines {
            code.append(Self.code(of: Array(line.utf8), region: &region))
        }
    }

    private static let quote = UInt8(ascii: "\"")
    private static let hash = UInt8(ascii: "#")
    private static let slash = UInt8(ascii: "/")
    private static let star = UInt8(ascii: "*")
    private static let backslash = UInt8(ascii: "\\")

    private static func code(of line: [UInt8], region: inout Region) -> String {
        var result: [UInt8] = []
        var index = 0
        func byte(_ offset: Int) -> UInt8 {
            index + offset < line.count ? line[index + offset] : 0
        }
        func run(of wanted: UInt8, from offset: Int) -> Int {
            var count = 0
            while byte(offset + count) == wanted { count += 1 }
            return count
        }
        scan: while index < line.count {
            switch region {
            case .code:
                if byte(0) == slash, byte(1) == slash { break scan }
                if byte(0) == slash, byte(1) == star {
                    region = .blockComment(depth: 1)
                    index += 2
                    continue
                }
                let hashes = run(of: hash, from: 0)
                if byte(hashes) == quote {
                    let quotes = run(of: quote, from: hashes) >= 3 ? 3 : 1
                    region = .string(quotes: quotes, hashes: hashes)
                    index += hashes + quotes
                    result += [quote, quote]
                } else {
                    result += line[index..<(index + max(1, hashes))]
                    index += max(1, hashes)
                }
            case .blockComment(let depth):
                if byte(0) == star, byte(1) == slash {
                    region = depth == 1 ? .code : .blockComment(depth: depth - 1)
                    index += 2
                } else if byte(0) == slash, byte(1) == star {
                    region = .blockComment(depth: depth + 1)
                    index += 2
                } else {
                    index += 1
                }
            case .string(let quotes, let hashes):
                if byte(0) == backslash, run(of: hash, from: 1) >= hashes {
                    index += 2 + hashes
                } else if run(of: quote, from: 0) >= quotes,
                    run(of: hash, from: quotes) >= hashes
                {
                    region = .code
                    index += quotes + hashes
                } else {
                    index += 1
                }
            }
        }
        // A literal of one line cannot go on in the next.
        if case .string(quotes: 1, _) = region { region = .code }
        return String(decoding: result, as: UTF8.self)
    }
}

extension Repository {
    /// All Swift sources of the modules, taken apart once.
    static let sources: [String: SourceText] = Dictionary(
        uniqueKeysWithValues: files(below: "Sources", suffix: ".swift").map {
            ($0, SourceText(text($0) ?? ""))
        }
    )

    /// The Swift sources of a module with their paths, sorted by path.
    static func sources(of module: String) -> [(file: String, source: SourceText)] {
        sources.filter { $0.key.hasPrefix("Sources/\(module)/") }
            .sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
    }

    /// The lines of any text file.
    static func lines(of file: String) -> [String] {
        (text(file) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }
}
