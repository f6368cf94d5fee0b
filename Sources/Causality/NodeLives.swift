/// The lives of a node that its disk remembers.
///
/// A disk that went back in time, or is new, lacks lives that others have seen. Numbers alone do
/// not show it: a node that starts twice on such a disk passes the number of the life it lost.
public struct NodeLives: Equatable, Sendable {
    /// Earlier lives that are remembered: 256.
    ///
    /// More keeps longer what a restarted node has to fold, and lets a peer be away for longer;
    /// each has 24 bytes.
    public static let maximumEarlier = 256

    /// This life.
    public let current: Incarnation
    /// Those before it, ascending.
    public let earlier: [Incarnation]

    /// A life, and as many before it as are remembered.
    public init(_ current: Incarnation, earlier: [Incarnation] = []) {
        self.current = current
        self.earlier = earlier
    }

    /// Whether the disk lacks what the node was in a life that another has seen.
    ///
    /// A life before all that are remembered is taken for one of its own once the memory is full.
    public func hasLost(_ life: Incarnation) -> Bool {
        if life == current || earlier.contains(life) { return false }
        guard earlier.count >= Self.maximumEarlier, let first = earlier.first else { return true }
        return life.start >= first.start
    }
}
