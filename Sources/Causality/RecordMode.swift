public import ByteCoding
public import ClusterPrimitives

/// What the records of a keyspace are, and what can be asked of one without knowing which.
///
/// A record of no bytes is no record: the key was never written here.
public enum RecordMode: UInt8, CaseIterable, Sendable {
    // On disk: never renumber. All are the numbers of keyspaces' conflict modes.

    /// One version: `StoredRecord`.
    case lww = 1
    /// All values that no write has seen: `SiblingSet`.
    case siblings = 2
    /// A sum of increments: `CounterState`.
    case counter = 3
    /// Elements of which an addition wins over a concurrent removal: `ObservedRemoveSet`.
    case set = 4
    /// Fields that are joined one by one: `MapState`.
    case map = 5
    /// Elements of which the later write wins: `LastWriterSet`.
    case lastWriterSet = 6
}

/// What reading a record once has found out about it.
public struct RecordSummary: Equatable, Sendable {
    /// The greatest stamp in it: the engine's stamp of the record.
    public var newestVersion: Version
    /// From when on a reader sees nothing, in milliseconds since 1970; 0 for always, nil for
    /// never.
    public var absentFrom: UInt64?
    /// From when on it may be purged, once the purge horizon has reached `newestVersion`.
    ///
    /// Nil for never, which can be so of a record that readers do not see.
    public var droppableFrom: UInt64?

    /// Whether a reader at this time sees nothing.
    public func isAbsent(at wall: WallClockTime) -> Bool {
        guard let absentFrom else { return false }
        return absentFrom <= wall.milliseconds
    }
}

extension RecordMode {
    /// Reads a record of this mode that fills `range`.
    ///
    /// - Throws: when it is none.
    public func summary(
        _ range: ByteRange,
        of bytes: RawSpan
    ) throws(CodingError) -> RecordSummary {
        switch self {
        case .lww:
            let record = try StoredRecord(decoding: range, of: bytes)
            let from = record.isTombstone ? 0 : record.expiry?.milliseconds
            return RecordSummary(
                newestVersion: record.version,
                absentFrom: from,
                droppableFrom: from
            )
        case .siblings:
            let set = try SiblingSet(decoding: range, of: bytes)
            return RecordSummary(
                newestVersion: set.newestVersion,
                absentFrom: set.droppableFrom,
                droppableFrom: set.droppableFrom
            )
        case .counter:
            let state = try CounterState(decoding: range, of: bytes)
            return RecordSummary(
                newestVersion: state.newestVersion,
                absentFrom: state.isAbsent ? 0 : nil,
                droppableFrom: nil
            )
        case .set:
            let state = try ObservedRemoveSet(decoding: range, of: bytes)
            return RecordSummary(
                newestVersion: state.newestVersion,
                absentFrom: state.isAbsent ? 0 : nil,
                droppableFrom: state.isAbsent ? 0 : nil
            )
        case .map:
            let state = try MapState(decoding: range, of: bytes)
            return RecordSummary(
                newestVersion: state.newestVersion,
                absentFrom: state.isAbsent ? 0 : nil,
                droppableFrom: state.isDroppable ? 0 : nil
            )
        case .lastWriterSet:
            let state = try LastWriterSet(decoding: range, of: bytes)
            return RecordSummary(
                newestVersion: state.newestVersion,
                absentFrom: state.isAbsent ? 0 : nil,
                droppableFrom: state.isAbsent ? 0 : nil
            )
        }
    }

    /// Whether a reader at this time sees nothing; bytes that are no record of this mode are not
    /// absent, since nobody knows what they were.
    public func isAbsent(_ range: ByteRange, of bytes: RawSpan, at wall: WallClockTime) -> Bool {
        if range.count == 0 { return true }
        return (try? summary(range, of: bytes))?.isAbsent(at: wall) ?? false
    }

    /// The digest of an encoded record: equal for equal records, independent of the time; 0 for
    /// no record, and for nothing else.
    ///
    /// It covers all bytes of the record, and so versions, dots and expiry times.
    public func digest(_ range: ByteRange, of bytes: RawSpan) -> UInt64 {
        range.count == 0 ? 0 : max(1, Hash64.hash(bytes, range))
    }

