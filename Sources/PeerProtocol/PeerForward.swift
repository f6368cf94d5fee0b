package import ByteCoding

/// A client's request, handed to a replica that coordinates it.
///
///     forward := kind: uint8, flags: uint8 (bit 0: trace), remaining: uint32 ms, body
///
/// The body is the client's, with its own grammar. The answer carries the client response's kind
/// (one byte) and body.
package struct PeerForward: Sendable {
    /// The kind of the client's request.
    package var kind: UInt8
    /// The flags of the client's frame.
    package var flags: UInt8
    /// Milliseconds left until the client's deadline.
    package var remaining: UInt32
    /// The client's body, in the bytes that were decoded.
    package var body: ByteRange

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        kind = try reader.uint8(in: bytes, "forwarded kind")
        flags = try reader.uint8(in: bytes, "forwarded flags")
        guard flags & ~1 == 0 else {
            throw .invalid(field: "forwarded flags", value: UInt64(flags))
        }
        remaining = try reader.uint32(in: bytes, "deadline")
        self.body = try reader.range(reader.remaining)
    }

    /// Appends a body; the client's lies in `bytes`.
    package static func encode(
        kind: UInt8,
        flags: UInt8,
        remaining: UInt32,
        body: ByteRange,
        of bytes: RawSpan,
        into writer: inout ByteWriter
    ) {
        writer.uint8(kind)
        writer.uint8(flags)
        writer.uint32(remaining)
        writer.raw(body, of: bytes)
    }
}
