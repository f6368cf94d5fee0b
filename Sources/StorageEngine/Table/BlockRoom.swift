internal import FileSystems

/// Memory for a block that is read, used and forgotten; it stays warm from one to the next.
///
/// Unchecked because each is used by one at a time: by who took it out of the pool.
final class BlockRoom: @unchecked Sendable {
    private static let usual = 16 << 10
    private(set) var stored = Memory(capacity: usual)
    private(set) var raw = Memory(capacity: 0)

    /// Whether it is worth keeping.
    var isSmall: Bool { stored.capacity + raw.capacity <= 8 * Self.usual }

    /// Memory for a block as it is stored.
    func stored(_ count: Int) -> Memory {
        if stored.capacity < count { stored = Memory(capacity: count) }
        return stored
    }

    /// Memory for its payload, decompressed.
    func raw(_ count: Int) -> Memory {
        if raw.capacity < count { raw = Memory(capacity: max(count, Self.usual)) }
        return raw
    }
}

/// Rooms for those who read a block now and then.
final class BlockRoomPool: Sendable {
    private static let limit = 64
    private let idle = Lock<[BlockRoom]>([])

    /// A room for one user, who gives it back.
    func take() -> BlockRoom { idle.withLock { $0.popLast() } ?? BlockRoom() }

    func giveBack(_ room: BlockRoom) {
        guard room.isSmall else { return }
        idle.withLock { if $0.count < Self.limit { $0.append(room) } }
    }
}
