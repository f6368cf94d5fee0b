/// One place that breaks a rule, with what to write there instead.
struct Finding: Comparable, CustomStringConvertible {
    /// The path from the root of the repository.
    var file: String
    /// Counted from 1; 0 when the finding is about the whole file.
    var line: Int
    /// What was found.
    var found: String
    /// Why it is not wanted, and what is.
    var advice: String

    var description: String {
        let place = line == 0 ? file : "\(file):\(line)"
        return "\(place): \(found): \(advice)"
    }

    static func < (left: Finding, right: Finding) -> Bool {
        (left.file, left.line, left.found) < (right.file, right.line, right.found)
    }
}

extension [Finding] {
    /// The findings as a list for people, a line each.
    var report: String {
        let lines = sorted().map { "  \($0)" }.joined(separator: "\n")
        return "\(count) to put right:\n\(lines)"
    }
}
