/// Finds the name that a mistyped one was probably meant to be.
public enum NearestName {
    /// The candidate with the fewest edits, if they are at most a third of its length (or one);
    /// the first of equals.
    public static func of(_ name: String, among candidates: [String]) -> String? {
        guard let best = closest(to: name, among: candidates),
            distance(name, best) <= max(1, best.utf8.count / 3)
        else { return nil }
        return best
    }

    /// The candidate with the fewest edits, however many; the first of equals.
    public static func closest(to name: String, among candidates: [String]) -> String? {
        candidates.map { (name: $0, edits: distance(name, $0)) }
            .min { $0.edits < $1.edits }?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two names, whatever
    /// their case (Damerau and Levenshtein, in the form that edits no part twice).
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.lowercased().utf8.prefix(64))
        let right = Array(right.lowercased().utf8.prefix(64))
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var edits = min(
                    last[column] + (left[row] == right[column] ? 0 : 1),
                    last[column + 1] + 1,
                    current[column] + 1
                )
                if row > 0, column > 0, left[row] == right[column - 1],
                    left[row - 1] == right[column]
                {
                    edits = min(edits, beforeLast[column - 1] + 1)
                }
                current.append(edits)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
