public import ByteCoding

/// Who mints dots: 128 random bits, drawn anew at every start of a node's process and at every
/// loss of data that it detects while it runs.
///
/// Only these 16 bytes go into records and contexts, not the start number and not the node. Dots
/// need nothing of an actor but that no two share one: with 128 random bits the chance that any
/// two of a million actors are equal is below 2⁻⁸⁸. The start number orders the lives of one node,
/// which only its peers' watch over rolled-back disks needs, and so it stays in `Incarnation`.
public struct ActorID: Hashable, Comparable, Sendable {
    /// Encoded size in bytes.
    public static let size = 16

    /// The first 64 bits.
    public let high: UInt64
    /// The last 64 bits.
    public let low: UInt64

    /// The actor of these bits.
    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Equal bits.
    @inlinable
    public static func == (left: ActorID, right: ActorID) -> Bool {
        left.high == right.high && left.low == right.low
    }

    /// The order that encodings keep; it means nothing.
    @inlinable
    public static func < (left: ActorID, right: ActorID) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }

    /// The actor that takes this one's place when its node finds that it has lost data.
    ///
    /// It follows from this one, and is as unlikely as a random one to be anyone else.
    public var successor: ActorID {
        var writer = ByteWriter(capacity: Self.size)
        writer.actorID(self)
        return ActorID(
            high: Hash64.hash(writer.bytes, seed: 1),
            low: Hash64.hash(writer.bytes, seed: 2)
        )
    }
}

extension ActorID: CustomStringConvertible {
    /// 32 hexadecimal digits.
    public var description: String {
        [high, low].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// One life of a node: from a start of its process, or a detected loss of data, to the next.
///
///     incarnation := start: uint64, actor (16 bytes)
public struct Incarnation: Hashable, Sendable {
    /// Encoded size in bytes.
    public static let size = 8 + ActorID.size

    /// How many lives the node has had, on the disk that it woke up with.
    public let start: UInt64
    /// Who it is in dots.
    public let actor: ActorID

    /// The life of these parts.
    @inlinable
    public init(start: UInt64, actor: ActorID) {
        self.start = start
        self.actor = actor
    }

    /// How an incarnation that a node presents stands to the highest that was seen of it.
    public enum Standing: Equatable, Sendable {
        /// A later life: remember it.
        case newer
        /// The one that is known.
        case same
        /// The node woke up with an older copy of its disk: it is to be treated like a wiped one.
        case rolledBack
    }

    /// How this incarnation stands to the highest that was seen of the same node.
    ///
    /// A lower start number is an older disk. An equal one with other bits is two lives begun
    /// from one disk, of which at least one came from a copy.
    public func standing(against highest: Incarnation) -> Standing {
        if start > highest.start { return .newer }
        return self == highest ? .same : .rolledBack
    }
}

extension Incarnation: CustomStringConvertible {
    /// The start number and the actor, as `status` shows them.
    public var description: String { "\(start)-\(actor)" }
}

extension ByteWriter {
    /// Appends an actor.
    @inlinable
    public mutating func actorID(_ id: ActorID) {
        integers([id.high, id.low])
    }

    /// Appends an incarnation.
    @inlinable
    public mutating func incarnation(_ incarnation: Incarnation) {
        uint64(incarnation.start)
        actorID(incarnation.actor)
    }
}

extension ByteReader {
    /// Reads an actor.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func actorID(in bytes: RawSpan) throws(CodingError) -> ActorID {
        ActorID(
            high: try uint64(in: bytes, "actor"),
            low: try uint64(in: bytes, "actor")
        )
    }

    /// Reads an incarnation.
    ///
    /// - Throws: `truncated`.
    @inlinable
    public mutating func incarnation(in bytes: RawSpan) throws(CodingError) -> Incarnation {
        Incarnation(
            start: try uint64(in: bytes, "incarnation"),
            actor: try actorID(in: bytes)
        )
    }
}
