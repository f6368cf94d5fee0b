package import ByteCoding
import Causality
package import ClusterPrimitives

/// Asks for the value of a key.
///
///     get := keyspace: uint32, level: uint8 (0 = the keyspace's), scope: uint8,
///            kind: uint8 (0 = whatever the keyspace holds), timeout: uint32 ms, key: bytes
package struct GetRequest: Equatable, Sendable {
    /// Whose copies are read.
    package enum Scope: UInt8, Sendable {
        // On the wire: never renumber.
        /// The replicas that the level asks for, repaired where they differ.
        case cluster = 0
        /// The contacted node's own copy alone, without repair.
        case ownCopy = 1
    }

    /// The keyspace's number.
    package var keyspace: KeyspaceNumber
    /// Nil stands for the keyspace's read level.
    package var level: ConsistencyLevel?
    /// Whose copies are read.
    package var scope: Scope
    /// What the keyspace must hold; nil for whatever it does.
    package var kind: DataKind?
    /// Milliseconds until the coordinator gives up.
    package var timeout: UInt32
    /// The key, in the bytes that were decoded.
    package var key: ByteRange

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        level = try reader.level(in: bytes)
        let rawScope = try reader.uint8(in: bytes, "scope")
        guard let scope = Scope(rawValue: rawScope) else {
            throw .invalid(field: "scope", value: UInt64(rawScope))
        }
        self.scope = scope
        let rawKind = try reader.uint8(in: bytes, "kind")
        kind = DataKind(rawValue: rawKind)
        guard rawKind == 0 || kind != nil else {
            throw .invalid(field: "kind", value: UInt64(rawKind))
        }
        timeout = try reader.uint32(in: bytes, "timeout")
        key = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "key")
        try reader.finish()
    }

    /// Appends a body.
    package static func encode(
        keyspace: KeyspaceNumber,
        level: ConsistencyLevel?,
        scope: Scope,
        kind: DataKind?,
        timeout: UInt32,
        key: [UInt8],
        into writer: inout ByteWriter
    ) {
        writer.uint32(keyspace.rawValue)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint8(scope.rawValue)
        writer.uint8(kind?.rawValue ?? 0)
        writer.uint32(timeout)
        writer.prefixed(key)
    }
}

/// Asks to write a value, or, in a frame of kind `delete`, to delete a key.
///
///     write := keyspace: uint32, level: uint8 (0 = the keyspace's), options: uint8,
///              timeout: uint32 ms, lifetime: uint64 ms (0 = the keyspace's),
///              timestamp: uint64 ms since 1970 (0 = the coordinator's), key: bytes,
///              context: bytes, value: bytes
package struct WriteRequest: Equatable, Sendable {
    /// What to do where the write meets a newer one.
    package enum Conflict: UInt8, Sendable {
        // On the wire: never renumber.
        /// Stamp it anew, once.
        case restamp = 0
        /// Tell the writer.
        case fail = 1
    }

    /// The keyspace's number.
    package var keyspace: KeyspaceNumber
    /// Nil stands for the keyspace's write level.
    package var level: ConsistencyLevel?
    /// What to do where the write meets a newer one.
    package var conflict: Conflict
    /// Milliseconds until the coordinator gives up.
    package var timeout: UInt32
    /// Milliseconds until the value expires; 0 stands for the keyspace's lifetime.
    package var lifetime: UInt64
    /// The stamp that the client wants, in milliseconds since 1970; 0 leaves it to the coordinator.
    package var timestamp: UInt64
    /// The key, in the bytes that were decoded.
    package var key: ByteRange
    /// The context of the read this write follows; empty for none.
    package var context: ByteRange
    /// The value; empty in a delete.
    package var value: ByteRange

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        level = try reader.level(in: bytes)
        let rawConflict = try reader.uint8(in: bytes, "options")
        guard let conflict = Conflict(rawValue: rawConflict) else {
            throw .invalid(field: "options", value: UInt64(rawConflict))
        }
        self.conflict = conflict
        timeout = try reader.uint32(in: bytes, "timeout")
        lifetime = try reader.uint64(in: bytes, "lifetime")
        timestamp = try reader.uint64(in: bytes, "timestamp")
        key = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "key")
        context = try reader.prefixed(in: bytes, limit: CausalContext.maximumSize, "context")
        value = try reader.prefixed(in: bytes, limit: Frame.maximumBodySize, "value")
        try reader.finish()
    }

    /// Appends a body.
    package static func encode(
        keyspace: KeyspaceNumber,
        level: ConsistencyLevel?,
        conflict: Conflict,
        timeout: UInt32,
        lifetime: UInt64,
        timestamp: UInt64 = 0,
        key: [UInt8],
        context: [UInt8],
        value: [UInt8],
        into writer: inout ByteWriter
    ) {
        writer.uint32(keyspace.rawValue)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint8(conflict.rawValue)
        writer.uint32(timeout)
        writer.uint64(lifetime)
        writer.uint64(timestamp)
        writer.prefixed(key)
        writer.prefixed(context)
        writer.prefixed(value)
    }
}

