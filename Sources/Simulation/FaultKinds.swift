/// The kinds of faults that a simulation may inject.
package struct FaultKinds: OptionSet, Sendable, CustomStringConvertible {
    /// One bit a kind.
    package let rawValue: UInt16

    /// The set of these bits.
    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Nodes lose their memory, and of their disks what was not synced; they start again later.
    package static let crash = FaultKinds(rawValue: 1)
    /// Nodes are stopped in order, with everything synced, and start again at once.
    package static let restart = FaultKinds(rawValue: 2)
    /// Groups of nodes cannot reach each other.
    package static let partition = FaultKinds(rawValue: 4)
    /// Frames pass from one node to another, but not back.
    package static let oneWay = FaultKinds(rawValue: 8)
    /// The links of a node, or its disk, take much longer.
    package static let slow = FaultKinds(rawValue: 16)
    /// Connections break, in the middle of frames too.
    package static let reset = FaultKinds(rawValue: 32)
    /// Wall clocks jump by up to 200 ms.
    package static let clock = FaultKinds(rawValue: 64)
    /// Disks have no more room for a while.
    package static let full = FaultKinds(rawValue: 128)
    /// Bits of one node's tables flip.
    package static let corrupt = FaultKinds(rawValue: 256)
    /// One node wakes up with an empty disk.
    package static let wipe = FaultKinds(rawValue: 512)
    /// One node wakes up with its disk as it was some time ago.
    package static let rollback = FaultKinds(rawValue: 1024)
    /// One wall clock at a time jumps by up to an hour.
    package static let step = FaultKinds(rawValue: 2048)
    /// All of them.
    package static let all = FaultKinds(rawValue: 4095)

    /// The kinds with their names, in the order in which help lists them.
    package static let named: [(name: String, kind: FaultKinds)] = [
        ("crash", .crash), ("restart", .restart), ("partition", .partition),
        ("oneway", .oneWay), ("slow", .slow), ("reset", .reset), ("clock", .clock),
        ("full", .full), ("corrupt", .corrupt), ("wipe", .wipe), ("rollback", .rollback),
        ("step", .step),
    ]

    /// Reads `all`, `none`, or names between commas; nil when one of them is unknown.
    package init?(_ text: String) {
        switch text {
        case "all": self = .all
        case "none": self = []
        default:
            var kinds: FaultKinds = []
            for name in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard let entry = Self.named.first(where: { $0.name == name }) else { return nil }
                kinds.insert(entry.kind)
            }
            self = kinds
        }
    }

    /// As `init(_:)` reads it.
    package var description: String {
        if self == .all { return "all" }
        if isEmpty { return "none" }
        return Self.named.filter { contains($0.kind) }.map(\.name).joined(separator: ",")
    }
}
