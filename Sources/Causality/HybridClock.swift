public import ClusterPrimitives

/// A node's hybrid logical clock.
///
/// It never goes back, also over a restart: a reading never exceeds `bound`, which the owner
/// keeps on disk ahead of it, and a restarted node begins at the bound it finds there.
/// The 500 ms limit applies where a foreign timestamp enters; stored data never moves the clock.
public struct HybridClock: Sendable {
    /// How far ahead of this node's wall clock a foreign timestamp may lie.
    ///
    /// 500 ms. More lets a wrong clock push all others; less refuses messages of nodes whose
    /// clocks are fine.
    public static var maximumOffset: Duration {
        .milliseconds(Int64(maximumOffsetMilliseconds))
    }
    /// The same in milliseconds, for what looks at each request.
    public static var maximumOffsetMilliseconds: UInt64 { 500 }
    /// How far ahead of the clock the bound on disk is kept.
    ///
    /// 1 s. More makes a restarted node wait longer before its stamps are believed; less writes
    /// the bound more often.
    public static let reserve: Duration = .seconds(1)

    /// The latest reading or absorbed timestamp of this life of the node; `zero` before the first.
    public private(set) var latest = HybridTimestamp.zero
    /// Readings of an earlier life lie at or below it.
    private let floor: HybridTimestamp
    /// What is on disk: no reading goes above it.
    public private(set) var bound: HybridTimestamp

    /// A clock that continues from the bound found on disk, `zero` on a new node.
    public init(bound: HybridTimestamp) {
        floor = bound
        self.bound = bound
    }

    /// The bound that must be on disk before the clock can be read up to it; nil when the one
    /// there is far enough ahead.
    public func boundToPersist(at wall: WallClockTime) -> HybridTimestamp? {
        let reserve = UInt64(Self.reserve.wholeMilliseconds)
        let base = max(latest, floor, HybridTimestamp(wall: wall))
        guard base.advanced(byMilliseconds: reserve / 2) > bound else { return nil }
        return base.advanced(byMilliseconds: reserve)
    }

    /// Notes that `bound` is on disk.
    public mutating func boundPersisted(_ bound: HybridTimestamp) {
        self.bound = max(self.bound, bound)
    }

    /// A new timestamp, above all that came before and above `seen`, which this clock believes;
    /// nil when the bound on disk is reached.
    public mutating func now(
        at wall: WallClockTime,
        above seen: HybridTimestamp = .zero
    ) -> HybridTimestamp? {
        let reading = max(HybridTimestamp(wall: wall), latest.next, floor.next, seen.next)
        // At the end of time the next reading is the last one again.
        guard reading <= bound, reading > max(latest, seen) else {
            return nil
        }
        latest = reading
        return reading
    }

    /// Whether a foreign timestamp lies too far ahead of this node's wall clock to be believed.
    public static func isBeyondOffset(_ timestamp: HybridTimestamp, at wall: WallClockTime) -> Bool
    {
        timestamp
            > HybridTimestamp(wall: wall)
            .advanced(byMilliseconds: maximumOffsetMilliseconds)
    }

    /// Whether a write's stamp may be believed, by the wall clock or by what this clock has shown.
    ///
    /// Where all wall clocks were set back together the nodes' timestamps go on, ahead of them.
    public func believes(_ timestamp: HybridTimestamp, at wall: WallClockTime) -> Bool {
        !Self.isBeyondOffset(timestamp, at: max(wall, latest.wall))
    }

    /// By how many milliseconds this node's readings would lie ahead of what others believe,
    /// since its wall clock was ahead in an earlier life; 0 where they would not.
    public func lead(at wall: WallClockTime) -> UInt64 {
        guard !believes(floor.next, at: wall) else { return 0 }
        return floor.wall.milliseconds - wall.milliseconds
    }

    /// Takes in the timestamp that a message carries; one beyond the offset is left out.
    ///
    /// - Returns: whether it was believed.
    @discardableResult
    public mutating func merge(_ timestamp: HybridTimestamp, at wall: WallClockTime) -> Bool {
        guard timestamp > latest else { return true }
        guard !Self.isBeyondOffset(timestamp, at: wall) else { return false }
        latest = timestamp
        return true
    }
}
