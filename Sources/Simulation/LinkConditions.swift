/// Which nodes can reach which, and how much longer than usual it takes.
struct LinkConditions {
    /// How many faults cut the way from one node to another, by their indices.
    private var cuts: [[Int]]
    /// What a frame to or from a node takes on top, in microseconds.
    var slowness: [Int]

    init(nodes: Int) {
        cuts = Array(repeating: Array(repeating: 0, count: nodes), count: nodes)
        slowness = Array(repeating: 0, count: nodes)
    }

    /// Whether nothing passes from one node to another.
    func isCut(from: Int, to: Int) -> Bool {
        cuts[from][to] > 0
    }

    /// Cuts the way from one node to another; each cut is mended once.
    mutating func cut(from: Int, to: Int) {
        cuts[from][to] += 1
    }

    /// Mends one cut.
    mutating func mend(from: Int, to: Int) {
        cuts[from][to] -= 1
    }
}
