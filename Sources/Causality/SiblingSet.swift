public import ByteCoding
public import ClusterPrimitives

/// What a replica keeps for a key of a siblings keyspace: a dotted version vector set.
///
/// Almeida, Baquero et al., "Scalable and accurate causality tracking for eventually consistent
/// stores" (DAIS 2014), without the list of anonymous values, since a replica mints each value.
/// Of each actor the set knows all events up to a number and holds the values of the latest ones:
/// those that no write has seen and replaced. The value at index i of an actor's list has the dot
/// (actor, counter − i).
///
///     set   := actors: uint16, at least 1, entry × actors, ascending by actor, value × all values
///     entry := actor (16 bytes), counter: uint64, 1 to 2⁶³−1, values: uint16, at most counter
///     value := version (12 bytes), flags: uint8, [expiry: uint64 ms since 1970],
///              length: uint32, bytes
///
/// The values lie in the order of the entries, of each entry the newest first. Flags: bit 0
/// tombstone (no bytes, no expiry), bit 1 an expiry follows. One set has one encoding. A key that
/// was never written has no set.
///
/// This value is what reading an encoded set once has found out; its operations take the bytes
/// again, and allocate nothing.
public struct SiblingSet: Equatable, Sendable {
    /// Siblings from which on the operator is warned: 8.
    public static let warningCount = 8
    /// Values at which a write is refused that does not replace enough of them: 32.
    public static let maximumCount = 32

    /// Bytes of an entry.
    static let entrySize = ActorID.size + 10
    /// Bytes of a value before its expiry or length.
    static let valueHeaderSize = Version.size + 1

    /// Where the set lies in the bytes that were decoded.
    public let range: ByteRange
    /// The actors that ever wrote the key, also those of whom no value is left.
    public let actorCount: Int
    /// The values that are kept, tombstones among them.
    public let valueCount: Int
    /// The greatest version of a value; zero where there is none.
    public let newestVersion: Version
    /// From when on the set holds nothing that a reader sees, in milliseconds since 1970.
    ///
    /// 0 where all values are tombstones, else the time the last of them expires; nil where one
    /// stays. A set from then on may be purged once the purge horizon has reached
    /// `newestVersion`.
    public let droppableFrom: UInt64?

    /// Reads a set that fills `range`.
    ///
    /// - Throws: `truncated`, `invalid`, `trailingBytes`.
    public init(decoding range: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(range)
        let actors = Int(try reader.uint16(in: bytes, "actors"))
        guard actors > 0 else { throw .invalid(field: "actors", value: 0) }
        var total = 0
        var previous: ActorID?
        for _ in 0..<actors {
            let id = try reader.actorID(in: bytes)
            if let previous, previous >= id {
                throw .invalid(field: "order of actors", value: id.high)
            }
            previous = id
            let counter = try reader.counter(in: bytes)
            let count = try reader.uint16(in: bytes, "values")
            guard UInt64(count) <= counter else {
                throw .invalid(field: "values", value: UInt64(count))
            }
            total += Int(count)
        }
        var newest = Version.zero
        var absentFrom: UInt64? = 0
        for _ in 0..<total {
            let value = try Self.value(&reader, bytes)
            newest = max(newest, value.version)
            if !value.isTombstone {
                if let expiry = value.expiry {
                    absentFrom = absentFrom.map { max($0, expiry.milliseconds) }
                } else {
                    absentFrom = nil
                }
            }
        }
        try reader.finish()
        self.range = range
        actorCount = actors
        valueCount = total
        newestVersion = newest
        droppableFrom = absentFrom
    }

    /// Reads a set that fills all of the bytes.
    ///
    /// - Throws: as the other.
    public init(decoding bytes: RawSpan) throws(CodingError) {
        try self.init(decoding: ByteRange(offset: 0, count: bytes.byteCount), of: bytes)
    }

    /// Whether a reader at this time sees no value.
    public func isAbsent(at wall: WallClockTime) -> Bool {
        guard let droppableFrom else { return false }
        return droppableFrom <= wall.milliseconds
    }

    /// How many values a reader at this time sees.
    public func liveCount(at wall: WallClockTime, in bytes: RawSpan) -> Int {
        var cursor = Cursor(self)
        var count = 0
        while let sibling = cursor.next(in: bytes) {
            if !sibling.isAbsent(at: wall) { count += 1 }
        }
        return count
    }

