package import ClusterPrimitives

/// How this node sees the others now: routing follows it, ownership never does.
package struct Liveness: Sendable {
    /// One node as seen from here.
    package struct Entry: Sendable, Equatable {
        /// Whether requests are sent to it.
        package var isUsable: Bool
        /// The φ of its silence.
        package var phi: Double
        /// How long it has been silent.
        package var silence: Duration
        /// Whether its last connection was refused or reset.
        package var isRefused: Bool
        /// Whether its clock is too far from the others' for its stamps to be believed.
        package var isClockOff = false

        /// A node as seen from here.
        package init(isUsable: Bool, phi: Double, silence: Duration, isRefused: Bool) {
            self.isUsable = isUsable
            self.phi = phi
            self.silence = silence
            self.isRefused = isRefused
        }
    }

    /// By node number.
    package var entries: [Entry]
    /// How this node's own clock stands to the others'.
    package var clock = ClockHealth()

    /// Nobody heard of yet: no node is usable but this one.
    package init(nodeCount: Int) {
        entries = [Entry](
            repeating: Entry(isUsable: false, phi: 0, silence: .zero, isRefused: false),
            count: nodeCount
        )
    }

    /// Whether requests are sent to a node.
    package func isUsable(_ node: NodeID) -> Bool {
        Int(node.rawValue) < entries.count && entries[Int(node.rawValue)].isUsable
    }

    /// A node as seen from here; nil for a number beyond the view.
    package subscript(node: NodeID) -> Entry? {
        Int(node.rawValue) < entries.count ? entries[Int(node.rawValue)] : nil
    }
}
