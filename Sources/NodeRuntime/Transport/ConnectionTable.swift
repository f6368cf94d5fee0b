import NodeCore

/// The inbound connections of one lane, by the numbers that the lane knows them by.
///
/// A number is given again only when its connection is gone and no answer for it is under way any
/// more: a late one would otherwise reach a stranger.
struct ConnectionTable {
    private struct Slot {
        var connection: InboundConnection?
        /// Jobs and control requests of the connection whose answers are still to come.
        var outstanding = 0
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []

    /// Gives a connection a number.
    mutating func insert(_ connection: InboundConnection) -> ConnectionID {
        if let number = free.popLast() {
            slots[Int(number)] = Slot(connection: connection)
            return ConnectionID(number)
        }
        slots.append(Slot(connection: connection))
        return ConnectionID(UInt32(slots.count - 1))
    }

    /// The connection of a number; nil when it is gone.
    subscript(id: ConnectionID) -> InboundConnection? {
        Int(id.rawValue) < slots.count ? slots[Int(id.rawValue)].connection : nil
    }

    /// Forgets a connection that is gone.
    mutating func remove(_ id: ConnectionID) {
        let index = Int(id.rawValue)
        guard index < slots.count, slots[index].connection != nil else { return }
        slots[index].connection = nil
        if slots[index].outstanding == 0 { free.append(id.rawValue) }
    }

    /// Notes that an answer for the connection is under way.
    mutating func beginWork(for number: UInt32) {
        guard Int(number) < slots.count else { return }
        slots[Int(number)].outstanding += 1
    }

    /// Notes that an answer for the connection has come.
    mutating func endWork(for number: UInt32) {
        let index = Int(number)
        guard index < slots.count, slots[index].outstanding > 0 else { return }
        slots[index].outstanding -= 1
        if slots[index].outstanding == 0, slots[index].connection == nil { free.append(number) }
    }

    /// All connections.
    var connections: [InboundConnection] { slots.compactMap(\.connection) }
}
