import ByteCoding
import ClusterPrimitives
import Replication
import Testing

@Suite struct `A consensus register` {
    private static let voters = [NodeID(1), NodeID(2), NodeID(3)]
    private static let deadline = MonotonicInstant(nanoseconds: 10_000_000_000)

    private static func at(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(milliseconds) * 1_000_000)
    }

    private static func proposer(_ node: UInt16 = 1, counter: UInt64 = 1) -> RegisterProposer {
        RegisterProposer(
            node: NodeID(node),
            voters: voters,
            counter: counter,
            deadline: deadline,
            seed: 1
        )
    }

    private static func ballot(_ counter: UInt64, _ node: UInt16) -> Ballot {
        Ballot(counter: counter, node: NodeID(node))
    }

    @Test func `voter promises a ballot once and accepts nothing below it`() {
        var voter = RegisterAcceptor()
        let low = Self.ballot(1, 1)
        let high = Self.ballot(1, 2)
        #expect(voter.prepare(high) == .promised(ballot: high, accepted: nil))
        #expect(voter.prepare(high) == .refused(ballot: high, highest: high))
        #expect(voter.prepare(low) == .refused(ballot: low, highest: high))
        #expect(voter.accept(ballot: low, value: [1]) == .refused(ballot: low, highest: high))
        #expect(voter.accept(ballot: high, value: [2]) == .accepted(ballot: high))
        #expect(voter.accept(ballot: high, value: [2]) == .accepted(ballot: high))
        #expect(voter.accept(ballot: high, value: [3]) == .refused(ballot: high, highest: high))
        let next = Self.ballot(2, 1)
        let kept = AcceptedValue(ballot: high, value: [2])
        #expect(voter.prepare(next) == .promised(ballot: next, accepted: kept))
        #expect(voter.accept(ballot: .none, value: []) == .refused(ballot: .none, highest: next))
    }

    @Test func `voter survives its encoding, and is not read from other bytes`() throws {
        var voter = RegisterAcceptor(initial: [7, 8])
        #expect(try RegisterAcceptor(decoding: voter.encode()) == voter)
        _ = voter.prepare(Self.ballot(4, 2))
        _ = voter.accept(ballot: Self.ballot(4, 2), value: [1, 2, 3])
        _ = voter.prepare(Self.ballot(9, 1))
        let bytes = voter.encode()
        #expect(try RegisterAcceptor(decoding: bytes) == voter)
        for length in 0..<bytes.count {
            #expect(throws: CodingError.self) {
                try RegisterAcceptor(decoding: Array(bytes[..<length]))
            }
        }
        var swapped = bytes
        swapped[1] = 3  // promised below accepted
        #expect(throws: CodingError.invalid(field: "accepted ballot", value: 4)) {
            try RegisterAcceptor(decoding: swapped)
        }
    }

    @Test func `asks for the value of the highest ballot and chooses what it is given`() {
        var proposer = Self.proposer(counter: 5)
        let ballot = Self.ballot(5, 1)
        #expect(
            proposer.start(at: Self.at(0)) == Self.voters.map { .prepare(ballot: ballot, to: $0) }
        )
        func promise(_ counter: UInt64, _ value: [UInt8]) -> PrepareReply {
            let accepted = AcceptedValue(ballot: Self.ballot(counter, 2), value: value)
            return .promised(ballot: ballot, accepted: accepted)
        }
        #expect(proposer.receive(promise(2, [2]), from: NodeID(1), at: Self.at(1)) == [])
        #expect(proposer.receive(promise(2, [2]), from: NodeID(1), at: Self.at(1)) == [])
        #expect(proposer.receive(promise(3, [3]), from: NodeID(9), at: Self.at(1)) == [])
        #expect(
            proposer.receive(promise(3, [3]), from: NodeID(2), at: Self.at(1))
                == [.propose(currentValue: [3])]
        )
        #expect(proposer.receive(promise(4, [4]), from: NodeID(3), at: Self.at(1)) == [])
        #expect(proposer.supply([3, 1], at: Self.at(2)).count == 3)
        let done = AcceptReply.accepted(ballot: ballot)
        #expect(proposer.receive(done, from: NodeID(1), at: Self.at(3)) == [])
        #expect(proposer.receive(done, from: NodeID(1), at: Self.at(3)) == [])
        #expect(
            proposer.receive(done, from: NodeID(3), at: Self.at(3))
                == [.finished(.chosen(value: [3, 1], ballot: ballot))]
        )
        #expect(proposer.receive(done, from: NodeID(2), at: Self.at(3)) == [])
        #expect(proposer.wakeUp == nil)
        #expect(proposer.tick(at: Self.deadline) == [])
    }

    @Test func `is lost at the deadline if no value was sent, and unknown if one was`() {
        var silent = Self.proposer()
        _ = silent.start(at: Self.at(0))
        for time in stride(from: 1000, to: 10_000, by: 1000) {
            #expect(silent.tick(at: Self.at(time)).count == 3)
        }
        #expect(silent.tick(at: Self.deadline) == [.finished(.lost)])

        var sent = Self.proposer()
        _ = sent.start(at: Self.at(0))
        let promise = PrepareReply.promised(ballot: sent.ballot, accepted: nil)
        _ = sent.receive(promise, from: NodeID(1), at: Self.at(1))
        #expect(
            sent.receive(promise, from: NodeID(2), at: Self.at(1)) == [.propose(currentValue: nil)]
        )
        _ = sent.supply([1], at: Self.at(1))
        #expect(sent.tick(at: Self.deadline) == [.finished(.unknown)])
    }

    @Test func `goes above a refusal after a pause, and ends when the owner withdraws`() {
        var proposer = Self.proposer()
        _ = proposer.start(at: Self.at(0))
        let refusal = PrepareReply.refused(ballot: proposer.ballot, highest: Self.ballot(7, 2))
        _ = proposer.receive(refusal, from: NodeID(1), at: Self.at(1))
        _ = proposer.receive(refusal, from: NodeID(2), at: Self.at(1))
        let wakeUp = proposer.wakeUp ?? Self.deadline
        #expect(wakeUp <= Self.at(52))
        #expect(proposer.tick(at: wakeUp).count == 3)
        #expect(proposer.ballot == Self.ballot(8, 1))
        #expect(proposer.receive(refusal, from: NodeID(1), at: wakeUp) == [])
        let promise = PrepareReply.promised(ballot: proposer.ballot, accepted: nil)
        _ = proposer.receive(promise, from: NodeID(1), at: wakeUp)
        _ = proposer.receive(promise, from: NodeID(3), at: wakeUp)
        #expect(proposer.withdraw() == [.finished(.withdrawn)])
        #expect(proposer.supply([1], at: wakeUp) == [])
    }

    @Test func `gives up without a trap when ballots are used up`() {
        var proposer = Self.proposer()
        _ = proposer.start(at: Self.at(0))
        let refusal = PrepareReply.refused(ballot: proposer.ballot, highest: Self.ballot(.max, 2))
        _ = proposer.receive(refusal, from: NodeID(1), at: Self.at(1))
        _ = proposer.receive(refusal, from: NodeID(2), at: Self.at(1))
        #expect(proposer.tick(at: Self.at(2000)) == [.finished(.lost)])
    }

    @Test(arguments: 1...200)
    func `chooses one chain of values, whatever the network and crashes do`(seed: Int) throws {
        var model = RegisterModel(seed: UInt64(seed))
        try model.run()
        #expect(model.violations == [], "seed \(seed)")
    }

    @Test func `chooses something in most runs, or the law above says nothing`() throws {
        var chosen = 0
        for seed in 1...50 {
            var model = RegisterModel(seed: UInt64(seed))
            try model.run()
            chosen += model.chosenOutcomes
        }
        #expect(chosen > 50)
    }

    @Test(arguments: 1...20)
    func `never chooses while a majority is down`(seed: Int) throws {
        var model = RegisterModel(seed: UInt64(seed), isMajorityDown: true)
        try model.run()
        #expect(model.violations == [], "seed \(seed)")
        #expect(model.chosenOutcomes == 0, "seed \(seed)")
    }
}
