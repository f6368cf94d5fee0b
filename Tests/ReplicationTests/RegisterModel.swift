import ClusterPrimitives
import Replication

/// Voters with durable state, competing proposers and a network that loses, repeats and reorders.
///
/// A value is the list of the changes made so far, one byte each; so a value chosen later must
/// begin with every value chosen before it.
struct RegisterModel {
    private enum Message {
        case prepare(Ballot)
        case accept(Ballot, [UInt8])
        case prepared(PrepareReply, NodeID)
        case accepted(AcceptReply, NodeID)
    }

    private struct Parcel {
        var due: Int
        /// A voter for requests, an index of a proposer for replies.
        var target: Int
        var message: Message
        /// The proposer that the reply goes to.
        var origin: Int
    }

    private var random: SeededRandom
    private let voters: [NodeID]
    /// What each voter's disk holds; a crash loses all but that.
    private var disks: [[UInt8]]
    private var downUntil: [Int]
    private var proposers: [RegisterProposer] = []
    private var parcels: [Parcel] = []
    private var time = 0
    private let lossPercent: Int
    /// Voters that accepted a ballot, and its value.
    private var acceptances: [Ballot: (value: [UInt8], voters: Set<Int>)] = [:]
    private(set) var chosenOutcomes = 0
    private(set) var violations: [String] = []

    init(seed: UInt64, isMajorityDown: Bool = false) {
        random = SeededRandom(seed: seed)
        let count = random.pick([1, 3, 4, 5, 7])
        voters = (1...count).map { NodeID(UInt16($0)) }
        disks = voters.map { _ in RegisterAcceptor(initial: []).encode() }
        lossPercent = random.below(25)
        let majority = count / 2 + 1
        downUntil = voters.indices.map { isMajorityDown && $0 < majority ? .max : 0 }
    }

    /// Runs until all proposers are done, and checks what was chosen.
    mutating func run() throws {
        for index in 0..<random.number(in: 2...6) {
            proposers.append(
                RegisterProposer(
                    node: NodeID(UInt16(index + 1)),
                    voters: voters,
                    counter: UInt64(random.number(in: 1...5)),
                    deadline: instant(random.number(in: 500...20_000)),
                    seed: random.next()
                )
            )
            perform(proposers[index].start(at: instant(time)), of: index)
        }
        while proposers.contains(where: { !$0.isFinished }) || !parcels.isEmpty {
            time += 1
            crashSomebody()
            while let next = parcels.firstIndex(where: { $0.due <= time }) {
                try deliver(parcels.remove(at: next))
            }
            for index in proposers.indices {
                perform(proposers[index].tick(at: instant(time)), of: index)
            }
        }
        checkChain()
    }

    private func instant(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(milliseconds) * 1_000_000)
    }

    private mutating func crashSomebody() {
        guard random.chance(1, in: 200) else { return }
        let voter = random.below(voters.count)
        if downUntil[voter] != .max { downUntil[voter] = time + random.below(2_000) }
    }

    private mutating func send(_ parcel: Parcel) {
        if random.below(100) < lossPercent { return }
        for _ in 0..<(random.chance(1, in: 8) ? 2 : 1) {
            var copy = parcel
            copy.due = time + 1 + random.below(random.chance(1, in: 10) ? 3_000 : 30)
            parcels.append(copy)
        }
    }

    private mutating func deliver(_ parcel: Parcel) throws {
        let origin = parcel.origin
        switch parcel.message {
        case .prepare, .accept:
            guard downUntil[parcel.target] <= time else { return }
            try answer(parcel)
        case .prepared(let reply, let voter):
            perform(proposers[origin].receive(reply, from: voter, at: instant(time)), of: origin)
        case .accepted(let reply, let voter):
            perform(proposers[origin].receive(reply, from: voter, at: instant(time)), of: origin)
        }
    }

    private mutating func answer(_ parcel: Parcel) throws {
        let voter = parcel.target
        var acceptor = try RegisterAcceptor(decoding: disks[voter])
        var reply = parcel
        switch parcel.message {
        case .prepare(let ballot):
            reply.message = .prepared(acceptor.prepare(ballot), voters[voter])
        case .accept(let ballot, let value):
            let answer = acceptor.accept(ballot: ballot, value: value)
            reply.message = .accepted(answer, voters[voter])
            if answer == .accepted(ballot: ballot) { note(ballot, value, by: voter) }
        case .prepared, .accepted: return
        }
        // The state is synced before the reply leaves; the crash may come between.
        disks[voter] = acceptor.encode()
        if random.chance(1, in: 50), downUntil[voter] != .max {
            downUntil[voter] = time + random.below(500)
            return
        }
        send(reply)
    }

    private mutating func note(_ ballot: Ballot, _ value: [UInt8], by voter: Int) {
        var entry = acceptances[ballot] ?? (value, [])
        if entry.value != value { violations.append("two values under \(ballot)") }
        entry.voters.insert(voter)
        acceptances[ballot] = entry
    }

    private mutating func perform(_ effects: [RegisterProposer.Effect], of index: Int) {
        for effect in effects {
            switch effect {
            case .prepare(let ballot, let voter):
                request(.prepare(ballot), voter, index)
            case .accept(let ballot, let value, let voter):
                request(.accept(ballot, value), voter, index)
            case .propose(let current):
                let change = UInt8(index + 1)
                let value = current ?? []
                // A change that an earlier round brought there is confirmed, not made again.
                let next = value.contains(change) ? value : value + [change]
                perform(proposers[index].supply(next, at: instant(time)), of: index)
            case .finished(.chosen(let value, let ballot)):
                chosenOutcomes += 1
                let entry = acceptances[ballot]
                if entry?.value != value || (entry?.voters.count ?? 0) < voters.count / 2 + 1 {
                    violations.append("\(ballot) was told as chosen and is not")
                }
                if !value.contains(UInt8(index + 1)) { violations.append("a change is missing") }
            case .finished(.lost):
                let isThere = acceptances.contains { $0.value.value.contains(UInt8(index + 1)) }
                if isThere { violations.append("a lost change was accepted") }
            case .finished: break
            }
        }
    }

    private mutating func request(_ message: Message, _ voter: NodeID, _ index: Int) {
        let target = Int(voter.rawValue) - 1
        send(Parcel(due: 0, target: target, message: message, origin: index))
    }

    private mutating func checkChain() {
        let majority = voters.count / 2 + 1
        let chosen = acceptances.filter { $0.value.voters.count >= majority }
            .sorted { $0.key < $1.key }
            .map(\.value.value)
        for (earlier, later) in zip(chosen, chosen.dropFirst()) where !later.starts(with: earlier) {
            violations.append("\(later) does not follow \(earlier)")
        }
        for value in chosen where Set(value).count != value.count {
            violations.append("a change was made twice in \(value)")
        }
    }
}
