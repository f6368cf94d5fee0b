package import ClusterPrimitives

/// One attempt to change a consensus register, from the first ballot to the answer.
///
/// CASPaxos: *prepare* at all voters; with the promises of a majority the value of the highest
/// ballot among them is the current one, and the owner is asked for the next; *accept* at all
/// voters; with a majority it is chosen. A refusal by a higher ballot is followed by a pause and
/// a higher ballot of its own, until the deadline.
///
/// The owner is asked anew in each round, and its change may already be in the current value,
/// brought there by an earlier round whose answers were lost. It recognises that by the value
/// (an epoch, an operation id) and then supplies the current value unchanged, which confirms it.
package struct RegisterProposer: Sendable {
    /// What can be tuned.
    package struct Settings: Equatable, Sendable {
        /// Time a round waits for a majority before the next; 1 s.
        ///
        /// More suits slow links, less recovers sooner from lost messages.
        package var roundTimeout: Duration
        /// Upper end of the first pause after a refusal, doubled with each; 50 ms.
        ///
        /// Pauses are drawn between nothing and the end, so that competitors part.
        package var firstPause: Duration
        /// Upper end of any pause; 2 s.
        package var longestPause: Duration

        /// The defaults where nothing is said.
        package init(
            roundTimeout: Duration = .seconds(1),
            firstPause: Duration = .milliseconds(50),
            longestPause: Duration = .seconds(2)
        ) {
            self.roundTimeout = roundTimeout
            self.firstPause = firstPause
            self.longestPause = longestPause
        }
    }

    /// How an attempt ended.
    package enum Outcome: Equatable, Sendable {
        /// A majority holds `value` under `ballot`.
        case chosen(value: [UInt8], ballot: Ballot)
        /// The owner withdrew in answer to `propose`; no value of the last round was sent.
        case withdrawn
        /// The deadline passed before any value was sent: nothing was changed.
        case lost
        /// The deadline passed after a value was sent: it may be chosen, now or later.
        case unknown
    }

    /// What the owner has to do.
    package enum Effect: Equatable, Sendable {
        /// Send `prepare` to a voter, which may be this node itself.
        case prepare(ballot: Ballot, to: NodeID)
        /// Answer with `supply` or `withdraw`; nil means the register never had a value.
        case propose(currentValue: [UInt8]?)
        /// Send `accept` to a voter, which may be this node itself.
        case accept(ballot: Ballot, value: [UInt8], to: NodeID)
        /// The attempt is over; given exactly once.
        case finished(Outcome)
    }

    private enum Phase: Equatable {
        case idle
        case preparing(promises: [NodeID], refusals: [NodeID], newest: AcceptedValue?)
        case asking
        case accepting(value: [UInt8], acceptances: [NodeID], refusals: [NodeID])
        case pausing
        case finished
    }

    /// The voters, fixed for this attempt.
    package let voters: [NodeID]
    /// When it gives up.
    package let deadline: MonotonicInstant
    /// The ballot of the running or last round.
    package private(set) var ballot: Ballot
    /// When `tick` is due next; nil once the attempt is over.
    package private(set) var wakeUp: MonotonicInstant?

    private let settings: Settings
    private var phase = Phase.idle
    private var highestCounter: UInt64
    private var refusedRounds = 0
    private var hasSentValue = false
    private var random: SeededRandom

    /// An attempt of `node` that has not begun.
    ///
    /// `counter` must be above all counters that this node used before, over restarts too: a
    /// stamp of its hybrid clock is. `voters` are distinct and not empty.
    package init(
        node: NodeID,
        voters: [NodeID],
        counter: UInt64,
        deadline: MonotonicInstant,
        seed: UInt64,
        settings: Settings = Settings()
    ) {
        precondition(!voters.isEmpty, "a register without voters can never choose")
        self.voters = voters
        self.deadline = deadline
        self.settings = settings
        ballot = Ballot(counter: 0, node: node)
        highestCounter = counter == 0 ? 0 : counter - 1
        random = SeededRandom(seed: seed)
    }

    /// Whether the outcome was given.
    package var isFinished: Bool { phase == .finished }

    /// The least number of voters of which any two sets share one.
    package var majority: Int { voters.count / 2 + 1 }

    /// Begins the first round.
    package mutating func start(at now: MonotonicInstant) -> [Effect] {
        guard phase == .idle else { return [] }
        return beginRound(at: now)
    }

    /// Takes a voter's answer to `prepare`; late, repeated and foreign ones change nothing.
    package mutating func receive(
        _ reply: PrepareReply,
        from voter: NodeID,
        at now: MonotonicInstant
    ) -> [Effect] {
        guard voters.contains(voter) else { return [] }
        note(reply)
        guard case .preparing(var promises, var refusals, var newest) = phase else { return [] }
        switch reply {
        case .promised(let answered, let accepted):
            guard answered == ballot, !promises.contains(voter) else { return [] }
            promises.append(voter)
            if let accepted, newest.map({ $0.ballot < accepted.ballot }) ?? true {
                newest = accepted
            }
            if promises.count >= majority {
                phase = .asking
                return [.propose(currentValue: newest?.value)]
            }
        case .refused(let answered, let highest):
            // A refusal by the very same ballot answers a message that the network repeated.
            guard answered == ballot, highest > ballot, !refusals.contains(voter) else { return [] }
            refusals.append(voter)
            if voters.count - refusals.count < majority { return pause(at: now) }
        }
        phase = .preparing(promises: promises, refusals: refusals, newest: newest)
        return []
    }

    /// Takes a voter's answer to `accept`; late, repeated and foreign ones change nothing.
    package mutating func receive(
        _ reply: AcceptReply,
        from voter: NodeID,
        at now: MonotonicInstant
    ) -> [Effect] {
        guard voters.contains(voter) else { return [] }
        if case .refused(_, let highest) = reply { note(highest) }
        guard case .accepting(let value, var acceptances, var refusals) = phase else { return [] }
        switch reply {
        case .accepted(let answered):
            guard answered == ballot, !acceptances.contains(voter) else { return [] }
            acceptances.append(voter)
            if acceptances.count >= majority {
                return finish(.chosen(value: value, ballot: ballot))
            }
        case .refused(let answered, let highest):
            guard answered == ballot, highest > ballot, !refusals.contains(voter) else { return [] }
            refusals.append(voter)
            if voters.count - refusals.count < majority { return pause(at: now) }
        }
        phase = .accepting(value: value, acceptances: acceptances, refusals: refusals)
        return []
    }

    /// Answers `propose` with the value that shall follow the current one.
    package mutating func supply(_ value: [UInt8], at now: MonotonicInstant) -> [Effect] {
        guard phase == .asking else { return [] }
        guard now < deadline else { return giveUp() }
        precondition(
            value.count <= RegisterAcceptor.maximumValueSize,
            "a register value of \(value.count) bytes was supplied"
        )
        phase = .accepting(value: value, acceptances: [], refusals: [])
        hasSentValue = true
        wakeUp = min(deadline, now + settings.roundTimeout)
        return voters.map { .accept(ballot: ballot, value: value, to: $0) }
    }

    /// Answers `propose` with: the current value does not allow the change.
    package mutating func withdraw() -> [Effect] {
        guard phase == .asking else { return [] }
        return finish(.withdrawn)
    }

    /// Does what is due at `wakeUp`: the next round, or the end.
    package mutating func tick(at now: MonotonicInstant) -> [Effect] {
        guard let due = wakeUp, now >= due else { return [] }
        return now >= deadline ? giveUp() : beginRound(at: now)
    }

    private mutating func beginRound(at now: MonotonicInstant) -> [Effect] {
        let (counter, overflow) = highestCounter.addingReportingOverflow(1)
        guard now < deadline, !overflow else { return giveUp() }
        highestCounter = counter
        ballot.counter = counter
        phase = .preparing(promises: [], refusals: [], newest: nil)
        wakeUp = min(deadline, now + settings.roundTimeout)
        return voters.map { .prepare(ballot: ballot, to: $0) }
    }

    private mutating func pause(at now: MonotonicInstant) -> [Effect] {
        let doubled = settings.firstPause * (1 << min(refusedRounds, 16))
        refusedRounds += 1
        let longest = min(doubled, settings.longestPause).wholeMilliseconds
        let pause = random.below(Int(max(1, longest)) + 1)
        phase = .pausing
        wakeUp = min(deadline, now + .milliseconds(pause))
        return []
    }

    private mutating func note(_ reply: PrepareReply) {
        if case .refused(_, let highest) = reply { note(highest) }
    }

    private mutating func note(_ highest: Ballot) {
        highestCounter = max(highestCounter, highest.counter)
    }

    private mutating func giveUp() -> [Effect] {
        finish(hasSentValue ? .unknown : .lost)
    }

    private mutating func finish(_ outcome: Outcome) -> [Effect] {
        phase = .finished
        wakeUp = nil
        return [.finished(outcome)]
    }
}