    /// Joins two records of one key.
    ///
    /// Commutative, associative, idempotent; nothing of either is lost. Bytes that are no record
    /// lose against bytes that are; of two such the greater stay, so that all replicas agree.
    public func join(existing: RawSpan, incoming: RawSpan) -> RecordJoin {
        switch self {
        case .lww:
            return LastWriterWins.incomingWins(existing, incoming) ? .takeIncoming : .keepExisting
        case .siblings:
            let left = try? SiblingSet(decoding: existing)
            let right = try? SiblingSet(decoding: incoming)
            guard let left, let right else {
                return Self.joinUnreadable(existing, left != nil, incoming, right != nil)
            }
            return SiblingSet.join(left, of: existing, right, of: incoming)
        case .counter:
            let left = try? CounterState(decoding: existing)
            let right = try? CounterState(decoding: incoming)
            guard var left, let right else {
                return Self.joinUnreadable(existing, left != nil, incoming, right != nil)
            }
            left.merge(right)
            var writer = ByteWriter(capacity: max(existing.byteCount, incoming.byteCount))
            left.encode(into: &writer)
            return Self.join(writer.bytes, of: existing, incoming)
        case .set:
            let left = try? ObservedRemoveSet(decoding: existing)
            let right = try? ObservedRemoveSet(decoding: incoming)
            guard var left, let right else {
                return Self.joinUnreadable(existing, left != nil, incoming, right != nil)
            }
            left.merge(right)
            var writer = ByteWriter(capacity: max(existing.byteCount, incoming.byteCount))
            left.encode(into: &writer)
            return Self.join(writer.bytes, of: existing, incoming)
        case .map:
            let left = try? MapState(decoding: existing)
            let right = try? MapState(decoding: incoming)
            guard var left, let right else {
                return Self.joinUnreadable(existing, left != nil, incoming, right != nil)
            }
            left.merge(right)
            var writer = ByteWriter(capacity: max(existing.byteCount, incoming.byteCount))
            left.encode(into: &writer)
            return Self.join(writer.bytes, of: existing, incoming)
        case .lastWriterSet:
            let left = try? LastWriterSet(decoding: existing)
            let right = try? LastWriterSet(decoding: incoming)
            guard var left, let right else {
                return Self.joinUnreadable(existing, left != nil, incoming, right != nil)
            }
            left.merge(right)
            var writer = ByteWriter(capacity: max(existing.byteCount, incoming.byteCount))
            left.encode(into: &writer)
            return Self.join(writer.bytes, of: existing, incoming)
        }
    }

    /// Says how a join stands to the two that were joined.
    static func join(
        _ joined: [UInt8],
        of existing: RawSpan,
        _ incoming: RawSpan
    ) -> RecordJoin {
        let bytes = joined.span.bytes
        let all = ByteRange(offset: 0, count: joined.count)
        if bytes.isEqual(all, to: existing, ByteRange(offset: 0, count: existing.byteCount)) {
            return .keepExisting
        }
        if bytes.isEqual(all, to: incoming, ByteRange(offset: 0, count: incoming.byteCount)) {
            return .takeIncoming
        }
        return .joined(joined)
    }

    /// As above, for records held in arrays; returns the join itself.
    public func joined(_ existing: [UInt8], _ incoming: [UInt8]) -> [UInt8] {
        switch join(existing: existing.span.bytes, incoming: incoming.span.bytes) {
        case .keepExisting: existing
        case .takeIncoming: incoming
        case .joined(let bytes): bytes
        }
    }

    /// Chooses between two records of which at least one cannot be read.
    static func joinUnreadable(
        _ existing: RawSpan,
        _ canReadExisting: Bool,
        _ incoming: RawSpan,
        _ canReadIncoming: Bool
    ) -> RecordJoin {
        if canReadExisting { return .keepExisting }
        if canReadIncoming { return .takeIncoming }
        let order = existing.compare(
            ByteRange(offset: 0, count: existing.byteCount),
            to: incoming,
            ByteRange(offset: 0, count: incoming.byteCount)
        )
        return order < 0 ? .takeIncoming : .keepExisting
    }
}
