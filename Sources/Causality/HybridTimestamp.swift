public import ClusterPrimitives

/// A point of hybrid logical time: 48 bits of milliseconds since 1970, 16 bits of counter.
///
/// Kulkarni et al., "Logical Physical Clocks" (2014), with the encoding in one integer, so that
/// the order of timestamps is the order of integers.
public struct HybridTimestamp: Hashable, Comparable, Sendable {
    /// Milliseconds in the upper 48 bits, counter in the lower 16.
    ///
    /// On disk and on the wire.
    public let rawValue: UInt64

    /// The timestamp of an encoded integer.
    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The first timestamp of a millisecond, or the one with this counter.
    @inlinable
    public init(wall: WallClockTime, counter: UInt16 = 0) {
        rawValue = wall.milliseconds << 16 | UInt64(counter)
    }

    /// Before all others.
    public static let zero = HybridTimestamp(rawValue: 0)

    /// The millisecond it lies in.
    @inlinable
    public var wall: WallClockTime { WallClockTime(milliseconds: rawValue >> 16) }
    /// Its place within the millisecond.
    @inlinable
    public var counter: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// The next timestamp; the last one has itself as its next.
    @inlinable
    public var next: HybridTimestamp {
        HybridTimestamp(rawValue: rawValue == .max ? .max : rawValue + 1)
    }

    /// The timestamp `milliseconds` later; saturates.
    @inlinable
    public func advanced(byMilliseconds milliseconds: UInt64) -> HybridTimestamp {
        let (shift, overflow1) = milliseconds.multipliedReportingOverflow(by: 1 << 16)
        let (sum, overflow2) = rawValue.addingReportingOverflow(shift)
        return HybridTimestamp(rawValue: overflow1 || overflow2 ? .max : sum)
    }

    /// Earlier comes first.
    @inlinable
    public static func < (left: HybridTimestamp, right: HybridTimestamp) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension HybridTimestamp: CustomStringConvertible {
    /// `2026-11-22T10:02:11.120Z/0`.
    public var description: String { "\(wall)/\(counter)" }
}
