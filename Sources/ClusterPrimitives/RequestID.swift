/// An open request of one lane: a slot of its table and the slot's generation.
///
/// It is the correlation of every frame the request sends, so an answer finds its slot without
/// hashing, and an answer that comes too late finds another generation, and so nothing.
public struct RequestID: Hashable, Sendable {
    /// lane (8 bits), generation (32 bits), slot (24 bits), from the top.
    public let rawValue: UInt64

    /// The id with these parts.
    ///
    /// `slot` is below 2²⁴.
    @inlinable
    public init(lane: UInt8, generation: UInt32, slot: Int) {
        rawValue = UInt64(lane) << 56 | UInt64(generation) << 24 | UInt64(slot & 0xFF_FFFF)
    }

    /// The id of a correlation that a frame carries.
    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The lane that owns the request.
    @inlinable
    public var lane: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }
    /// The slot's generation when the request took it.
    @inlinable
    public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 24) }
    /// The slot in the table.
    @inlinable
    public var slot: Int { Int(rawValue & 0xFF_FFFF) }
}
