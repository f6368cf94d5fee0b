import ByteCoding
import Causality
import ClusterPrimitives
import TestSupport
import Testing

@Suite struct `Update of a copy` {
    private static let me = ActorID(high: 1, low: 1)
    private static let other = ActorID(high: 2, low: 2)
    private static let now = WallClockTime(milliseconds: 1_700_000_000_000)

    private static func version(_ stamp: UInt64) -> Version {
        Version(timestamp: HybridTimestamp(rawValue: stamp), node: NodeID(1), lane: 0)
    }

    private static func terms(
        _ stamp: UInt64,
        by actor: ActorID = me,
        maximumSize: Int = 1 << 20
    ) -> UpdateTerms {
        UpdateTerms(version: version(stamp), actor: actor, wall: now, maximumSize: maximumSize)
    }

    /// A key's copy that changes are made to.
    private struct Copy {
        let mode: RecordMode
        var record: [UInt8] = []
        var stamp: UInt64 = 0

        init(_ mode: RecordMode) {
            self.mode = mode
        }

        mutating func make(
            _ update: RecordUpdate,
            seen context: CausalContext? = nil,
            by actor: ActorID = me
        ) -> UpdateOutcome {
            stamp += 1
            let outcome = mode.apply(update, seen: context, to: record, terms(stamp, by: actor))
            if case .changed(let change, _) = outcome { record = mode.joined(record, change) }
            return outcome
        }

        var values: [String] {
            guard let set = try? SiblingSet(decoding: record.span.bytes) else { return [] }
            var values: [String] = []
            set.forEachLive(at: now, in: record.span.bytes) {
                values.append(
                    String(decoding: record.span.bytes.array($0.value), as: UTF8.self)
                )
            }
            return values.sorted()
        }

        var context: CausalContext? {
            guard let set = try? SiblingSet(decoding: record.span.bytes) else { return nil }
            return CausalContext(siblings: set.context(in: record.span.bytes))
        }
    }

    private static func put(_ text: String) -> RecordUpdate {
        .put(value: Array(text.utf8), expiry: nil)
    }

    private static func answer(_ outcome: UpdateOutcome) throws -> UpdateAnswer {
        switch outcome {
        case .changed(_, let answer), .unchanged(let answer): return answer
        case .refused(let refusal): throw Refused(refusal: refusal)
        }
    }

    private struct Refused: Error {
        var refusal: UpdateRefusal
    }

    @Test func `blind puts stand beside each other, and one that saw them replaces them`() throws {
        var copy = Copy(.siblings)
        #expect(try Self.answer(copy.make(Self.put("a"))).siblings == 1)
        #expect(try Self.answer(copy.make(Self.put("b"), by: Self.other)).siblings == 2)
        #expect(copy.values == ["a", "b"])
        let seen = copy.context
        #expect(try Self.answer(copy.make(Self.put("c"), seen: seen)).siblings == 1)
        #expect(copy.values == ["c"])
    }

    @Test func `what a put returns replaces its own value and no sibling that it has not seen`()
        throws
    {
        var copy = Copy(.siblings)
        let first = try Self.answer(copy.make(Self.put("a")))
        _ = copy.make(Self.put("b"), by: Self.other)
        let second = try Self.answer(copy.make(Self.put("c"), seen: first.context))
        #expect(copy.values == ["b", "c"])
        _ = copy.make(Self.put("d"), seen: second.context)
        #expect(copy.values == ["b", "d"])
    }

    @Test func `two unseen values of one actor are not taken for seen by the later one's writer`()
        throws
    {
        var copy = Copy(.siblings)
        _ = copy.make(Self.put("a"))
        let blind = try Self.answer(copy.make(Self.put("b")))
        _ = copy.make(Self.put("c"), seen: blind.context)
        // No vector tells the writer's own b from a, which it has not seen: both stay.
        #expect(copy.values == ["a", "b", "c"])
    }

