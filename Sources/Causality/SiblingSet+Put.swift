public import ByteCoding
public import ClusterPrimitives

/// What the writer of a value has seen of its key.
public enum SeenSiblings: Equatable, Sendable {
    /// Nothing: the write stands beside all that is there.
    case nothing
    /// These events.
    case vector(VersionVector)
}

/// A value, or a deletion, to be put into a set.
public struct SiblingWrite: Equatable, Sendable {
    /// The stamp of the write; above the `newestVersion` of the set it is put into.
    public var version: Version
    /// Whether it is a deletion; then there is no value and no expiry.
    public var isTombstone: Bool
    /// When the value expires; nil for never.
    public var expiry: WallClockTime?
    /// Where the value lies in the bytes that come with it.
    public var value: ByteRange

    /// The write of these parts.
    public init(
        version: Version,
        isTombstone: Bool,
        expiry: WallClockTime?,
        value: ByteRange = .empty
    ) {
        self.version = version
        self.isTombstone = isTombstone
        self.expiry = isTombstone ? nil : expiry
        self.value = isTombstone ? .empty : value
    }

    /// Whether a reader at this time sees no value.
    func isAbsent(at wall: WallClockTime) -> Bool {
        if isTombstone { return true }
        guard let expiry else { return false }
        return expiry <= wall
    }
}

/// What became of a put.
public enum SiblingPutOutcome: Equatable, Sendable {
    /// The whole new set was appended.
    ///
    /// - dot: the name of the new value; it must be durable before it leaves the node.
    /// - values: the values that the set now keeps, tombstones among them.
    /// - seen: what the writer has seen of them now: of each actor what is in the set no more, and
    ///   its own value, unless the set keeps an older one of the same actor, since no version
    ///   vector tells the two apart.
    case written(dot: Dot, values: Int, seen: VersionVector)
    /// The set would keep more than `SiblingSet.maximumCount` values; nothing was appended.
    case tooManySiblings(values: Int)
    /// The actor's numbers are used up; nothing was appended.
    case exhausted
}

extension SiblingSet {
    /// What a write with this context is taken to have seen, by a coordinator whose merged view
    /// of the key is `view` (nil where it has none).
    ///
    /// Where nothing is left that a reader would see, all of it counts as seen, too: a deletion
    /// cannot conflict with the creation that follows it. Otherwise the context is believed.
    ///
    /// `bytes` are those that the view was decoded from.
    public static func seen(
        by context: VersionVector?,
        of view: SiblingSet?,
        in bytes: RawSpan,
        at wall: WallClockTime
    ) -> SeenSiblings {
        guard let view, view.isAbsent(at: wall) else {
            return context.map(SeenSiblings.vector) ?? .nothing
        }
        // The context may speak of values that the view has not heard of.
        var all = view.context(in: bytes)
        if let context { all.merge(context) }
        return .vector(all)
    }

    /// Puts a value into a set, in place of those that its writer has seen, and appends the whole
    /// new set.
    ///
    /// The value's dot is the actor's next. To be called by the actor's own node, for a set that
    /// holds all its earlier events of the key, one call for a key at a time: from the read of
    /// `local` to the moment the new set can be read.
    ///
    /// - Parameters:
    ///   - write: the value or deletion, its bytes in `source`.
    ///   - source: where the value's bytes lie.
    ///   - local: the coordinator's merged view of the key, decoded from `bytes`; nil for none.
    ///   - bytes: where the local set lies.
    ///   - seen: what the writer has seen.
    ///   - actor: who mints the dot.
    ///   - floor: the number after which an actor's numbers begin that the set does not know. It
    ///     must not lie below any number that the actor gave out for this key and that a purge
    ///     may have forgotten since, or a replica that has not purged takes the new value for one
    ///     already replaced. A store that never purges passes 0; one that does can pass the raw
    ///     timestamp of the write's version, which is above all earlier numbers of the actor.
    ///   - limit: the values above which the write is refused. A write that leaves no other value
    ///     is never refused.
    ///   - writer: gains the set.
    /// - Returns: what became of it.
    public static func put(
        _ write: SiblingWrite,
        of source: RawSpan,
        over local: SiblingSet?,
        of bytes: RawSpan,
        seen: SeenSiblings,
        by actor: ActorID,
        floor: UInt64 = 0,
        limit: Int = SiblingSet.maximumCount,
        into writer: inout ByteWriter
    ) -> SiblingPutOutcome {
        let start = writer.count
        guard
            let (dot, kept, after) = writer.header(afterPutOver: local, bytes, seen, actor, floor)
        else {
            writer.bytes.removeLast(writer.count - start)
            return .exhausted
        }
        guard kept == 0 || kept < limit else {
            writer.bytes.removeLast(writer.count - start)
            return .tooManySiblings(values: kept + 1)
        }
        var isWritten = false
        if let local, kept > 0 {
            var cursor = Cursor(local)
            while let sibling = cursor.next(in: bytes) {
                // The new value stands before all others of its actor.
                if !isWritten, sibling.dot.actor >= actor {
                    writer.value(write, of: source)
                    isWritten = true
                }
                if !seen.contains(sibling.dot) { writer.raw(sibling.encoding, of: bytes) }
            }
        }
        if !isWritten { writer.value(write, of: source) }
        return .written(dot: dot, values: kept + 1, seen: after)
    }
}

