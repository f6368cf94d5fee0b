package import ByteCoding
package import Causality
package import ClusterPrimitives

/// One value of a key.
///
///     value := version (12 bytes), expiry: uint64 ms since 1970 (0 = never), bytes
package struct VersionedValue: Equatable, Sendable {
    /// When and by whom it was written.
    package var version: Version
    /// When it expires; nil for never.
    package var expiry: WallClockTime?
    /// The value itself.
    package var bytes: [UInt8]

    /// A value with its version.
    package init(version: Version, expiry: WallClockTime?, bytes: [UInt8]) {
        self.version = version
        self.expiry = expiry
        self.bytes = bytes
    }
}

/// The answer to a `get`: no value where the key is absent.
///
///     value := contents, context: bytes, level: uint8, coordinator: uint16,
///              required: uint8, responded: uint8, repaired: uint8, trace
package struct ValueResponse: Equatable, Sendable {
    /// What the key holds.
    package var contents: KeyContents
    /// Its values; none where it holds something else.
    package var values: [VersionedValue] { contents.values }
    /// What the reader has now seen; opaque.
    package var context: [UInt8]
    /// The level at which it was read; nil for a node's own copy.
    package var level: ConsistencyLevel?
    /// The node that coordinated.
    package var coordinator: NodeID
    /// How many replicas had to answer.
    package var required: UInt8
    /// How many had answered.
    package var responded: UInt8
    /// How many replicas were behind and have been repaired.
    package var repaired: UInt8
    /// What happened, where it was asked for.
    package var trace: [TraceEvent]

    /// A response with these parts.
    package init(
        contents: KeyContents,
        context: [UInt8],
        level: ConsistencyLevel?,
        coordinator: NodeID,
        required: UInt8,
        responded: UInt8,
        repaired: UInt8,
        trace: [TraceEvent] = []
    ) {
        self.contents = contents
        self.context = context
        self.level = level
        self.coordinator = coordinator
        self.required = required
        self.responded = responded
        self.repaired = repaired
        self.trace = trace
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        contents = try KeyContents(from: &reader, in: bytes)
        context = bytes.array(
            try reader.prefixed(in: bytes, limit: CausalContext.maximumSize, "context")
        )
        level = try reader.level(in: bytes)
        coordinator = NodeID(try reader.uint16(in: bytes, "coordinator"))
        required = try reader.uint8(in: bytes)
        responded = try reader.uint8(in: bytes)
        repaired = try reader.uint8(in: bytes)
        trace = try reader.trace(in: bytes)
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        contents.encode(into: &writer)
        writer.prefixed(context)
        writer.uint8(level?.rawValue ?? 0)
        writer.uint16(coordinator.rawValue)
        writer.uint8(required)
        writer.uint8(responded)
        writer.uint8(repaired)
        writer.trace(trace)
    }
}

