/// A causal history that may have holes: what a delta speaks of.
///
/// Of each actor it holds all events up to a number (the base) and runs of later ones. A run that
/// joins the base becomes part of it, so two clouds of the same events are equal, and the cloud of
/// a replica that has everything is as small as a version vector.
public struct DotCloud: Equatable, Sendable {
    /// Consecutive events of one actor.
    struct Run: Equatable, Sendable {
        var first: UInt64
        var last: UInt64
    }

    /// The events of one actor; at least one.
    struct Entry: Equatable, Sendable {
        var actor: ActorID
        /// All events up to this number; 0 where the first is missing.
        var base: UInt64
        /// Ascending, with at least one missing event before each.
        var runs: [Run]

        /// The number of the latest event.
        var last: UInt64 { runs.last?.last ?? base }

        func contains(_ counter: UInt64) -> Bool {
            contains(Run(first: counter, last: counter))
        }

        /// Whether all events of a run are among these.
        func contains(_ run: Run) -> Bool {
            if run.last <= base { return true }
            // The run that could hold it is the first that does not end before it.
            let index = count { $0.last < run.last }
            return index < runs.count && runs[index].first <= run.first
        }

        /// Adds a run; `first` is at least 1.
        ///
        /// A search, and a move of the runs behind the place.
        mutating func insert(_ run: Run) {
            if run.first <= base + 1 {
                base = max(base, run.last)
                let joined = count { $0.first <= base + 1 }
                if joined > 0 { base = max(base, runs[joined - 1].last) }
                runs.removeSubrange(..<joined)
                return
            }
            let start = count { $0.last + 1 < run.first }
            let end = count { $0.first <= run.last + 1 }
            var joined = run
            if start < end {
                joined.first = min(run.first, runs[start].first)
                joined.last = max(run.last, runs[end - 1].last)
            }
            runs.replaceSubrange(start..<end, with: CollectionOfOne(joined))
        }

        /// Adds the events of another entry of the actor.
        ///
        /// One walk over both lists of runs.
        mutating func merge(_ other: Entry) {
            if other.base > 0 { insert(Run(first: 1, last: other.base)) }
            // A single run, as most deltas bring, needs no new list.
            guard other.runs.count > 1 else {
                for run in other.runs { insert(run) }
                return
            }
            var merged: [Run] = []
            merged.reserveCapacity(runs.count + other.runs.count)
            var (mine, theirs) = (0, 0)
            while mine < runs.count || theirs < other.runs.count {
                let run: Run
                if theirs == other.runs.count
                    || mine < runs.count && runs[mine].first < other.runs[theirs].first
                {
                    run = runs[mine]
                    mine += 1
                } else {
                    run = other.runs[theirs]
                    theirs += 1
                }
                if run.first <= base + 1 {
                    // No run lies before it, so none is merged yet.
                    base = max(base, run.last)
                } else if let last = merged.last, run.first <= last.last + 1 {
                    merged[merged.count - 1].last = max(last.last, run.last)
                } else {
                    merged.append(run)
                }
            }
            runs = merged
        }

        /// How many runs, which are the first ones, are as `isBefore` says.
        private func count(where isBefore: (Run) -> Bool) -> Int {
            var low = 0
            var high = runs.count
            while low < high {
                let middle = (low + high) / 2
                if isBefore(runs[middle]) { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    /// Ascending by actor, each once.
    private(set) var entries: [Entry] = []

    /// No events.
    public init() {}

    /// The events of a history without holes.
    public init(_ vector: VersionVector) {
        entries = vector.entries.map { Entry(actor: $0.actor, base: $0.counter, runs: []) }
    }

    init(sorted entries: [Entry]) {
        self.entries = entries
    }

    /// Whether there are no events.
    public var isEmpty: Bool { entries.isEmpty }

    /// Whether no event is missing before one that is here.
    public var hasNoHoles: Bool { entries.allSatisfy(\.runs.isEmpty) }

    /// Whether the event is among these.
    public func contains(_ dot: Dot) -> Bool {
        guard let index = find(dot.actor) else { return false }
        return entries[index].contains(dot.counter)
    }

    /// Whether all events of the other are among these.
    public func contains(_ other: DotCloud) -> Bool {
        other.entries.allSatisfy { entry in
            guard let index = find(entry.actor) else { return false }
            let own = entries[index]
            guard entry.base <= own.base else { return false }
            return entry.runs.allSatisfy { own.contains($0) }
        }
    }

    /// The number of an actor's latest event, 0 for none.
    public func last(of id: ActorID) -> UInt64 {
        find(id).map { entries[$0].last } ?? 0
    }

    /// Adds an event.
    public mutating func insert(_ dot: Dot) {
        insert(Run(first: dot.counter, last: dot.counter), of: dot.actor)
    }

    /// Adds events, in whatever order they come.
    ///
    /// They are sorted, then merged at once: many that come in no order take far less time so than
    /// one by one.
    public mutating func insert(_ dots: [Dot]) {
        var added = DotCloud()
        for dot in dots.sorted() { added.insert(dot) }
        merge(added)
    }

    /// Adds all events of an actor up to this one.
    public mutating func insert(upTo dot: Dot) {
        insert(Run(first: 1, last: dot.counter), of: dot.actor)
    }

    /// Adds all events of another history.
    public mutating func merge(_ other: DotCloud) {
        var missing: [Entry] = []
        for entry in other.entries {
            if let index = find(entry.actor) {
                entries[index].merge(entry)
            } else {
                missing.append(entry)
            }
        }
        guard !missing.isEmpty else { return }
        entries = joinAscending(entries, missing, by: { $0.actor < $1.actor ? -1 : 1 }) { $0 ?? $1 }
    }

    /// The next event of an actor: the one after its latest, or after `floor` when it has none.
    ///
    /// See `SiblingSet.put` for what the floor is for.
    ///
    /// - Returns: nil when the numbers are used up.
    func next(of id: ActorID, floor: UInt64) -> Dot? {
        let last = last(of: id)
        let previous = last > 0 ? last : floor
        guard previous < Dot.maximumCounter else { return nil }
        return Dot(actor: id, counter: previous + 1)
    }

    private mutating func insert(_ run: Run, of id: ActorID) {
        let index = position(of: id)
        if index == entries.count || entries[index].actor != id {
            entries.insert(Entry(actor: id, base: 0, runs: []), at: index)
        }
        entries[index].insert(run)
    }

    /// The index of an actor's entry; nil when it has none.
    func find(_ id: ActorID) -> Int? {
        let index = position(of: id)
        return index < entries.count && entries[index].actor == id ? index : nil
    }

    private func position(of id: ActorID) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].actor < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
