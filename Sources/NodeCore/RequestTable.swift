import ClusterPrimitives

/// The open requests of one kind in a lane: a slab whose ids are generation and slot.
///
/// Lives in the module of its user: a generic type behind a module border costs four times as
/// much per access.
struct RequestTable<Request> {
    /// Bits of a slot number that tell the tables of a lane apart.
    private static var kindShift: Int { 21 }
    /// Slots of one table.
    static var capacity: Int { 1 << kindShift }

    private let lane: UInt8
    private let kind: Int
    // By slot, each for itself: a look at one is no copy of the others.
    private var generations: [UInt32] = []
    private var requests: [Request?] = []
    /// The request's key, in some with a record behind it.
    private var held: [[UInt8]] = []
    private var free: [Int] = []
    /// How many requests are open.
    private(set) var count = 0

    /// `kind` is 0…7, of the requests in this table.
    init(lane: UInt8, kind: Int) {
        self.lane = lane
        self.kind = kind
    }

    /// The kind of table an id belongs to.
    static func kind(of id: RequestID) -> Int { id.slot >> kindShift }

    /// Opens a request that holds some bytes of its own.
    mutating func insert(_ request: Request, holding held: [UInt8]) -> RequestID {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = generations.count
            generations.append(0)
            requests.append(nil)
            self.held.append([])
        }
        generations[index] &+= 1
        requests[index] = request
        self.held[index] = held
        count += 1
        return id(index)
    }

    private func id(_ index: Int) -> RequestID {
        RequestID(
            lane: lane,
            generation: generations[index],
            slot: kind << Self.kindShift | index
        )
    }

    private func index(of id: RequestID) -> Int? {
        let index = id.slot & (Self.capacity - 1)
        guard id.lane == lane, Self.kind(of: id) == kind else { return nil }
        guard index < generations.count, generations[index] == id.generation else { return nil }
        return index
    }

    /// The request of an id; nil when it is answered and gone.
    subscript(id: RequestID) -> Request? {
        get { index(of: id).flatMap { requests[$0] } }
        set {
            guard let index = index(of: id), requests[index] != nil else { return }
            requests[index] = newValue
        }
    }

    /// The bytes that the request holds.
    func held(_ id: RequestID) -> [UInt8] {
        index(of: id).map { held[$0] } ?? []
    }

    /// Replaces the bytes that the request holds.
    mutating func hold(_ bytes: [UInt8], for id: RequestID) {
        if let index = index(of: id) { held[index] = bytes }
    }

    /// Closes a request.
    @discardableResult
    mutating func remove(_ id: RequestID) -> Request? {
        guard let index = index(of: id), let request = requests[index].take() else { return nil }
        held[index] = []
        free.append(index)
        count -= 1
        return request
    }

    /// Ids of all open requests, by slot.
    var openIDs: [RequestID] {
        requests.indices.filter { requests[$0] != nil }.map(id)
    }
}

/// What some requests of a table need besides; the others have no room for it.
struct RequestAnnex<Value> {
    private struct Slot {
        // No request has this id with a value.
        var owner = RequestID(rawValue: 0)
        var value: Value?
    }

    private var slots: [Slot] = []

    private func slot(of id: RequestID) -> Int {
        id.slot & (RequestTable<Value>.capacity - 1)
    }

    /// What a request has here; nil for nothing.
    subscript(id: RequestID) -> Value? {
        get {
            let slot = slot(of: id)
            return slot < slots.count && slots[slot].owner == id ? slots[slot].value : nil
        }
        _modify {
            let slot = slot(of: id)
            if slot < slots.count, slots[slot].owner == id {
                // Lent, not copied out and in.
                yield &slots[slot].value
                return
            }
            // What another request has there stays, unless this one comes to have something.
            var value: Value?
            yield &value
            guard value != nil else { return }
            while slots.count <= slot { slots.append(Slot()) }
            slots[slot] = Slot(owner: id, value: value)
        }
    }

    /// Drops what a request has here.
    mutating func remove(_ id: RequestID) {
        let slot = slot(of: id)
        if slot < slots.count, slots[slot].owner == id { slots[slot].value = nil }
    }
}