extension SeenSiblings {
    /// The number up to which an actor's events were seen.
    func counter(of id: ActorID) -> UInt64 {
        switch self {
        case .nothing: 0
        case .vector(let vector): vector.counter(of: id)
        }
    }

    /// Whether the event was seen.
    func contains(_ dot: Dot) -> Bool {
        dot.counter <= counter(of: dot.actor)
    }
}

extension ByteWriter {
    /// Appends the entries of a set after a put, and returns the new dot, how many of the old
    /// values stay, and what the writer has seen now; nil when the actor's numbers are used up.
    fileprivate mutating func header(
        afterPutOver local: SiblingSet?,
        _ bytes: RawSpan,
        _ seen: SeenSiblings,
        _ id: ActorID,
        _ floor: UInt64
    ) -> (Dot, kept: Int, after: VersionVector)? {
        let start = count
        uint16(0)
        var context: [VersionVector.Entry] = []
        if case .vector(let vector) = seen { context = vector.entries }
        var cursor = local.map(SiblingSet.EntryCursor.init)
        var known = cursor?.next(in: bytes)
        var index = 0
        var isOwnWritten = false
        var dot: Dot?
        var kept = 0
        var actors = 0
        var after: [VersionVector.Entry] = []
        after.reserveCapacity(max(context.count, local?.actorCount ?? 0) + 1)
        while true {
            let told = index < context.count ? context[index] : nil
            var least = isOwnWritten ? nil : id
            if let known { least = least.map { min($0, known.actor) } ?? known.actor }
            if let told { least = least.map { min($0, told.actor) } ?? told.actor }
            guard let current = least else { break }
            var entry = SiblingSet.Entry(actor: current, counter: 0, count: 0)
            if let found = known, found.actor == current {
                entry = found
                // What was seen goes; the rest are the newest.
                let told = told?.actor == current ? told?.counter ?? 0 : 0
                let seenCounter = min(told, found.counter)
                entry.count = min(found.count, Int(clamping: found.counter - seenCounter))
                kept += entry.count
                known = cursor?.next(in: bytes)
            }
            if let told, told.actor == current {
                entry.counter = max(entry.counter, told.counter)
                index += 1
            }
            if current == id {
                isOwnWritten = true
                let previous = entry.counter > 0 ? entry.counter : floor
                guard previous < Dot.maximumCounter, entry.count < Int(UInt16.max) else {
                    return nil
                }
                entry.counter = previous + 1
                entry.count += 1
                dot = Dot(actor: id, counter: entry.counter)
            }
            self.entry(entry)
            actors += 1
            let isOwn = current == id && entry.count == 1
            let counter = isOwn ? entry.counter : entry.base
            if counter > 0 { after.append(VersionVector.Entry(actor: current, counter: counter)) }
        }
        guard let dot, actors <= Int(UInt16.max) else { return nil }
        self.bytes[start] = UInt8(truncatingIfNeeded: actors)
        self.bytes[start + 1] = UInt8(truncatingIfNeeded: actors >> 8)
        return (dot, kept, VersionVector(sorted: after))
    }

    /// Appends a value of a set.
    fileprivate mutating func value(_ write: SiblingWrite, of source: RawSpan) {
        recordHeader(
            version: write.version,
            isTombstone: write.isTombstone,
            expiry: write.expiry
        )
        prefixed(write.value, of: source)
    }
}
