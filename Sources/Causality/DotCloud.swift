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
            if counter <= base { return true }
            // The run that could hold it is the first that does not end before it.
            var low = 0
            var high = runs.count
            while low < high {
                let middle = (low + high) / 2
                if runs[middle].last < counter { low = middle + 1 } else { high = middle }
            }
            return low < runs.count && runs[low].first <= counter
        }

        /// Adds a run; `first` is at least 1.
        mutating func insert(_ run: Run) {
            if runs.isEmpty, run.first <= base + 1 {
                base = max(base, run.last)
                return
            }
            var merged: [Run] = []
            var pending = run
            for run in runs {
                if run.last + 1 < pending.first {
                    merged.append(run)
                } else if pending.last + 1 < run.first {
                    merged.append(pending)
                    pending = run
                } else {
                    pending.first = min(pending.first, run.first)
                    pending.last = max(pending.last, run.last)
                }
            }
            merged.append(pending)
            var joined = 0
            while joined < merged.count, merged[joined].first <= base + 1 {
                base = max(base, merged[joined].last)
                joined += 1
            }
            runs = Array(merged.dropFirst(joined))
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
            return entry.runs.allSatisfy { run in
                run.last <= own.base
                    || own.runs.contains { $0.first <= run.first && run.last <= $0.last }
            }
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

    /// Adds all events of an actor up to this one.
    public mutating func insert(upTo dot: Dot) {
        insert(Run(first: 1, last: dot.counter), of: dot.actor)
    }

    /// Adds all events of another history.
    public mutating func merge(_ other: DotCloud) {
        for entry in other.entries {
            if entry.base > 0 { insert(Run(first: 1, last: entry.base), of: entry.actor) }
            for run in entry.runs { insert(run, of: entry.actor) }
        }
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
