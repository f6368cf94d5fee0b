/// What is to happen, in the order of its time, then of its entry.
///
/// A binary heap: O(log n) for entering and for taking the next.
struct Agenda {
    private struct Entry {
        var time: UInt64
        var sequence: UInt64
        var action: () -> Void

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? sequence < other.sequence : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var sequence: UInt64 = 0
    /// The time of what was taken last, in nanoseconds.
    private(set) var now: UInt64 = 0

    /// The time of what comes next; nil when nothing does.
    var nextTime: UInt64? { heap.first?.time }

    /// Enters something that happens in `delay` nanoseconds.
    mutating func after(_ delay: UInt64, _ action: @escaping () -> Void) {
        sequence += 1
        heap.append(Entry(time: now + delay, sequence: sequence, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes out what comes next and moves the time to it.
    mutating func next() -> (() -> Void)? {
        guard let first = heap.first else { return nil }
        now = first.time
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.action }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return first.action
    }

    /// Moves the time on, though nothing happens.
    mutating func advance(to time: UInt64) {
        now = max(now, time)
    }

    /// Drops all that is entered.
    mutating func removeAll() {
        heap.removeAll()
    }
}
