/// Finds the name that a mistyped one was probably meant to be.
package enum NearestName {
    /// The candidate with the fewest edits, if they are at most a third of its length (or one);
    /// the first of equals.
    package static func of(_ name: String, among candidates: [String]) -> String? {
        let typed = Array(name.lowercased().utf8.prefix(64))
        let scored = candidates.map { candidate in
            (candidate, distance(typed, Array(candidate.lowercased().utf8)))
        }
        guard let best = scored.min(by: { $0.1 < $1.1 }),
            best.1 <= max(1, best.0.utf8.count / 3)
        else { return nil }
        return best.0
    }

    /// Insertions, deletions and replacements between two names (Levenshtein).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
