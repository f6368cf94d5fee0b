package import ClusterPrimitives

/// The replicas of a key in preference order: the first is the primary.
///
/// Lies in place, without an allocation; at most `Limits.replicas` members, all distinct.
package struct ReplicaSet: RandomAccessCollection, Equatable, Sendable {
    private var nodes = InlineArray<16, NodeID>(repeating: NodeID(0))
    /// Number of replicas.
    package private(set) var count = 0

    /// No replicas.
    package init() {}

    /// The first sixteen of `nodes`, which are distinct.
    package init(_ nodes: [NodeID]) {
        for node in nodes.prefix(Limits.replicas) { append(node) }
    }

    /// Adds the next in preference; nothing changes when sixteen are there.
    package mutating func append(_ node: NodeID) {
        guard count < Limits.replicas else { return }
        nodes[count] = node
        count += 1
    }

    /// Position of the primary.
    package var startIndex: Int { 0 }
    /// Behind the last replica.
    package var endIndex: Int { count }

    /// The replica at a place of the preference order.
    ///
    /// - Parameter index: below `count`.
    package subscript(index: Int) -> NodeID {
        precondition(index >= 0 && index < count, "replica \(index) of \(count)")
        return nodes[index]
    }

    /// Whether `node` is a replica.
    package func contains(_ node: NodeID) -> Bool {
        for index in 0..<count where nodes[index] == node { return true }
        return false
    }

    /// The place of `node` in the preference order, nil when it is no replica.
    package func index(of node: NodeID) -> Int? {
        for index in 0..<count where nodes[index] == node { return index }
        return nil
    }

    /// The same replicas in the same order.
    package static func == (left: ReplicaSet, right: ReplicaSet) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left.nodes[index] != right.nodes[index] { return false }
        return true
    }
}

extension ReplicaSet: CustomStringConvertible {
    /// `[#1 #4 #2]`.
    package var description: String { "[" + map(\.description).joined(separator: " ") + "]" }
}
