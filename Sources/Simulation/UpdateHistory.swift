import ByteCoding
import Causality
import ClusterPrimitives
import Replication

/// What was done to the keys of a keyspace that keeps siblings or sets, and what readers must see.
///
/// The world notes each change that a coordinator hands to its store, with the context that came
/// with it, and the dot that the store gave it. What supersedes what follows from that alone, in
/// the plain words of causal histories: a change has seen what its context holds, and nothing
/// else.
struct UpdateHistory {
    /// Where a change stands.
    enum Standing {
        /// It was handed to the store; a crash may have taken it or not.
        case possible
        /// The store said that it is durable.
        case applied
        /// The store said that nothing was applied.
        case refused
    }

    /// One change of a key.
    struct Event {
        var version: Version
        var change: RecordUpdate
        var context: CausalContext?
        var standing = Standing.possible
        /// The name that the store gave it; nil where nobody was told.
        var dot: Dot?
        /// Of a set's applied change the additions that its record has heard of.
        var heard = DotCloud()
        /// Those of them that it keeps of its element.
        var kept: [Dot] = []
        /// At which levels it is known to be there, and since when.
        var established: [(requirement: Requirement, since: Int)] = []

        /// Whether a reader could be shown it, as far as the change itself goes.
        var isValue: Bool {
            if case .put = change { return true }
            return false
        }

        /// Whether it may be gone without anybody having written.
        var expires: Bool {
            if case .put(_, let expiry) = change { return expiry != nil }
            return false
        }

        /// Whether its record takes an addition of its element away.
        func takes(_ dot: Dot) -> Bool { heard.contains(dot) && !kept.contains(dot) }

        /// Whether its writer had seen the event of this dot.
        func hasSeen(_ dot: Dot) -> Bool {
            switch context?.seen {
            case .vector(let vector)?: vector.contains(dot)
            case .cloud(let cloud)?: cloud.contains(dot)
            default: false
            }
        }
    }

    private let replicas: [Int]
    /// By key.
    private(set) var events: [[Event]]
    /// Counts what happens, so that before and after can be told.
    private(set) var clock = 0
    /// Changes at the store, by node and request; only looked up.
    private var open: [Request: (key: Int, event: Int)] = [:]

    /// A request of a lane of a node.
    struct Request: Hashable {
        var node: Int
        var correlation: UInt64
    }

    init(keys: Int, replicas: [Int]) {
        self.replicas = replicas
        events = Array(repeating: [], count: keys)
    }

    /// Something happens now.
    mutating func tick() -> Int {
        clock += 1
        return clock
    }

    /// A coordinator hands a change to its store.
    mutating func begin(_ update: KeyUpdate, key: Int, _ request: Request) {
        open[request] = (key, events[key].count)
        events[key].append(
            Event(version: update.version, change: update.change, context: update.context)
        )
    }

    /// The store says what became of it.
    mutating func end(_ result: UpdateResult, _ request: Request) {
        guard let (key, index) = open.removeValue(forKey: request) else { return }
        switch result {
        case .applied(let record, _):
            events[key][index].standing = .applied
            note(Array(record), key, index)
        case .unchanged:
            // What it asked for was so already; nothing has its name.
            events[key][index].standing = .refused
        case .refused, .unreadable:
            events[key][index].standing = .refused
        case .notTaken(let status):
            if status.isRefusal { events[key][index].standing = .refused }
        }
    }

    private mutating func note(_ record: [UInt8], _ key: Int, _ index: Int) {
        let event = events[key][index]
        switch event.change {
        case .put, .delete:
            guard let set = try? SiblingSet(decoding: record.span.bytes) else { return }
            var cursor = SiblingSet.Cursor(set)
            while let sibling = cursor.next(in: record.span.bytes) {
                if sibling.version == event.version { events[key][index].dot = sibling.dot }
            }
        case .add(let elements), .remove(let elements):
            guard let state = try? ObservedRemoveSet(decoding: record.span.bytes),
                let element = elements.first
            else { return }
            events[key][index].heard = state.history
            events[key][index].kept = state.dots(of: element)
            guard case .add = event.change else { return }
            // On top of what others held there may be more than its own addition.
            let known = Set(events[key].compactMap(\.dot))
            events[key][index].dot = state.dots(of: element).first { !known.contains($0) }
        case .increment, .change, .removeField, .fold:
            break
        }
    }

    /// A client was told that the change of this version is done, and that it has seen what the
    /// context holds.
    ///
    /// - Returns: what is wrong.
    mutating func acknowledge(
        _ version: Version,
        key: Int,
        _ requirement: Requirement?,
        context: CausalContext
    ) -> [String] {
        guard let index = events[key].firstIndex(where: { $0.version == version }) else {
            // Nothing had to be done; the version is that of the copy.
            return []
        }
        if let requirement { establish(key, index, requirement, tick()) }
        guard let vector = context.vector else { return [] }
        let own = events[key][index]
        return events[key].filter { event in
            guard let dot = event.dot, event.isValue, event.version != version else {
                return false
            }
            return vector.contains(dot) && !own.hasSeen(dot) && !event.expires
                && !events[key].contains { $0.standing != .refused && $0.hasSeen(dot) }
        }
        .map {
            "the context of a write to key-\(key) covers the value \($0.version), which its "
                + "writer has not seen"
        }
    }

