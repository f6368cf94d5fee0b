package import NIOCore
import Synchronization

/// Bounds the connections of one port, over all its event loops.
///
/// A connection is a stranger until its hello is accepted. Of too many strangers the oldest is
/// closed, so that sockets that say nothing cannot keep others out; of too many accepted
/// connections the newest is refused.
package final class ConnectionGate: Sendable {
    /// One connection's place.
    package struct Ticket: Hashable, Sendable {
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
    private let memory: ConnectionMemory
    private let state = Mutex(State())

    /// A gate with these bounds.
    package init(maximumStrangers: Int, maximumAccepted: Int, memory: ConnectionMemory) {
        self.memory = memory
        self.maximumStrangers = maximumStrangers
        self.maximumAccepted = maximumAccepted
    }

    /// Connections that are through the hello.
    package var acceptedCount: Int { state.withLock(\.accepted) }

    /// Connections that are not.
    package var strangerCount: Int { state.withLock(\.strangers.count) }

    /// Lets a stranger in.
    ///
    /// - Returns: its place, and the oldest stranger when there are too many: the caller closes
    ///   it.
    package func enter(_ channel: any Channel) -> (Ticket, evicted: (any Channel)?) {
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
    package func accept(_ ticket: Ticket) -> Bool {
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
    /// `wasAccepted`: whether `accept` had let it in.
    package func leave(_ ticket: Ticket, wasAccepted: Bool) {
        memory.noteEnd()
        state.withLock { state in
            if wasAccepted {
                state.accepted -= 1
            } else {
                _ = state.strangers.removeValue(forKey: ticket.number)
            }
        }
    }
}
