internal import ByteCoding
internal import ClientProtocol

/// A place in the (token, key) order of a keyspace; it outlives changes of the topology.
public struct ScanPosition: Hashable, Sendable {
    /// The place as bytes, to be kept and given back later.
    public let bytes: [UInt8]

    init(_ cursor: ScanCursor) {
        var writer = ByteWriter()
        writer.scanCursor(cursor)
        bytes = writer.bytes
    }

    /// The place that `bytes` stand for; nil when they stand for none.
    public init?(bytes: [UInt8]) {
        guard Self.cursor(of: bytes) != nil else { return nil }
        self.bytes = bytes
    }

    /// Bytes that no `init` accepted cannot be here, so this is nil only for a defect.
    var cursor: ScanCursor? { Self.cursor(of: bytes) }

    private static func cursor(of bytes: [UInt8]) -> ScanCursor? {
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        do throws(CodingError) {
            let cursor = try reader.scanCursor(in: span)
            try reader.finish()
            return cursor
        } catch {
            return nil
        }
    }
}
