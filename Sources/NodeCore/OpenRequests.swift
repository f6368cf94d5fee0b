import Causality
import ClientProtocol
import ClusterPrimitives
import PeerProtocol
import Replication

/// A write that a lane coordinates.
struct OpenWrite {
    var core: WriteCoordination
    var sink: ResponseSink
    var keyspace: KeyspaceNumber
    var level: ConsistencyLevel
    var conflict: WriteRequest.Conflict
    var startedAt: MonotonicInstant
    var deadline: MonotonicInstant
    /// Bytes of the key at the start of what the slot holds; the record follows.
    ///
    /// An update's record is there only where a relay may have to be bypassed.
    var keySize: Int
    /// Whether its keyspace is not lww, so that more of it lies beside.
    var isUpdate: Bool
    /// Why the others are asked to take it.
    var purpose = WritePurpose.foreground
    /// Remote replicas that were asked to pass the write on in their datacenter.
    var relays = ReplicaBits()
    /// Remote replicas that a relay was asked to reach.
    var relayed = ReplicaBits()
}

/// A read that a lane coordinates.
///
/// The slot holds the key.
struct OpenRead {
    var core: ReadCoordination
    var sink: ResponseSink
    var keyspace: KeyspaceNumber
    var level: ConsistencyLevel
    var startedAt: MonotonicInstant
    var deadline: MonotonicInstant
    /// Whether it reads this node's own copy alone.
    var isOwnCopy: Bool
    /// Who waits for the answer.
    var asker = Asker.client

    /// Who waits for what a read brings.
    enum Asker: Equatable {
        case client
        /// An update of this lane, which needs to know what the others hold.
        case update(RequestID)
        /// A counter that is to be folded.
        case fold
    }
}

/// A counter whose entries are being folded; nobody waits for it.
struct OpenFold {
    var keyspace: KeyspaceNumber
    var key: [UInt8]
    var plan: ReplicaPlan
}

/// A page of a scan that a lane coordinates.
struct OpenScan {
    var plan: ReplicaPlan
    var rule: QuorumRule
    var sink: ResponseSink
    var keyspace: KeyspaceNumber
    var level: ConsistencyLevel
    var contents: ScanRequest.Contents
    var mode: RecordMode
    var deadline: MonotonicInstant
    var scan: ReplicaScan
    var contacted = ReplicaBits()
    var failed = ReplicaBits()
    /// Pages that came, with the replica's place in the plan.
    var pages: [(index: Int, page: ReplicaPage)] = []
    /// The answer, once it only waits for its repairs.
    var answer: PageResponse?
    /// Acknowledgements of repairs that are still to come, by replica.
    var repairs: [Int] = []
}

/// A client's request that another node coordinates.
struct OpenForward {
    var sink: ResponseSink
    var target: NodeID
    var isWrite: Bool
    var deadline: MonotonicInstant
}

/// A frame kept back until a newer topology is here.
struct ParkedFrame {
    /// Who sent it.
    enum Source {
        case client(ConnectionID, isAdmin: Bool)
        case peer(NodeID, ConnectionID)
    }

    var source: Source
    /// The whole frame.
    var bytes: [UInt8]
    var epoch: UInt64
    var deadline: MonotonicInstant
}
