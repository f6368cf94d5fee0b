package import ByteCoding
package import Causality
package import ClusterPrimitives

/// The highest incarnation with which each other node has answered.
///
///     incarnations := count: uint16, (node: uint16, incarnation (24 bytes)) × count, ascending
package struct PeerIncarnations: Equatable, Sendable {
    private var entries: [(node: NodeID, incarnation: Incarnation)] = []

    /// Of nobody.
    package init() {}

    /// Reads what `encode` made.
    ///
    /// - Throws: `truncated`, `invalid`, `trailingBytes`.
    package init(decoding bytes: [UInt8]) throws(CodingError) {
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        for _ in 0..<Int(try reader.uint16(in: span, "incarnations")) {
            let node = NodeID(try reader.uint16(in: span, "node"))
            guard entries.last.map({ $0.node < node }) ?? true else {
                throw .invalid(field: "order of nodes", value: UInt64(node.rawValue))
            }
            entries.append((node, try reader.incarnation(in: span)))
        }
        try reader.finish()
    }

    /// The encoded form.
    package func encode() -> [UInt8] {
        var writer = ByteWriter(capacity: 2 + entries.count * (2 + Incarnation.size))
        writer.uint16(UInt16(entries.count))
        for entry in entries {
            writer.uint16(entry.node.rawValue)
            writer.incarnation(entry.incarnation)
        }
        return writer.bytes
    }

    /// The highest that was seen of a node; nil if it was never met.
    package subscript(node: NodeID) -> Incarnation? {
        entries.first { $0.node == node }?.incarnation
    }

    /// Takes in what a node answered.
    ///
    /// - Returns: how that stands to the highest that was seen; the first is newer than none.
    package mutating func note(_ incarnation: Incarnation, of node: NodeID) -> Incarnation.Standing
    {
        let place = entries.firstIndex { $0.node >= node } ?? entries.count
        guard place < entries.count, entries[place].node == node else {
            entries.insert((node, incarnation), at: place)
            return .newer
        }
        let standing = incarnation.standing(against: entries[place].incarnation)
        if standing == .newer { entries[place].incarnation = incarnation }
        return standing
    }

    package static func == (left: PeerIncarnations, right: PeerIncarnations) -> Bool {
        left.entries.elementsEqual(right.entries) { $0 == $1 }
    }
}
