/// A point on a clock that only goes forward; means something within one process only.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since an arbitrary start.
    public let nanoseconds: UInt64

    /// The instant this many nanoseconds after the start.
    @inlinable
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Earlier comes first.
    @inlinable
    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later; saturates at the ends.
    @inlinable
    public static func + (left: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let nanoseconds = duration.wholeNanoseconds
        if nanoseconds >= 0 {
            let (sum, overflow) = left.nanoseconds.addingReportingOverflow(UInt64(nanoseconds))
            return MonotonicInstant(nanoseconds: overflow ? .max : sum)
        }
        let back = nanoseconds.magnitude
        return MonotonicInstant(nanoseconds: left.nanoseconds > back ? left.nanoseconds - back : 0)
    }

    /// How much later `left` is than `right`; negative when it is earlier.
    @inlinable
    public static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
        .nanoseconds(Int64(clamping: Int128(left.nanoseconds) - Int128(right.nanoseconds)))
    }
}

extension Duration {
    /// The length in nanoseconds; saturates at about ±292 years.
    @inlinable
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow2 ? (seconds < 0 ? .min : .max) : sum
    }

    /// The length in whole milliseconds, rounded towards zero.
    @inlinable
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}

/// What a wall clock shows: milliseconds since 1970-01-01T00:00:00Z.
public struct WallClockTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Milliseconds since 1970; never negative, at most 48 bits.
    public let milliseconds: UInt64

    /// The time this many milliseconds after 1970; cut to 48 bits from above.
    @inlinable
    public init(milliseconds: UInt64) {
        self.milliseconds = min(milliseconds, (1 << 48) - 1)
    }

    /// Earlier comes first.
    @inlinable
    public static func < (left: WallClockTime, right: WallClockTime) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// ISO 8601 in UTC with milliseconds: `2026-11-22T10:02:11.120Z`.
    public var description: String {
        let (days, rest) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        // Days to a civil date: H. Hinnant's algorithm for the proleptic Gregorian calendar.
        let shifted = Int64(days) + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let seconds = Int64(rest / 1000)
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2) + "T"
            + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
            + padded(seconds % 60, 2) + "." + padded(Int64(rest % 1000), 3) + "Z"
    }
}
