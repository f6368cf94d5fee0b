/// A member of the cluster: the number that the topology gave it, never given again.
///
/// People see the member's name; messages and versions carry the number.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    ///
    /// On disk and on the wire: never renumber.
    public let rawValue: UInt16

    /// The member with this number.
    @inlinable
    public init(_ rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Equal numbers; written out because the synthesised one is not inlined across modules.
    @inlinable
    public static func == (left: NodeID, right: NodeID) -> Bool {
        left.rawValue == right.rawValue
    }

    /// Orders by number.
    @inlinable
    public static func < (left: NodeID, right: NodeID) -> Bool {
        left.rawValue < right.rawValue
    }

    /// `#3`.
    public var description: String { "#\(rawValue)" }
}

/// A datacenter: its place in the topology's list of datacenters.
public struct DatacenterID: Hashable, Comparable, Sendable {
    /// Index into the topology's datacenters.
    public let rawValue: UInt8

    /// The datacenter at this index.
    @inlinable
    public init(_ rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Orders by index.
    @inlinable
    public static func < (left: DatacenterID, right: DatacenterID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The number of a keyspace, never used again after the keyspace is dropped.
public struct KeyspaceNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    ///
    /// On disk and on the wire: never renumber.
    public let rawValue: UInt32

    /// The keyspace with this number.
    @inlinable
    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Orders by number.
    @inlinable
    public static func < (left: KeyspaceNumber, right: KeyspaceNumber) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The number in decimal.
    public var description: String { String(rawValue) }
}
