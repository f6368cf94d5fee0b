/// The unit of every connection, of peers and of clients alike.
///
///     frame       := length: uint32      bytes behind this field, at least 28
///                    kind: uint8         meaning of the body, per protocol
///                    flags: uint8        bit 0: trace; others zero
///                    reserved: uint16    zero
///                    correlation: uint64 chosen by the asker, repeated in the answer
///                    epoch: uint64       topology epoch of the sender
///                    timestamp: uint64   the sender's hybrid logical clock, 0 if it keeps none
///                    body: length − 28 bytes
///
/// All integers are little-endian.
public enum Frame {
    /// Bytes before the body.
    public static let headerSize = 32
    /// Bytes of the header that the length counts.
    public static let countedHeaderSize = 28
    /// The longest body a connection accepts before the hello exchange is over.
    public static let maximumHelloBodySize = 16 * 1024
    /// The longest body of a client's frame, either way, and of a frame of the control plane: the
    /// largest value, its key and their fields.
    public static let maximumBodySize = 9 * 1024 * 1024
    /// The longest body of a frame between the lanes of two nodes: what sixteen replicas that
    /// never met come to together, each of which took records up to 4 MiB, with keys and fields.
    public static let maximumPeerBodySize = 72 * 1024 * 1024

    /// The fields before a body.
    public struct Header: Equatable, Sendable {
        /// Meaning of the body, per protocol.
        public var kind: UInt8
        /// Bit 0: the answer should carry a trace.
        public var flags: UInt8
        /// Chosen by the asker, repeated in the answer.
        public var correlation: UInt64
        /// Topology epoch of the sender.
        public var epoch: UInt64
        /// The sender's hybrid logical clock, 0 if it keeps none.
        public var timestamp: UInt64

        /// A header for a frame to be written.
        @inlinable
        public init(
            kind: UInt8,
            flags: UInt8 = 0,
            correlation: UInt64 = 0,
            epoch: UInt64 = 0,
            timestamp: UInt64 = 0
        ) {
            self.kind = kind
            self.flags = flags
            self.correlation = correlation
            self.epoch = epoch
            self.timestamp = timestamp
        }
    }

    /// What lies at the start of the bytes at hand.
    public enum Cut: Equatable, Sendable {
        /// A whole frame; `body` lies in the same bytes, the next frame begins at `body.end`.
        case frame(Header, body: ByteRange)
        /// The beginning of a frame of `total` bytes, or of one whose length is not here yet.
        case incomplete(total: Int?)
    }

    /// Cuts the frame that begins at `offset`.
    ///
    /// The declared length is checked against `limit` as soon as its four bytes are here, before
    /// anything is allocated for the rest.
    ///
    /// - Throws: `tooLong`, `invalid` for a length under the header's or reserved bits.
    @inlinable
    public static func cut(
        _ bytes: RawSpan,
        at offset: Int,
        limit: Int
    ) throws(CodingError) -> Cut {
        let available = bytes.byteCount - offset
        guard available >= 4 else { return .incomplete(total: nil) }
        let length = UInt32(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromByteOffset: offset,
                as: UInt32.self
            )
        )
        guard length >= UInt32(countedHeaderSize) else {
            throw .invalid(field: "frame length", value: UInt64(length))
        }
        guard Int(length) - countedHeaderSize <= limit else {
            throw .tooLong(
                field: "frame body",
                length: UInt64(length) - UInt64(countedHeaderSize),
                limit: limit
            )
        }
        let total = Int(length) + 4
        guard available >= total else { return .incomplete(total: total) }
        var reader = ByteReader(ByteRange(offset: offset + 4, count: total - 4))
        let kind = try reader.uint8(in: bytes)
        let flags = try reader.uint8(in: bytes)
        let reserved = try reader.uint16(in: bytes)
        guard reserved == 0, flags & ~1 == 0 else {
            throw .invalid(
                field: "frame flags",
                value: UInt64(reserved) << 8 | UInt64(flags)
            )
        }
        let header = Header(
            kind: kind,
            flags: flags,
            correlation: try reader.uint64(in: bytes),
            epoch: try reader.uint64(in: bytes),
            timestamp: try reader.uint64(in: bytes)
        )
        return .frame(header, body: ByteRange(offset: reader.position, count: reader.remaining))
    }
}

extension ByteWriter {
    /// Begins a frame; write the body, then call `endFrame` with what this returns.
    @inlinable
    public mutating func beginFrame(_ header: Frame.Header) -> Int {
        let start = bytes.count
        let kind = UInt64(header.kind) << 32 | UInt64(header.flags) << 40
        integers([kind, header.correlation, header.epoch, header.timestamp])
        return start
    }

    /// Ends the frame that began at `start`.
    @inlinable
    public mutating func endFrame(_ start: Int) {
        patchUInt32(UInt32(bytes.count - start - 4), at: start)
    }
}