/// The answer to a write that reached its level.
///
///     written := version (12 bytes), winner (12 bytes), context: bytes, level: uint8,
///                coordinator: uint16, acknowledged: uint8, required: uint8, shadowed: uint8,
///                siblings: uint16, sum: uint64 (two's complement), trace
package struct WrittenResponse: Equatable, Sendable {
    /// Whether a newer write was in the way.
    package enum Shadowed: UInt8, Sendable {
        // On the wire: never renumber.
        /// None was met.
        case no = 0
        /// One was; the write was stamped anew and won.
        case restamped = 1
        /// One was, and it wins: `winner` is its version.
        case lost = 2
    }

    /// The write's version.
    package var version: Version
    /// The version that shadows it, where `shadowed` is `lost`; else `Version.zero`.
    package var winner: Version
    /// What the writer has now seen; opaque.
    package var context: [UInt8]
    /// The level at which it was written.
    package var level: ConsistencyLevel?
    /// The node that coordinated.
    package var coordinator: NodeID
    /// How many replicas had acknowledged when the answer was made.
    package var acknowledged: UInt8
    /// How many had to.
    package var required: UInt8
    /// Whether a newer write was in the way.
    package var shadowed: Shadowed
    /// Values that the coordinator holds of the key now, where siblings are kept; else 0.
    package var siblings: UInt16
    /// The sum of a counter as the coordinator knows it now; else 0.
    package var sum: Int64
    /// What happened, where it was asked for.
    package var trace: [TraceEvent]

    /// A response with these parts.
    package init(
        version: Version,
        winner: Version,
        context: [UInt8],
        level: ConsistencyLevel?,
        coordinator: NodeID,
        acknowledged: UInt8,
        required: UInt8,
        shadowed: Shadowed,
        siblings: UInt16 = 0,
        sum: Int64 = 0,
        trace: [TraceEvent] = []
    ) {
        self.version = version
        self.winner = winner
        self.context = context
        self.level = level
        self.coordinator = coordinator
        self.acknowledged = acknowledged
        self.required = required
        self.shadowed = shadowed
        self.siblings = siblings
        self.sum = sum
        self.trace = trace
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        version = try reader.version(in: bytes)
        winner = try reader.version(in: bytes)
        context = bytes.array(
            try reader.prefixed(in: bytes, limit: CausalContext.maximumSize, "context")
        )
        level = try reader.level(in: bytes)
        coordinator = NodeID(try reader.uint16(in: bytes, "coordinator"))
        acknowledged = try reader.uint8(in: bytes)
        required = try reader.uint8(in: bytes)
        let raw = try reader.uint8(in: bytes, "shadowed")
        guard let shadowed = Shadowed(rawValue: raw) else {
            throw .invalid(field: "shadowed", value: UInt64(raw))
        }
        self.shadowed = shadowed
        siblings = try reader.uint16(in: bytes, "siblings")
        sum = Int64(bitPattern: try reader.uint64(in: bytes, "sum"))
        trace = try reader.trace(in: bytes)
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.version(version)
        writer.version(winner)
        writer.prefixed(context)
        // From the level to the siblings, as they follow each other.
        writer.uint64(
            UInt64(level?.rawValue ?? 0) | UInt64(coordinator.rawValue) << 8
                | UInt64(acknowledged) << 24 | UInt64(required) << 32
                | UInt64(shadowed.rawValue) << 40 | UInt64(siblings) << 48
        )
        writer.uint64(UInt64(bitPattern: sum))
        writer.trace(trace)
    }
}

/// One entry of a page.
package struct ScanEntry: Equatable, Sendable {
    /// The key.
    package var key: [UInt8]
    /// What it holds; where only keys were asked for, the bytes of values are empty, and sums,
    /// sets and maps are those of an absent key.
    package var contents: KeyContents

    /// An entry of a key and what it holds.
    package init(key: [UInt8], contents: KeyContents) {
        self.key = key
        self.contents = contents
    }
}

/// The answer to a `scan`.
///
///     page := hasNext: uint8, next: cursor, repaired: uint32, count: uint32, entries
///     entry := key: bytes, contents
package struct PageResponse: Equatable, Sendable {
    /// Live entries in (token, key) order; may be empty though more follow.
    package var entries: [ScanEntry]
    /// Where to go on; nil at the end of the keyspace.
    package var next: ScanCursor?
    /// How many copies were behind and have been repaired.
    package var repaired: UInt32

    /// A page with these parts.
    package init(entries: [ScanEntry], next: ScanCursor?, repaired: UInt32) {
        self.entries = entries
        self.next = next
        self.repaired = repaired
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        let flag = try reader.uint8(in: bytes, "page")
        guard flag <= 1 else { throw .invalid(field: "page", value: UInt64(flag)) }
        let cursor = try reader.scanCursor(in: bytes)
        // One page has one encoding: where nothing follows, the cursor is the start.
        guard flag == 1 || cursor == .start else { throw .invalid(field: "page", value: 0) }
        next = flag == 1 ? cursor : nil
        repaired = try reader.uint32(in: bytes)
        entries = []
        let limit = ScanRequest.maximumPageEntries
        for _ in 0..<(try reader.count(in: bytes, limit: limit, "entries")) {
            let key = try reader.prefixed(in: bytes, limit: Limits.keySize.upperBound, "key")
            entries.append(
                ScanEntry(
                    key: bytes.array(key),
                    contents: try KeyContents(from: &reader, in: bytes)
                )
            )
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(next == nil ? 0 : 1)
        writer.scanCursor(next ?? .start)
        writer.uint32(repaired)
        writer.uint32(UInt32(entries.count))
        for entry in entries {
            writer.prefixed(entry.key)
            entry.contents.encode(into: &writer)
        }
    }
}

extension ByteReader {
    /// Milliseconds since 1970 in 48 bits, 0 for never.
    mutating func expiry(in bytes: RawSpan) throws(CodingError) -> WallClockTime? {
        let milliseconds = try uint64(in: bytes, "expiry")
        guard milliseconds < 1 << 48 else { throw .invalid(field: "expiry", value: milliseconds) }
        return milliseconds == 0 ? nil : WallClockTime(milliseconds: milliseconds)
    }
}
