import Causality
import ClusterPrimitives
import FileSystems
import NodeCore
import ObjectStorage
import Replication
import StorageEngine

/// A machine: its disk and its clock, and the process that runs on it now and then.
final class SimulatedNode {
    let index: Int
    let id: NodeID
    let name: String
    let datacenter: Int
    var disk: InMemoryFileSystem
    /// How far its wall clock is ahead, in milliseconds.
    var clockOffset: Int
    /// How often its process has ended; what was meant for an earlier life is dropped.
    var life = 0
    /// Nil while it is down.
    var process: NodeProcess?
    /// Whether it does not even refuse connections: it has lost its power.
    var isSilent = false
    /// Whether its disk has no more room than a little.
    var isFull = false
    /// Whether bits of its tables were flipped: then it may not know what it knew.
    var isCorrupt = false
    /// Whether its disk was replaced by an empty or an older one: then it knows nothing.
    var isRolledBack = false
    /// By how much its disk is slower than usual.
    var diskSlowness = 1

    init(index: Int, id: NodeID, name: String, datacenter: Int, clockOffset: Int) {
        self.index = index
        self.id = id
        self.name = name
        self.datacenter = datacenter
        self.clockOffset = clockOffset
        disk = InMemoryFileSystem()
    }

    /// Whether its disk gives cause for a failure of the store.
    func excuses(_ error: StorageError) -> Bool {
        switch error {
        case .diskFull, .diskReserve: isFull
        case .corruption, .lost: isCorrupt
        default: false
        }
    }

    /// The tables on its disk that are not empty, in the order of their paths.
    var tables: [(path: String, size: Int)] {
        let store = ClusterSimulation.storeDirectory
        var tables: [(path: String, size: Int)] = []
        // Of a disk that was never written to nothing can be listed.
        for tree in (try? disk.list(store)) ?? [] where UInt32(tree) != nil {
            for name in (try? disk.list("\(store)/\(tree)")) ?? [] where name.hasSuffix(".sst") {
                let path = "\(store)/\(tree)/\(name)"
                if let size = try? disk.size(of: path), size > 0 { tables.append((path, size)) }
            }
        }
        return tables
    }

    /// Leaves so many bytes free on the disk; nil as many as there may be.
    func leaveFree(_ room: Int?) {
        isFull = room != nil
        let largest = 1 << 40
        disk.setCapacity(room == nil ? nil : largest)
        guard let room, let free = try? disk.freeSpace(at: "/") else { return }
        disk.setCapacity(largest - free + room)
    }
}

/// A node's process: the same values as in the real runtime, and what carries their effects out.
final class NodeProcess {
    let identity: NodeIdentity
    var control: ControlPlane
    var controlEffects = ControlEffects()
    var lanes: [LaneProcess] = []
    let store: ReplicaStore
    let state: NodeStateStore
    /// The start number of the latest life that is on disk as lost; 0 for none.
    var lostLife: UInt64
    /// By node number: the control plane's own links.
    var urgentLinks: [Connection?]
    /// Writes in the log that wait for the next sync, with the lane that asked.
    var unsynced: [(lane: Int, writes: ReplicaStore.StagedWrites)] = []
    var isSyncing = false
    var isMaintaining = false
    var persists: [ControlEffects.Persist] = []
    var isPersisting = false
    /// Whether clients are let in.
    var isAdmitting = false

    init(
        identity: NodeIdentity,
        control: consuming ControlPlane,
        store: ReplicaStore,
        state: NodeStateStore,
        lostLife: UInt64,
        nodeCount: Int
    ) {
        self.identity = identity
        self.control = control
        self.store = store
        self.state = state
        self.lostLife = lostLife
        urgentLinks = Array(repeating: nil, count: nodeCount)
    }
}

/// A lane and its connections.
final class LaneProcess {
    let number: Int
    var lane: Lane
    var effects = Effects()
    /// By node number: this lane's own links.
    var links: [Connection?]
    /// By connection number: those that others opened.
    var inbound: [Connection?] = []
    /// By connection number: answers that the control plane owes it; until they are there the
    /// number is not given again.
    var owed: [Int] = []
    var isTickScheduled = false

    init(number: Int, lane: consuming Lane, nodeCount: Int) {
        self.number = number
        self.lane = lane
        links = Array(repeating: nil, count: nodeCount)
    }

    /// Gives a connection the lowest number that is free.
    func admit(_ connection: Connection) -> ConnectionID {
        let free =
            inbound.indices.first { inbound[$0] == nil && owed[$0] == 0 } ?? inbound.count
        if free == inbound.count {
            inbound.append(nil)
            owed.append(0)
        }
        inbound[free] = connection
        let identifier = ConnectionID(UInt32(free))
        connection.identifier = identifier
        return identifier
    }
}
