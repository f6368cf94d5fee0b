import NIOCore
import Synchronization

/// Bounds the connections of one port, over all its event loops.
///
/// A connection is a stranger until its hello is accepted. Of too many strangers the oldest is
/// closed, so that sockets that say nothing cannot keep others out; of too many accepted
/// connections the newest is refused.
final class ConnectionGate: Sendable {
    /// One connection's place.
    struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct State {
        var next: UInt64 = 0
        /// No stranger has a smaller number.
        var oldest: UInt64 = 0
        var strangers: [UInt64: any Channel] = [:]
        var accepted = 0
    }

    private let maximumStrangers: Int
    private let maximumAccepted: Int
    private let state = Mutex(State())

    /// A gate with these bounds.
    init(maximumStrangers: Int, maximumAccepted: Int) {
        self.maximumStrangers = maximumStrangers
        self.maximumAccepted = maximumAccepted
    }

    /// Connections that are through the hello.
    var acceptedCount: Int { state.withLock(\.accepted) }

    /// Connections that are not.
    var strangerCount: Int { state.withLock(\.strangers.count) }

    /// Lets a stranger in.
    ///
    /// - Returns: its place, and the oldest stranger when there are too many: the caller closes
    ///   it.
    func enter(_ channel: any Channel) -> (Ticket, evicted: (any Channel)?) {
        state.withLock { state in
            let number = state.next
            state.next += 1
            state.strangers[number] = channel
            guard state.strangers.count > maximumStrangers else {
                return (Ticket(number: number), nil)
            }
            return (Ticket(number: number), Self.removeOldest(&state))
        }
    }

    // Each number is passed once, so this is O(1) a connection over time.
    private static func removeOldest(_ state: inout State) -> (any Channel)? {
        while state.oldest < state.next {
            let number = state.oldest
            state.oldest += 1
            if let channel = state.strangers.removeValue(forKey: number) { return channel }
        }
        return nil
    }

    /// Counts a stranger as accepted; false when there is no room, or it was evicted already.
    func accept(_ ticket: Ticket) -> Bool {
        state.withLock { state in
            guard state.accepted < maximumAccepted,
                state.strangers.removeValue(forKey: ticket.number) != nil
            else { return false }
            state.accepted += 1
            return true
        }
    }

    /// Notes that a connection is gone.
    ///
    /// - Parameter wasAccepted: whether `accept` had let it in.
    func leave(_ ticket: Ticket, wasAccepted: Bool) {
        state.withLock { state in
            if wasAccepted {
                state.accepted -= 1
            } else {
                _ = state.strangers.removeValue(forKey: ticket.number)
            }
        }
    }
}
