import NIOCore
import NIOEmbedded
import NodeRuntime
import Testing

@Suite struct `Connection gate` {
    private func gate(strangers: Int, accepted: Int) -> ConnectionGate {
        ConnectionGate(
            maximumStrangers: strangers,
            maximumAccepted: accepted,
            memory: ConnectionMemory()
        )
    }

    @Test func `of too many strangers the oldest that is still one is to be closed`() {
        let gate = gate(strangers: 2, accepted: 10)
        let channels = (0..<5).map { _ in EmbeddedChannel() }
        let tickets = channels[..<2].map { gate.enter($0) }
        #expect(tickets.allSatisfy { $0.evicted == nil })
        #expect(gate.accept(tickets[0].0))
        #expect(gate.enter(channels[2]).evicted == nil)
        #expect(gate.enter(channels[3]).evicted === channels[1])
        #expect(gate.enter(channels[4]).evicted === channels[2])
        #expect(gate.strangerCount == 2)
        #expect(gate.acceptedCount == 1)
    }

    @Test func `one that was evicted is not accepted any more`() {
        let gate = gate(strangers: 1, accepted: 10)
        let first = gate.enter(EmbeddedChannel()).0
        _ = gate.enter(EmbeddedChannel())
        #expect(!gate.accept(first))
        gate.leave(first, wasAccepted: false)
        #expect(gate.strangerCount == 1)
    }

    @Test func `beyond the maximum nobody is accepted until someone leaves`() {
        let gate = gate(strangers: 10, accepted: 1)
        let first = gate.enter(EmbeddedChannel()).0
        let second = gate.enter(EmbeddedChannel()).0
        #expect(gate.accept(first))
        #expect(!gate.accept(second))
        gate.leave(first, wasAccepted: true)
        #expect(gate.accept(second))
        #expect(gate.acceptedCount == 1)
    }
}
