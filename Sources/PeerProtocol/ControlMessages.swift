package import ByteCoding
package import ClusterPrimitives

/// A sign of life, sent to each peer at a fixed period.
///
///     heartbeat := sequence: uint64, sent: uint64 (the sender's monotonic ns)
package struct Heartbeat: Equatable, Sendable {
    /// Counts the sender's heartbeats.
    package var sequence: UInt64
    /// The sender's monotonic clock, which the answer repeats.
    package var sent: UInt64

    /// A heartbeat with these parts.
    package init(sequence: UInt64, sent: UInt64) {
        self.sequence = sequence
        self.sent = sent
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        sequence = try reader.uint64(in: bytes, "sequence")
        sent = try reader.uint64(in: bytes, "sent")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint64(sequence)
        writer.uint64(sent)
    }
}

/// The answer to a heartbeat, with what `status` shows of the answering node.
///
///     reply := sequence: uint64, sent: uint64, wall: uint64 (the sender's ms since 1970),
///              load: uint64, uptime: uint32 s, flags: uint8, version: text
///
/// Flags: bit 0, the node does not know what it held, and reads nothing to anybody.
package struct HeartbeatReply: Equatable, Sendable {
    /// The heartbeat it answers.
    package var sequence: UInt64
    /// As in the heartbeat.
    package var sent: UInt64
    /// The sender's wall clock.
    package var wall: WallClockTime
    /// Bytes of the node's data.
    package var load: UInt64
    /// Seconds since it started.
    package var uptime: UInt32
    /// Whether it knows what it held, and so reads it to others.
    package var isDataKnown: Bool
    /// Its software version.
    package var softwareVersion: String

    /// A reply with these parts.
    package init(
        sequence: UInt64,
        sent: UInt64,
        wall: WallClockTime,
        load: UInt64,
        uptime: UInt32,
        isDataKnown: Bool,
        softwareVersion: String
    ) {
        self.sequence = sequence
        self.sent = sent
        self.wall = wall
        self.load = load
        self.uptime = uptime
        self.isDataKnown = isDataKnown
        self.softwareVersion = softwareVersion
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        sequence = try reader.uint64(in: bytes, "sequence")
        sent = try reader.uint64(in: bytes, "sent")
        let milliseconds = try reader.uint64(in: bytes, "wall")
        guard milliseconds < 1 << 48 else { throw .invalid(field: "wall", value: milliseconds) }
        wall = WallClockTime(milliseconds: milliseconds)
        load = try reader.uint64(in: bytes, "load")
        uptime = try reader.uint32(in: bytes, "uptime")
        let flags = try reader.uint8(in: bytes, "flags")
        guard flags <= 1 else { throw .invalid(field: "flags", value: UInt64(flags)) }
        isDataKnown = flags == 0
        softwareVersion = try reader.string(in: bytes, limit: 128, "version")
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint64(sequence)
        writer.uint64(sent)
        writer.uint64(wall.milliseconds)
        writer.uint64(load)
        writer.uint32(uptime)
        writer.uint8(isDataKnown ? 0 : 1)
        writer.string(softwareVersion)
    }
}
