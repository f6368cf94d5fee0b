import ClusterPrimitives

/// The open requests of one kind in a lane: a slab whose ids are generation and slot.
///
/// Lives in the module of its user: a generic type behind a module border costs four times as
/// much per access.
struct RequestTable<Request> {
    private struct Slot {
        var generation: UInt32
        var request: Request?
        /// Key, or key and record, of the request; its capacity stays with the slot.
        var held: [UInt8] = []
    }

    /// Bits of a slot number that tell the tables of a lane apart.
    private static var kindShift: Int { 21 }
    /// Slots of one table.
    static var capacity: Int { 1 << kindShift }

    private let lane: UInt8
    private let kind: Int
    private var slots: [Slot] = []
    private var free: [Int] = []
    /// How many requests are open.
    private(set) var count = 0

    /// - Parameter kind: 0…7, of the requests in this table.
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
            index = slots.count
            slots.append(Slot(generation: 0))
        }
        slots[index].generation &+= 1
        slots[index].request = request
        slots[index].held = held
        count += 1
        return id(index)
    }

    private func id(_ index: Int) -> RequestID {
        RequestID(
            lane: lane,
            generation: slots[index].generation,
            slot: kind << Self.kindShift | index
        )
    }

    private func index(of id: RequestID) -> Int? {
        let index = id.slot & (Self.capacity - 1)
        guard id.lane == lane, Self.kind(of: id) == kind else { return nil }
        guard index < slots.count, slots[index].generation == id.generation else { return nil }
        return index
    }

    /// The request of an id; nil when it is answered and gone.
    subscript(id: RequestID) -> Request? {
        get { index(of: id).flatMap { slots[$0].request } }
        set {
            guard let index = index(of: id), slots[index].request != nil else { return }
            slots[index].request = newValue
        }
    }

    /// The bytes that the request holds.
    func held(_ id: RequestID) -> [UInt8] {
        index(of: id).map { slots[$0].held } ?? []
    }

    /// Replaces the bytes that the request holds.
    mutating func hold(_ bytes: [UInt8], for id: RequestID) {
        if let index = index(of: id) { slots[index].held = bytes }
    }

    /// Closes a request.
    mutating func remove(_ id: RequestID) {
        guard let index = index(of: id), slots[index].request != nil else { return }
        slots[index].request = nil
        slots[index].held = []
        free.append(index)
        count -= 1
    }

    /// Ids of all open requests, by slot.
    var openIDs: [RequestID] {
        slots.indices.filter { slots[$0].request != nil }.map(id)
    }
}
