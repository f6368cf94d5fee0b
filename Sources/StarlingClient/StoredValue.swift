internal import Causality
internal import ClientProtocol
public import ClusterPrimitives

/// When a value was written, and by which node.
public struct ValueVersion: Hashable, Sendable, CustomStringConvertible {
    /// When the coordinator stamped the write.
    public let time: WallClockTime
    /// The write's place within the millisecond.
    public let counter: UInt16
    /// Name of the coordinator.
    public let node: String

    /// `2026-11-22T10:02:11.120Z/0/dc1-n1`.
    public var description: String { "\(time)/\(counter)/\(node)" }
}

/// A value with its version.
public struct StoredValue: Equatable, Sendable {
    /// The value itself.
    public let bytes: [UInt8]
    /// When and by whom it was written.
    public let version: ValueVersion
    /// When it expires; nil for never.
    public let expiry: WallClockTime?
}

extension ClusterSnapshot {
    /// A version with the name of its node.
    func named(_ version: Version) -> ValueVersion {
        ValueVersion(
            time: version.timestamp.wall,
            counter: version.timestamp.counter,
            node: name(of: version.node)
        )
    }

    /// A value with the name of its node.
    func named(_ value: VersionedValue) -> StoredValue {
        StoredValue(bytes: value.bytes, version: named(value.version), expiry: value.expiry)
    }
}
