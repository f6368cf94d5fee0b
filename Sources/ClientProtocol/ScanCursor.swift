package import ByteCoding
import ClusterPrimitives

/// Where a scan goes on: a place in (token, key) order, which outlives changes of the topology.
///
///     cursor := token: uint64 (sign bit flipped, so that unsigned order is token order),
///               hasKey: uint8, key: bytes
package struct ScanCursor: Equatable, Sendable {
    /// The token, with its sign bit flipped.
    package var token: UInt64
    /// The last key that was returned, after which to go on; nil begins at the token itself.
    package var after: [UInt8]?

    /// The place of these parts.
    package init(token: UInt64, after: [UInt8]?) {
        self.token = token
        self.after = after
    }

    /// Before all entries.
    package static let start = ScanCursor(token: 0, after: nil)
}

extension ByteWriter {
    /// Appends a cursor.
    package mutating func scanCursor(_ cursor: ScanCursor) {
        uint64(cursor.token)
        uint8(cursor.after == nil ? 0 : 1)
        prefixed(cursor.after ?? [])
    }
}

extension ByteReader {
    /// Reads a cursor.
    package mutating func scanCursor(in bytes: RawSpan) throws(CodingError) -> ScanCursor {
        let token = try uint64(in: bytes, "cursor")
        let flag = try uint8(in: bytes, "cursor")
        guard flag <= 1 else { throw .invalid(field: "cursor", value: UInt64(flag)) }
        let range = try prefixed(in: bytes, limit: Limits.keySize.upperBound, "cursor key")
        if flag == 0 {
            guard range.count == 0 else { throw .invalid(field: "cursor", value: 0) }
            return ScanCursor(token: token, after: nil)
        }
        return ScanCursor(token: token, after: bytes.array(range))
    }
}
