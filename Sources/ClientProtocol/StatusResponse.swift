package import ByteCoding
package import ClusterPrimitives

/// What one node knows of all members.
///
///     status := durability: uint8, count: uint32, nodes
///     node := id: uint16, state: uint8, phi: uint32 (hundredths), silence: uint32 ms,
///             load: uint64, uptime: uint32 s, version: text, incarnation: text, epoch: uint64,
///             clock: uint32 ms (two's complement), data: uint8 (1 known, 2 unknown)
package struct StatusResponse: Equatable, Sendable {
    /// A member's state, as `starling status` prints it.
    package enum State: UInt8, Sendable, CaseIterable {
        // On the wire: never renumber.
        /// Takes writes, does not serve reads yet.
        case joining = 1
        /// Usable.
        case up = 2
        /// Silent for longer than it should be.
        case suspect = 3
        /// Not usable.
        case down = 4
        /// Hands its ranges over.
        case leaving = 5
        /// No longer a member.
        case left = 6

        /// `up`.
        package var name: String { "\(self)" }
    }

    /// One member.
    package struct Node: Equatable, Sendable {
        /// The member.
        package var id: NodeID
        /// Its state, seen from the answering node.
        package var state: State
        /// The φ of its silence on the link from the answering node.
        package var phi: Double
        /// How long it has been silent, in milliseconds.
        package var silence: UInt32
        /// Bytes of its data on disk and in memory, as it last said.
        package var load: UInt64
        /// Seconds since it started, as it last said.
        package var uptime: UInt32
        /// Its software version, as it last said; empty when it never spoke.
        package var version: String
        /// Its incarnation, start number and random part in hex; empty when it never spoke.
        package var incarnation: String
        /// The topology epoch it last said.
        package var epoch: UInt64
        /// Milliseconds by which its clock is ahead of the median, as the answering node hears it.
        package var clockDeviation: Int32
        /// Whether it knows what it held, and so reads it to others.
        package var isDataKnown: Bool

        /// A member's line.
        package init(
            id: NodeID,
            state: State,
            phi: Double,
            silence: UInt32,
            load: UInt64,
            uptime: UInt32,
            version: String,
            incarnation: String,
            epoch: UInt64,
            clockDeviation: Int32 = 0,
            isDataKnown: Bool = true
        ) {
            self.id = id
            self.state = state
            self.phi = phi
            self.silence = silence
            self.load = load
            self.uptime = uptime
            self.version = version
            self.incarnation = incarnation
            self.epoch = epoch
            self.clockDeviation = clockDeviation
            self.isDataKnown = isDataKnown
        }
    }

    /// When a write counts as durable at a node.
    package enum Durability: UInt8, Sendable, CaseIterable {
        // On the wire: never renumber.
        /// Once the log is synced.
        case group = 1
        /// Once the system has its bytes; the log is synced each interval.
        case periodic = 2

        /// `group`.
        package var name: String { "\(self)" }
    }

    /// When a write counts as durable at the answering node.
    package var durability: Durability
    /// All members, by number.
    package var nodes: [Node]

    /// The status of these members.
    package init(durability: Durability = .group, nodes: [Node]) {
        self.durability = durability
        self.nodes = nodes
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let rawDurability = try reader.uint8(in: bytes, "durability")
        guard let durability = Durability(rawValue: rawDurability) else {
            throw .invalid(field: "durability", value: UInt64(rawDurability))
        }
        self.durability = durability
        nodes = []
        for _ in 0..<(try reader.count(in: bytes, limit: Limits.members, "nodes")) {
            let id = NodeID(try reader.uint16(in: bytes, "node"))
            let rawState = try reader.uint8(in: bytes, "state")
            guard let state = State(rawValue: rawState) else {
                throw .invalid(field: "state", value: UInt64(rawState))
            }
            nodes.append(
                Node(
                    id: id,
                    state: state,
                    phi: Double(try reader.uint32(in: bytes, "phi")) / 100,
                    silence: try reader.uint32(in: bytes, "silence"),
                    load: try reader.uint64(in: bytes, "load"),
                    uptime: try reader.uint32(in: bytes, "uptime"),
                    version: try reader.string(in: bytes, limit: 256, "version"),
                    incarnation: try reader.string(in: bytes, limit: 256, "incarnation"),
                    epoch: try reader.uint64(in: bytes, "epoch"),
                    clockDeviation: Int32(bitPattern: try reader.uint32(in: bytes, "clock")),
                    isDataKnown: try reader.isDataKnown(in: bytes)
                )
            )
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(durability.rawValue)
        writer.uint32(UInt32(nodes.count))
        for node in nodes {
            writer.uint16(node.id.rawValue)
            writer.uint8(node.state.rawValue)
            writer.uint32(Self.hundredths(node.phi))
            writer.uint32(node.silence)
            writer.uint64(node.load)
            writer.uint32(node.uptime)
            writer.string(node.version)
            writer.string(node.incarnation)
            writer.uint64(node.epoch)
            writer.uint32(UInt32(bitPattern: node.clockDeviation))
            writer.uint8(node.isDataKnown ? 1 : 2)
        }
    }

    /// A φ as the wire carries it: 0 for what is no number, the greatest for what is too great.
    private static func hundredths(_ phi: Double) -> UInt32 {
        guard phi > 0 else { return 0 }
        return UInt32(min((phi * 100).rounded(), Double(UInt32.max)))
    }
}

extension ByteReader {
    fileprivate mutating func isDataKnown(in bytes: RawSpan) throws(CodingError) -> Bool {
        let raw = try uint8(in: bytes, "data")
        guard raw == 1 || raw == 2 else { throw .invalid(field: "data", value: UInt64(raw)) }
        return raw == 1
    }
}