/// Asks for the next entries of a keyspace in (token, key) order.
///
///     scan := keyspace: uint32, level: uint8 (0 = the keyspace's), contents: uint8,
///             timeout: uint32 ms, entries: uint32, size: uint32, token: uint64,
///             hasKey: uint8, key: bytes, prefix: bytes
package struct ScanRequest: Equatable, Sendable {
    /// What an entry carries.
    package enum Contents: UInt8, Sendable {
        // On the wire: never renumber.
        /// Key, version and value.
        case values = 0
        /// Key and version.
        case keysOnly = 1
    }

    /// The most bytes of entries in one page: 4 MiB.
    package static let maximumPageSize = 4 * 1024 * 1024
    /// The most entries in one page.
    package static let maximumPageEntries = 10_000

    /// The keyspace's number.
    package var keyspace: KeyspaceNumber
    /// Nil stands for the keyspace's read level.
    package var level: ConsistencyLevel?
    /// What an entry carries.
    package var contents: Contents
    /// Milliseconds until the coordinator gives up on the page.
    package var timeout: UInt32
    /// The most entries to return, from 1.
    package var maximumEntries: UInt32
    /// The most bytes of keys and values to return, from 1; one entry may exceed it.
    package var maximumSize: UInt32
    /// Where to go on.
    package var start: ScanCursor
    /// Only keys that begin with these bytes.
    package var prefix: [UInt8]

    /// A request with these parts.
    package init(
        keyspace: KeyspaceNumber,
        level: ConsistencyLevel?,
        contents: Contents,
        timeout: UInt32,
        maximumEntries: UInt32,
        maximumSize: UInt32,
        start: ScanCursor,
        prefix: [UInt8]
    ) {
        self.keyspace = keyspace
        self.level = level
        self.contents = contents
        self.timeout = timeout
        self.maximumEntries = maximumEntries
        self.maximumSize = maximumSize
        self.start = start
        self.prefix = prefix
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        keyspace = KeyspaceNumber(try reader.uint32(in: bytes, "keyspace"))
        level = try reader.level(in: bytes)
        let rawContents = try reader.uint8(in: bytes, "contents")
        guard let contents = Contents(rawValue: rawContents) else {
            throw .invalid(field: "contents", value: UInt64(rawContents))
        }
        self.contents = contents
        timeout = try reader.uint32(in: bytes, "timeout")
        maximumEntries = try reader.uint32(in: bytes, "entries")
        maximumSize = try reader.uint32(in: bytes, "size")
        start = try reader.scanCursor(in: bytes)
        let range = try reader.prefixed(in: bytes, limit: Limits.keySize.upperBound, "prefix")
        prefix = bytes.array(range)
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint32(keyspace.rawValue)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint8(contents.rawValue)
        writer.uint32(timeout)
        writer.uint32(maximumEntries)
        writer.uint32(maximumSize)
        writer.scanCursor(start)
        writer.prefixed(prefix)
    }
}

extension ByteReader {
    /// One byte: a consistency level, or 0 for none.
    mutating func level(in bytes: RawSpan) throws(CodingError) -> ConsistencyLevel? {
        let raw = try uint8(in: bytes, "consistency level")
        guard raw != 0 else { return nil }
        guard let level = ConsistencyLevel(rawValue: raw) else {
            throw .invalid(field: "consistency level", value: UInt64(raw))
        }
        return level
    }
}
