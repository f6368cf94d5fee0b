public import ByteCoding
public import ClusterPrimitives

/// The version of an lww value: when it was written, and by which lane of which node.
///
/// A total order: two writes never share one, because a lane never gives one out twice.
public struct Version: Hashable, Comparable, Sendable {
    /// Encoded size in bytes.
    public static let size = 12

    /// When the coordinator stamped the write.
    public let timestamp: HybridTimestamp
    /// The coordinator.
    public let node: NodeID
    /// The coordinator's lane.
    public let lane: UInt8

    /// The version with these parts.
    @inlinable
    public init(timestamp: HybridTimestamp, node: NodeID, lane: UInt8) {
        self.timestamp = timestamp
        self.node = node
        self.lane = lane
    }

    /// Before every real version: the version of what was never written.
    public static let zero = Version(timestamp: .zero, node: NodeID(0), lane: 0)

    /// Node and lane as one number, the tie-break.
    @inlinable
    var origin: UInt32 { UInt32(node.rawValue) << 8 | UInt32(lane) }

    /// Equal in all parts.
    @inlinable
    public static func == (left: Version, right: Version) -> Bool {
        left.timestamp.rawValue == right.timestamp.rawValue && left.origin == right.origin
    }

    /// Orders by time, then node, then lane.
    @inlinable
    public static func < (left: Version, right: Version) -> Bool {
        left.timestamp.rawValue == right.timestamp.rawValue
            ? left.origin < right.origin
            : left.timestamp.rawValue < right.timestamp.rawValue
    }
}

extension ByteWriter {
    /// Appends a version: timestamp (8 bytes), node (2), lane (1), zero (1).
    @inlinable
    public mutating func version(_ version: Version) {
        let time = version.timestamp.rawValue
        integers([
            UInt32(truncatingIfNeeded: time), UInt32(truncatingIfNeeded: time >> 32),
            UInt32(version.node.rawValue) | UInt32(version.lane) << 16,
        ])
    }
}

extension ByteReader {
    /// Reads a version.
    ///
    /// - Throws: `truncated`, `invalid`.
    @inlinable
    public mutating func version(in bytes: RawSpan) throws(CodingError) -> Version {
        let timestamp = HybridTimestamp(rawValue: try uint64(in: bytes, "version"))
        let node = NodeID(try uint16(in: bytes, "version"))
        let lane = try uint8(in: bytes, "version")
        let zero = try uint8(in: bytes, "version")
        guard zero == 0 else { throw .invalid(field: "version", value: UInt64(zero)) }
        return Version(timestamp: timestamp, node: node, lane: lane)
    }
}
