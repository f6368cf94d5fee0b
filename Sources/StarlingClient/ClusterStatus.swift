internal import Causality
public import ClusterPrimitives

/// A node as another node sees it.
public struct NodeStatus: Equatable, Sendable {
    /// What a node can do now.
    public enum State: String, Sendable, CaseIterable {
        /// Takes writes, does not serve reads yet.
        case joining
        /// Usable.
        case up
        /// Silent for longer than it should be.
        case suspect
        /// Not usable.
        case down
        /// Hands its ranges over.
        case leaving
        /// No longer a member.
        case left
    }

    /// The node's name.
    public let name: String
    /// What tells it from every other node that ever had the name.
    public let identifier: String
    /// Its datacenter.
    public let datacenter: String
    /// Its rack.
    public let rack: String
    /// Where it listens for clients.
    public let endpoint: Endpoint
    /// Its state, seen from the node that answered.
    public let state: State
    /// How suspicious its silence is; 0 is not at all, 8 very much.
    public let phi: Double
    /// How long it has been silent.
    public let silence: Duration
    /// Bytes of its data, as it last said.
    public let loadInBytes: UInt64
    /// How long it has been running, as it last said.
    public let uptime: Duration
    /// Its software version; empty when it never spoke.
    public let softwareVersion: String
    /// The topology epoch it last said.
    public let epoch: UInt64
    /// How far its clock is ahead of the median, negative for behind, as the node that answered
    /// hears it; one more than 500 ms away stamps no writes.
    public let clockDeviation: Duration
    /// Whether it knows what it held; one that does not reads it to nobody until it is repaired.
    public let isDataKnown: Bool
    /// Number of its tokens.
    public let virtualNodes: Int

    /// Whether its clock is so far from the others' that it stamps no writes.
    public var isClockOff: Bool {
        clockDeviation.wholeMilliseconds.magnitude
            > HybridClock.maximumOffset.wholeMilliseconds.magnitude
    }
}

/// What one node knows of its cluster.
public struct ClusterStatus: Equatable, Sendable {
    /// The cluster's name.
    public let cluster: String
    /// The epoch of the topology that the nodes were taken from.
    public let epoch: UInt64
    /// Name of the node that answered.
    public let seenFrom: String
    /// When a write counts as durable at that node: `group` or `periodic`.
    public let durability: String
    /// All nodes, by number.
    public let nodes: [NodeStatus]
}
