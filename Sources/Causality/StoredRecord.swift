public import ByteCoding
public import ClusterPrimitives

/// What a replica keeps for a key of an lww keyspace: one version, and its value or the fact that
/// it was deleted.
///
///     record := version (12 bytes), flags: uint8, [expiry: uint64 ms since 1970], value
///
/// Flags: bit 0 tombstone (the value is empty), bit 1 an expiry follows. One record has one
/// encoding, so equal records have equal digests.
public struct StoredRecord: Equatable, Sendable {
    /// The version of the write.
    public var version: Version
    /// Whether the write was a deletion.
    public var isTombstone: Bool
    /// When the value expires; nil for never.
    ///
    /// From then on the record counts as a tombstone.
    public var expiry: WallClockTime?
    /// Where the value lies in the bytes that were decoded.
    public var value: ByteRange

    /// The record of a value or of a deletion.
    public init(
        version: Version,
        isTombstone: Bool,
        expiry: WallClockTime?,
        value: ByteRange = .empty
    ) {
        self.version = version
        self.isTombstone = isTombstone
        self.expiry = expiry
        self.value = value
    }

    /// Reads a record that fills `range`.
    ///
    /// - Throws: `truncated`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        version = try reader.version(in: bytes)
        let flags = try reader.uint8(in: bytes, "record flags")
        guard flags & ~3 == 0 else {
            throw .invalid(field: "record flags", value: UInt64(flags))
        }
        isTombstone = flags & 1 != 0
        if flags & 2 != 0 {
            let milliseconds = try reader.uint64(in: bytes, "record expiry")
            guard !isTombstone, milliseconds > 0, milliseconds < 1 << 48 else {
                throw .invalid(field: "record expiry", value: milliseconds)
            }
            expiry = WallClockTime(milliseconds: milliseconds)
        } else {
            expiry = nil
        }
        value = try reader.range(reader.remaining)
        guard !isTombstone || value.count == 0 else {
            throw .trailingBytes(count: value.count)
        }
    }

    /// Reads a record that fills all of the bytes.
    ///
    /// - Throws: as the other.
    public init(decoding bytes: RawSpan) throws(CodingError) {
        try self.init(decoding: ByteRange(offset: 0, count: bytes.byteCount), of: bytes)
    }

    /// Whether a reader at this time sees no value.
    public func isAbsent(at wall: WallClockTime) -> Bool {
        if isTombstone { return true }
        guard let expiry else { return false }
        return expiry <= wall
    }

    /// The digest of an encoded record: equal for equal records, independent of the time.
    public static func digest(_ range: ByteRange, of bytes: RawSpan) -> UInt64 {
        // Zero is the digest of absence.
        max(1, Hash64.hash(bytes, range))
    }
}

extension ByteWriter {
    /// Appends the parts of a record before its value.
    public mutating func recordHeader(
        version: Version,
        isTombstone: Bool,
        expiry: WallClockTime?
    ) {
        self.version(version)
        uint8((isTombstone ? 1 : 0) | (expiry == nil ? 0 : 2))
        if let expiry { uint64(expiry.milliseconds) }
    }
}

/// The merge rule of lww keyspaces: the greater version wins.
///
/// Versions are unique, so two records with one version are equal; should a fault make them
/// differ, a tombstone wins, then the greater bytes, so that all replicas choose alike.
public enum LastWriterWins {
    /// Whether the incoming record replaces the existing one.
    ///
    /// Bytes that are no record lose against bytes that are.
    public static func incomingWins(_ existing: RawSpan, _ incoming: RawSpan) -> Bool {
        let left = try? StoredRecord(
            decoding: ByteRange(offset: 0, count: existing.byteCount),
            of: existing
        )
        let right = try? StoredRecord(
            decoding: ByteRange(offset: 0, count: incoming.byteCount),
            of: incoming
        )
        guard let left, let right else {
            if left != nil { return false }
            return right != nil || existing.array().lexicographicallyPrecedes(incoming.array())
        }
        if left.version != right.version { return left.version < right.version }
        if left.isTombstone != right.isTombstone { return right.isTombstone }
        return existing.array().lexicographicallyPrecedes(incoming.array())
    }

    /// As above, for records held in arrays.
    public static func incomingWins(_ existing: [UInt8], _ incoming: [UInt8]) -> Bool {
        incomingWins(existing.span.bytes, incoming.span.bytes)
    }
}
