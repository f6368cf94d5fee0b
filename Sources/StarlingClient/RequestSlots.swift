/// The requests that await an answer on one connection.
///
/// A correlation is a slot and the slot's generation, so an answer finds its request without
/// hashing, and one that comes too late finds nothing.
struct RequestSlots<Request> {
    private struct Slot {
        var generation: UInt32 = 1
        var request: Request?
    }

    private var slots: [Slot] = []
    private var free: [Int] = []
    /// Requests that await an answer.
    private(set) var count = 0

    /// Takes in a request.
    ///
    /// - Returns: the correlation of its frame, never 0.
    mutating func insert(_ request: Request) -> UInt64 {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = slots.count
            slots.append(Slot())
        }
        slots[index].request = request
        count += 1
        return UInt64(slots[index].generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
    }

    /// Takes out the request of a correlation; nil when it is over.
    mutating func remove(_ correlation: UInt64) -> Request? {
        let index = Int(UInt32(truncatingIfNeeded: correlation))
        guard index < slots.count, slots[index].generation == UInt32(correlation >> 32) else {
            return nil
        }
        return vacate(index)
    }

    /// Takes out all requests that satisfy a condition.
    mutating func removeAll(where isOver: (Request) -> Bool) -> [Request] {
        var removed: [Request] = []
        for index in slots.indices {
            guard let request = slots[index].request, isOver(request) else { continue }
            if let request = vacate(index) { removed.append(request) }
        }
        return removed
    }

    private mutating func vacate(_ index: Int) -> Request? {
        guard let request = slots[index].request else { return nil }
        slots[index].request = nil
        slots[index].generation = max(1, slots[index].generation &+ 1)
        free.append(index)
        count -= 1
        return request
    }
}