    @Test(arguments: 0..<20)
    func `no context that a put returns covers a live value its writer has not seen`(seed: Int)
        throws
    {
        var random = SeededRandom(seed: UInt64(seed))
        let actors = (1...3).map { ActorID(high: 9, low: UInt64($0)) }
        var copy = Copy(.siblings)
        var contexts: [CausalContext?] = [nil]
        for round in 0..<60 {
            let context = random.pick(contexts)
            let before = try? SiblingSet(decoding: copy.record.span.bytes)
            var unseen: Set<Dot> = []
            if let before {
                before.forEachLive(at: Self.now, in: copy.record.span.bytes) { sibling in
                    if context?.vector?.contains(sibling.dot) != true {
                        unseen.insert(sibling.dot)
                    }
                }
            }
            let outcome = copy.make(
                Self.put("\(round)"),
                seen: context,
                by: random.pick(actors)
            )
            guard case .changed(_, let answer) = outcome else { continue }
            for dot in unseen { #expect(answer.context.vector?.contains(dot) == false) }
            contexts.append(answer.context)
            contexts.append(copy.context)
            if contexts.count > 8 { contexts.removeFirst(2) }
            if copy.values.count > 20 { _ = copy.make(Self.put("all"), seen: copy.context) }
        }
    }

    @Test func `two clients that each miss the other's last write leave at most three siblings`()
        throws
    {
        var copy = Copy(.siblings)
        _ = copy.make(Self.put("start"))
        var seen = [copy.context, copy.context]
        for round in 0..<100 {
            let client = round % 2
            let actor = client == 0 ? Self.me : Self.other
            // What this client read before the other one's last write.
            let context = seen[client]
            seen[client] = copy.context
            #expect(
                try Self.answer(copy.make(Self.put("\(round)"), seen: context, by: actor)).siblings
                    <= 3
            )
        }
        #expect(copy.values.count <= 3)
    }

    @Test func `a copy keeps 32 values, then refuses those that replace none`() throws {
        var copy = Copy(.siblings)
        for index in 0..<SiblingSet.maximumCount { _ = copy.make(Self.put("\(index)")) }
        let full = copy.record
        #expect(copy.make(Self.put("more")) == .refused(.tooManySiblings(33)))
        #expect(copy.record == full)
        #expect(try Self.answer(copy.make(Self.put("all"), seen: copy.context)).siblings == 1)
        #expect(copy.values == ["all"])
    }

    @Test func `what only tombstones are left of was seen by everyone`() throws {
        var copy = Copy(.siblings)
        _ = copy.make(Self.put("a"))
        _ = copy.make(.delete, seen: copy.context)
        #expect(copy.values.isEmpty)
        let answer = try Self.answer(copy.make(Self.put("b"), by: Self.other))
        #expect(answer.siblings == 1)
        let set = try SiblingSet(decoding: copy.record.span.bytes)
        #expect(set.valueCount == 1)
    }