    private mutating func establish(
        _ key: Int,
        _ index: Int,
        _ requirement: Requirement,
        _ now: Int
    ) {
        guard
            !events[key][index].established.contains(where: { $0.requirement == requirement })
        else { return }
        events[key][index].established.append((requirement, now))
    }

    /// Whether a read that began then, at this level, must know of the event.
    private func isEstablished(
        _ event: Event,
        before begin: Int,
        for requirement: Requirement?
    ) -> Bool {
        guard let requirement else { return false }
        return event.established.contains {
            $0.since < begin && $0.requirement.intersects(requirement, of: replicas)
        }
    }

    // MARK: Siblings

    /// Checks the values of these versions, which a read brought that began then.
    ///
    /// `context` is what the read says that its reader has seen; nil in a scan.
    ///
    /// - Returns: what is wrong.
    mutating func readSiblings(
        _ key: Int,
        _ shown: [Version],
        context: VersionVector?,
        begin: Int,
        _ requirement: Requirement?
    ) -> [String] {
        var wrong: [String] = []
        let all = events[key]
        if Set(shown).count != shown.count { wrong.append("key-\(key) has one value twice") }
        for index in all.indices where all[index].isValue && !all[index].expires {
            let event = all[index]
            guard let dot = event.dot, !shown.contains(event.version) else { continue }
            let isKnown = isEstablished(event, before: begin, for: requirement)
            let isCovered = context?.contains(dot) == true
            guard isKnown || isCovered else { continue }
            func isReplaced(by others: Range<Int>) -> Bool {
                others.contains { all[$0].standing != .refused && all[$0].hasSeen(dot) }
            }
            // What replaced it mostly came soon after it.
            if isReplaced(by: index..<all.count) || isReplaced(by: 0..<index) { continue }
            if isKnown {
                wrong.append(
                    "key-\(key) lost the value \(event.version), which nobody replaced"
                )
            }
            if isCovered {
                wrong.append(
                    "the context of a read of key-\(key) covers the value \(event.version), "
                        + "which was not shown and which nobody replaced"
                )
            }
        }
        let visible = all.filter { shown.contains($0.version) && $0.dot != nil }
        for one in visible {
            for other in visible where other.version != one.version {
                if let dot = one.dot, other.hasSeen(dot) {
                    wrong.append(
                        "key-\(key) shows \(one.version) beside \(other.version), which replaced it"
                    )
                }
            }
        }
        // A scan answers also where a repair of its page failed.
        if let requirement, context != nil {
            let now = tick()
            for index in all.indices where shown.contains(all[index].version) {
                establish(key, index, requirement, now)
            }
        }
        return wrong
    }

    // MARK: Sets

    /// Checks the elements that a read brought, as `readSiblings` does values.
    mutating func readSet(
        _ key: Int,
        _ shown: [[UInt8]],
        context: DotCloud?,
        begin: Int,
        _ requirement: Requirement?
    ) -> [String] {
        var wrong: [String] = []
        let live = events[key].filter { $0.standing != .refused }
        for element in Self.elements {
            let additions = live.filter { $0.change == .add([element]) }
            let removals = live.filter { $0.change == .remove([element]) }
            let isShown = shown.contains(element)
            if isShown {
                let mayBeThere = additions.contains { addition in
                    guard let dot = addition.dot else { return true }
                    return !removals.contains {
                        $0.standing == .applied && $0.takes(dot)
                            && isEstablished($0, before: begin, for: requirement)
                    }
                }
                if !mayBeThere {
                    wrong.append("key-\(key) shows \(element), which was removed or never added")
                }
                continue
            }
            for addition in additions {
                guard let dot = addition.dot,
                    !mayBeRemoved(dot, additions: additions, removals: removals)
                else { continue }
                if isEstablished(addition, before: begin, for: requirement) {
                    wrong.append(
                        "key-\(key) lost the element \(element) added by \(addition.version), "
                            + "which nobody removed"
                    )
                }
                if context?.contains(dot) == true {
                    wrong.append(
                        "the context of a read of key-\(key) covers \(element), which was not "
                            + "shown and which nobody removed"
                    )
                }
            }
        }
        return wrong
    }

    /// Whether a removal could have taken an addition, or one that took its place.
    private func mayBeRemoved(_ dot: Dot, additions: [Event], removals: [Event]) -> Bool {
        var dots: Set<Dot> = [dot]
        var grows = true
        while grows {
            grows = false
            for addition in additions {
                guard let own = addition.dot else {
                    // It may have replaced any, and been removed under a name nobody knows.
                    if !removals.isEmpty { return true }
                    continue
                }
                if !dots.contains(own), dots.contains(where: addition.takes) {
                    dots.insert(own)
                    grows = true
                }
            }
        }
        return removals.contains { dots.contains(where: $0.hasSeen) }
    }

    /// What the clients put into sets.
    static let elements: [[UInt8]] = (0..<6).map { [UInt8($0)] }
}
