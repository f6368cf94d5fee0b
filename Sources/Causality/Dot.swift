public import ByteCoding

/// The name of one event of one key: who minted it, and its number among the minter's events.
///
/// A dot names one event for ever; that is what everything in this module rests on.
public struct Dot: Hashable, Comparable, Sendable {
    /// The highest number of an event, so that arithmetic on numbers from disk cannot overflow.
    public static let maximumCounter = UInt64.max >> 1

    /// Who minted it.
    public let actor: ActorID
    /// From 1 to `maximumCounter`.
    public let counter: UInt64

    /// The dot of these parts.
    @inlinable
    public init(actor: ActorID, counter: UInt64) {
        self.actor = actor
        self.counter = counter
    }

    /// Equal parts.
    @inlinable
    public static func == (left: Dot, right: Dot) -> Bool {
        left.counter == right.counter && left.actor == right.actor
    }

    /// By actor, then number.
    @inlinable
    public static func < (left: Dot, right: Dot) -> Bool {
        left.actor == right.actor ? left.counter < right.counter : left.actor < right.actor
    }
}

extension ByteReader {
    /// Reads the number of an event.
    ///
    /// - Throws: `truncated`, `invalid` outside of 1 to `Dot.maximumCounter`.
    @inlinable
    mutating func counter(in bytes: RawSpan) throws(CodingError) -> UInt64 {
        let counter = try uint64(in: bytes, "counter")
        guard counter > 0, counter <= Dot.maximumCounter else {
            throw .invalid(field: "counter", value: counter)
        }
        return counter
    }
}