    @Test func `a stamp that is not above the copy's newest is told what it has to exceed`() {
        let mode = RecordMode.siblings
        guard
            case .changed(let record, _) = mode.apply(
                Self.put("a"),
                seen: nil,
                to: [],
                Self.terms(7)
            )
        else {
            Issue.record("the first put was refused")
            return
        }
        for stamp: UInt64 in [6, 7] {
            #expect(
                mode.apply(Self.put("b"), seen: nil, to: record, Self.terms(stamp))
                    == .refused(.stale(Self.version(7)))
            )
        }
    }

    @Test func `a record of several values is bounded, a single value and a removal are not`() {
        let big = RecordUpdate.put(value: Array(repeating: 1, count: 600), expiry: nil)
        let mode = RecordMode.siblings
        let terms = Self.terms(1, maximumSize: 500)
        guard case .changed(let one, _) = mode.apply(big, seen: nil, to: [], terms) else {
            Issue.record("a single value was refused for its size")
            return
        }
        let next = Self.terms(2, maximumSize: 500)
        guard case .refused(.tooLarge) = mode.apply(big, seen: nil, to: one, next) else {
            Issue.record("a second value made the record larger than it may be")
            return
        }
        guard case .changed = mode.apply(.delete, seen: nil, to: one, next) else {
            Issue.record("a deletion was refused for the record's size")
            return
        }
    }

    @Test func `an increment tells the sum, and its id counts once`() throws {
        var copy = Copy(.counter)
        let add = RecordUpdate.increment(5, id: [1], .upAndDown)
        #expect(try Self.answer(copy.make(add)).sum == 5)
        #expect(try Self.answer(copy.make(add, by: Self.other)).sum == 5)
        #expect(try Self.answer(copy.make(.increment(-2, id: [], .upAndDown))).sum == 3)
        guard case .refused(.invalid(let reason)) = copy.make(.increment(6, id: [1], .upAndDown))
        else {
            Issue.record("one id counted two amounts")
            return
        }
        #expect(reason.contains("another amount"))
        guard case .refused(.invalid(let falls)) = copy.make(.increment(-1, id: [], .growOnly))
        else {
            Issue.record("a counter that only grows fell")
            return
        }
        #expect(falls.contains("only grow"))
        #expect(try Self.answer(copy.make(.delete)).sum == 0)
    }

    @Test func `a removal needs the additions that its context speaks of`() throws {
        var ahead = Copy(.set)
        let added = try Self.answer(ahead.make(.add([[1], [2]])))
        var behind = Copy(.set)
        #expect(behind.make(.remove([[1]]), seen: added.context) == .refused(.behind))
        _ = ahead.make(.remove([[1]]), seen: added.context)
        let state = try ObservedRemoveSet(decoding: ahead.record.span.bytes)
        #expect(state.elements == [[2]])
    }

    @Test func `an addition that a removal has not seen stays`() throws {
        var copy = Copy(.set)
        let first = try Self.answer(copy.make(.add([[1]])))
        _ = copy.make(.add([[1]]), by: Self.other)
        _ = copy.make(.remove([[1]]), seen: first.context)
        #expect(try ObservedRemoveSet(decoding: copy.record.span.bytes).elements == [[1]])
    }

    @Test func `a map's fields change one by one, and all go with the key`() throws {
        var copy = Copy(.map)
        _ = copy.make(.change(field: [1], .write([7])))
        _ = copy.make(.change(field: [2], .increment(3)), by: Self.other)
        _ = copy.make(.change(field: [3], .add([[5]])))
        var state = try MapState(decoding: copy.record.span.bytes)
        #expect(state.register([1]) == [7])
        #expect(state.counter([2]) == 3)
        _ = copy.make(.removeField(MapFieldName([1], .register)))
        state = try MapState(decoding: copy.record.span.bytes)
        #expect(state.fields.map(\.name) == [[2], [3]])
        _ = copy.make(.delete)
        #expect(try MapState(decoding: copy.record.span.bytes).isAbsent)
    }

    @Test func `of a last-writer set the later change of an element counts`() throws {
        var copy = Copy(.lastWriterSet)
        _ = copy.make(.add([[1], [2]]))
        _ = copy.make(.remove([[1]]), by: Self.other)
        #expect(try LastWriterSet(decoding: copy.record.span.bytes).elements == [[2]])
        _ = copy.make(.delete)
        #expect(try LastWriterSet(decoding: copy.record.span.bytes).isAbsent)
    }

    @Test(arguments: RecordMode.allCases)
    func `a change that is none of the mode is refused, and so is a copy that is no record`(
        mode: RecordMode
    ) {
        let changes: [(modes: [RecordMode], change: RecordUpdate)] = [
            ([.siblings], Self.put("a")), ([.counter], .increment(1, id: [], .upAndDown)),
            ([.set, .lastWriterSet], .add([[1]])), ([.map], .change(field: [1], .write([1]))),
        ]
        for (modes, change) in changes where !modes.contains(mode) {
            #expect(
                mode.apply(change, seen: nil, to: [], Self.terms(1)) == .refused(.unreadable)
            )
        }
        for (modes, change) in changes where modes.contains(mode) {
            #expect(
                mode.apply(change, seen: nil, to: [1, 2, 3], Self.terms(1))
                    == .refused(.unreadable)
            )
        }
    }
}

@Suite struct `Folding through updates` {
    private static let me = ActorID(high: 1, low: 1)
    private static let before = ActorID(high: 1, low: 0)
    private static let other = ActorID(high: 2, low: 2)
    private static let now = WallClockTime(milliseconds: 1_700_000_000_000)

    private static func terms(
        _ second: UInt64,
        by actor: ActorID,
        idsFrom: UInt64 = 0
    ) -> UpdateTerms {
        func timestamp(_ second: UInt64) -> HybridTimestamp {
            HybridTimestamp(wall: WallClockTime(milliseconds: second * 1000))
        }
        return UpdateTerms(
            version: Version(timestamp: timestamp(second), node: NodeID(1), lane: 0),
            actor: actor,
            wall: now,
            maximumSize: 1 << 20,
            earlier: [before],
            idsFrom: timestamp(idsFrom)
        )
    }

