/// A place in the log: everything before it is meant.
public struct LogPosition: Comparable, Hashable, Sendable {
    /// Number of the segment.
    public let segment: UInt64
    /// Bytes of the segment before the place.
    public let offset: UInt64

    package init(segment: UInt64, offset: UInt64) {
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

/// The place that a batch was given.
public struct AppendedPosition: Hashable, Sendable {
    /// The place behind the batch; it is durable once the log is synced up to here.
    public let end: LogPosition
    /// The number of the batch's first record, counted over the life of the engine.
    public let sequence: UInt64

    package init(end: LogPosition, sequence: UInt64) {
        self.end = end
        self.sequence = sequence
    }
}
