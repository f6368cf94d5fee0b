/// A place in the log: everything before it is meant.
public struct LogPosition: Comparable, Hashable, Sendable {
    /// Number of the segment.
    public let segment: UInt64
    /// Bytes of the segment before the place.
    public let offset: UInt64

    init(segment: UInt64, offset: UInt64) {
        self.segment = segment
        self.offset = offset
    }

    /// Whether `left` lies before `right`.
    public static func < (left: LogPosition, right: LogPosition) -> Bool {
        left.segment != right.segment
            ? left.segment < right.segment : left.offset < right.offset
    }
}

extension LogPosition: CustomStringConvertible {
    /// Segment and offset.
    public var description: String { "\(segment):\(offset)" }
}
