internal import FileSystems
internal import Synchronization

/// Who waits for a sync of the log, and for whom the next one waits.
///
/// The first who finds nobody at it leads: he writes and syncs for all whose batches are there by
/// then. The others wait for `commits`; all are woken at once and find by a load that their batch
/// is durable. Meanwhile the next group gathers. Of that the first again leads, but those just
/// woken are about to write again; were he not to wait for them, threads that do nothing but write
/// would fall apart into two groups of half the size, and each sync would serve half of them.
///
/// So he waits, for a time that is short beside a sync, until as many have come as were seen to
/// want a sync at the end of the last one. When most of those who are missing do not come they are
/// not threads that do nothing but write; then some groups do not wait at all. A writer alone never
/// waits.
final class LogGroup: Sendable {
    /// Advanced whenever a write or a sync is over.
    let commits = EventCount()

    /// Advanced when as many have come as are expected.
    private let arrivals = EventCount()
    /// Those who came since the last sync began.
    private let waiting = Atomic<Int>(0)
    /// Those whom the sync serves that is under way.
    private let served = Atomic<Int>(0)
    /// Those for whom the next leader waits.
    private let expected = Atomic<Int>(1)
    /// Groups that are still not to wait, after one that waited in vain.
    private let impatient = Atomic<Int>(0)

    /// The longest that a leader waits, in nanoseconds: about half of a sync.
    private static let patience = 100_000
    /// Groups that do not wait after one did in vain: so that costs about a twentieth.
    private static let impatientGroups = 8

    /// Notes that a thread wants a sync, whose batch was appended.
    func arrive() {
        let count = waiting.add(1, ordering: .acquiringAndReleasing).newValue
        if count == expected.load(ordering: .acquiring) { arrivals.advance() }
    }

    /// Waits for those who are expected; for the leader, before he takes what was appended.
    func gather() {
        let missing = expected.load(ordering: .acquiring) - waiting.load(ordering: .acquiring)
        guard missing > 0 else { return }
        guard impatient.load(ordering: .relaxed) == 0 else {
            impatient.subtract(1, ordering: .relaxed)
            return
        }
        let seen = arrivals.now
        if waiting.load(ordering: .acquiring) < expected.load(ordering: .acquiring) {
            arrivals.wait(past: seen, nanoseconds: Self.patience)
        }
        let absent = expected.load(ordering: .acquiring) - waiting.load(ordering: .acquiring)
        if absent > missing / 2 {
            impatient.store(Self.impatientGroups, ordering: .relaxed)
        }
    }

    /// Notes that a sync begins, for all who came.
    func begin() {
        served.store(waiting.exchange(0, ordering: .acquiringAndReleasing), ordering: .relaxed)
    }

    /// Notes that the sync is over: those it served may come again, beside those who wait.
    func end() {
        let waiting = waiting.load(ordering: .acquiring)
        let count = served.load(ordering: .relaxed) + waiting
        expected.store(max(1, count), ordering: .releasing)
    }
}