    private func increment(
        _ copy: inout [UInt8],
        _ amount: Int64,
        id: UInt8,
        by actor: ActorID,
        at second: UInt64,
        idsFrom: UInt64 = 0
    ) -> UpdateAnswer? {
        let outcome = RecordMode.counter.apply(
            .increment(amount, id: [id], .upAndDown),
            seen: nil,
            to: copy,
            Self.terms(second, by: actor, idsFrom: idsFrom)
        )
        guard case .changed(let delta, let answer) = outcome else { return nil }
        copy = RecordMode.counter.joined(copy, delta)
        return answer
    }

    private func fold(_ copy: inout [UInt8], _ replicas: [[UInt8]], olderThan second: UInt64)
        -> Bool
    {
        let outcome = RecordMode.counter.apply(
            .fold(
                replicas: replicas,
                olderThan: HybridTimestamp(wall: WallClockTime(milliseconds: second * 1000))
            ),
            seen: nil,
            to: copy,
            Self.terms(1000, by: Self.me)
        )
        guard case .changed(let delta, _) = outcome else { return false }
        copy = RecordMode.counter.joined(copy, delta)
        return true
    }

    private func state(_ copy: [UInt8]) throws -> CounterState {
        try CounterState(decoding: copy.span.bytes)
    }

    @Test func `an increment tells when entries of this node's lives could be folded`() {
        var copy: [UInt8] = []
        #expect(increment(&copy, 1, id: 1, by: Self.other, at: 10)?.isFoldable == false)
        #expect(
            increment(&copy, 1, id: 2, by: Self.me, at: 700, idsFrom: 100)?.isFoldable == false
        )
        _ = increment(&copy, 1, id: 3, by: Self.before, at: 710)
        #expect(increment(&copy, 1, id: 4, by: Self.me, at: 720, idsFrom: 700)?.isFoldable == false)
        #expect(increment(&copy, 1, id: 5, by: Self.me, at: 730, idsFrom: 715)?.isFoldable == true)
    }

    @Test func `old entries of this life and of earlier ones go into the totals, others stay`()
        throws
    {
        var copy: [UInt8] = []
        _ = increment(&copy, 1, id: 1, by: Self.before, at: 1)
        _ = increment(&copy, 2, id: 2, by: Self.me, at: 2)
        _ = increment(&copy, 4, id: 3, by: Self.other, at: 3)
        _ = increment(&copy, 8, id: 4, by: Self.me, at: 50)
        #expect(fold(&copy, [copy, copy, copy], olderThan: 40))
        #expect(try state(copy).value == 15)
        #expect(try state(copy).unfoldedCount == 2)
    }

    @Test func `who learns that an entry is void learns which one counts in its place`() throws {
        var low: [UInt8] = []
        _ = increment(&low, 5, id: 1, by: Self.me, at: 1)
        var high: [UInt8] = []
        _ = increment(&high, 5, id: 1, by: Self.other, at: 2)
        let third = high
        // One replica has both; what it sends with its next change goes to one that has the other.
        var both = RecordMode.counter.joined(low, high)
        let outcome = RecordMode.counter.apply(
            .increment(1, id: [9], .upAndDown),
            seen: nil,
            to: both,
            Self.terms(3, by: Self.me)
        )
        guard case .changed(let delta, _) = outcome else {
            Issue.record("the increment was refused")
            return
        }
        both = RecordMode.counter.joined(both, delta)
        #expect(try state(RecordMode.counter.joined(third, delta)).value == 6)
        #expect(try state(both).value == 6)
    }

    @Test func `what one replica does not hold yet is not folded`() throws {
        var copy: [UInt8] = []
        _ = increment(&copy, 1, id: 1, by: Self.me, at: 1)
        let behind = copy
        _ = increment(&copy, 2, id: 2, by: Self.me, at: 2)
        #expect(fold(&copy, [copy, behind, copy], olderThan: 40))
        #expect(try state(copy).value == 3)
        #expect(try state(copy).unfoldedCount == 1)
        let absent = copy
        #expect(!fold(&copy, [copy, [], copy], olderThan: 40))
        #expect(copy == absent)
    }
}