    /// What a client that reads the set has seen: all events that it knows.
    public func context(in bytes: RawSpan) -> VersionVector {
        var entries: [VersionVector.Entry] = []
        entries.reserveCapacity(actorCount)
        var cursor = EntryCursor(self)
        while let entry = cursor.next(in: bytes) {
            entries.append(VersionVector.Entry(actor: entry.actor, counter: entry.counter))
        }
        return VersionVector(sorted: entries)
    }

    /// The digest of an encoded set: equal for equal sets, independent of the time.
    public static func digest(_ range: ByteRange, of bytes: RawSpan) -> UInt64 {
        // Zero is the digest of absence.
        max(1, Hash64.hash(bytes, range))
    }
}

/// One value of a set.
public struct Sibling: Equatable, Sendable {
    /// Its name.
    public var dot: Dot
    /// The stamp of its write.
    public var version: Version
    /// Whether the write was a deletion.
    public var isTombstone: Bool
    /// When it expires; nil for never.
    ///
    /// An expired value is a tombstone of the same version.
    public var expiry: WallClockTime?
    /// Where its bytes lie.
    public var value: ByteRange
    /// Where its encoding lies, from the version on.
    var encoding: ByteRange

    /// Whether a reader at this time does not see it.
    public func isAbsent(at wall: WallClockTime) -> Bool {
        if isTombstone { return true }
        guard let expiry else { return false }
        return expiry <= wall
    }
}

extension SiblingSet {
    /// What a set knows of one actor.
    struct Entry: Equatable {
        var actor: ActorID
        var counter: UInt64
        var count: Int

        /// All events up to this one were seen and replaced.
        var base: UInt64 { counter - UInt64(count) }
    }

    /// Walks the entries of a set that was decoded from the same bytes.
    struct EntryCursor {
        private var reader: ByteReader
        private var left: Int

        init(_ set: SiblingSet) {
            let size = set.actorCount * SiblingSet.entrySize
            reader = ByteReader(ByteRange(offset: set.range.offset + 2, count: size))
            left = set.actorCount
        }

        mutating func next(in bytes: RawSpan) -> Entry? {
            guard left > 0, reader.end <= bytes.byteCount else { return nil }
            left -= 1
            guard let id = try? reader.actorID(in: bytes),
                let counter = try? reader.counter(in: bytes),
                let count = try? reader.uint16(in: bytes), UInt64(count) <= counter
            else { return nil }
            return Entry(actor: id, counter: counter, count: Int(count))
        }
    }

    /// Walks the values of a set that was decoded from the same bytes, tombstones among them.
    public struct Cursor: Sendable {
        private var entries: EntryCursor
        private var values: ByteReader
        private var entry: Entry?
        private var index = 0

        /// Begins with the first value.
        public init(_ set: SiblingSet) {
            let start = set.range.offset + 2 + set.actorCount * SiblingSet.entrySize
            entries = EntryCursor(set)
            values = ByteReader(ByteRange(offset: start, count: set.range.end - start))
        }

        /// The next value; nil behind the last.
        public mutating func next(in bytes: RawSpan) -> Sibling? {
            guard values.end <= bytes.byteCount else { return nil }
            while entry.map({ index == $0.count }) ?? true {
                guard let next = entries.next(in: bytes) else { return nil }
                entry = next
                index = 0
            }
            guard let entry, var sibling = try? SiblingSet.value(&values, bytes) else { return nil }
            sibling.dot = Dot(actor: entry.actor, counter: entry.counter - UInt64(index))
            index += 1
            return sibling
        }
    }

    /// Reads a value; its dot is the caller's to know.
    static func value(
        _ reader: inout ByteReader,
        _ bytes: RawSpan
    ) throws(CodingError) -> Sibling {
        let start = reader.position
        let version = try reader.version(in: bytes)
        let flags = try reader.uint8(in: bytes, "value flags")
        guard flags & ~3 == 0, flags != 3 else {
            throw .invalid(field: "value flags", value: UInt64(flags))
        }
        var expiry: WallClockTime?
        if flags & 2 != 0 {
            let milliseconds = try reader.uint64(in: bytes, "value expiry")
            guard milliseconds > 0, milliseconds < 1 << 48 else {
                throw .invalid(field: "value expiry", value: milliseconds)
            }
            expiry = WallClockTime(milliseconds: milliseconds)
        }
        let limit = flags & 1 == 0 ? Int(UInt32.max) : 0
        let value = try reader.prefixed(in: bytes, limit: limit, "value")
        return Sibling(
            dot: Dot(actor: ActorID(high: 0, low: 0), counter: 0),
            version: version,
            isTombstone: flags & 1 != 0,
            expiry: expiry,
            value: value,
            encoding: ByteRange(offset: start, count: reader.position - start)
        )
    }
}
