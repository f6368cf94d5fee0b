internal import ClusterPrimitives
internal import MutualTLS
internal import NIOCore
internal import NIOPosix
internal import Partitioning
internal import Synchronization

/// A client of a Starling cluster.
///
/// It learns the topology from any node it can reach, sends each request straight to a replica
/// of its key where it can, keeps a few pipelined connections to each node it talks to, and
/// repeats only what is safe to repeat. All operations may be called from any task at any time;
/// each ends within its time, whatever the nodes do.
public final class StarlingClient: Sendable {
    /// What a client may hold of a cluster.
    struct State {
        /// Nil until a node has answered.
        var snapshot: ClusterSnapshot?
        /// By endpoint, because a node may be known before its name.
        var pools: [Endpoint: NodePool] = [:]
        /// The fetch of a topology that is under way.
        var refresh: Task<Result<ClusterSnapshot, StarlingError>, Never>?
        /// Moves on with each request, to spread load over equals; begins anywhere, so that
        /// clients of a single request spread it too.
        var rotation = Int.random(in: 0..<1 << 16)
        var isClosed = false
    }

    /// What the client was made with.
    public let configuration: ClientConfiguration
    let state = Mutex(State())
    let tls: TLSContext
    let group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    /// A client that has not contacted anyone yet.
    ///
    /// - Throws: `invalid` for a configuration without nodes, `tls` for a certificate, key or
    ///   authority that cannot be read.
    public init(configuration: ClientConfiguration) throws(StarlingError) {
        guard !configuration.nodes.isEmpty else {
            throw StarlingError(
                .invalid,
                "the configuration names no node.",
                advice: "Name at least one node of the cluster."
            )
        }
        self.configuration = configuration
        do throws(TLSError) {
            tls = try TLSContext(
                TLSConfiguration(
                    cluster: configuration.cluster,
                    certificateFile: configuration.certificateFile,
                    keyFile: configuration.keyFile,
                    authorityFile: configuration.authorityFile,
                    revocationListFile: nil,
                    allowsTLS12OnClientPort: false
                ),
                role: .clientClient
            )
        } catch {
            throw StarlingError(
                .tls,
                "\(error)",
                advice: "Check the certificate, key and authority files of the profile."
            )
        }
    }

    /// Closes all connections; requests under way fail, later ones are refused.
    public func close() {
        let pools = state.withLock { state in
            state.isClosed = true
            return state.pools.values.map { $0 }
        }
        for pool in pools { pool.close() }
    }

    /// What *local* means: the configuration's datacenter, else that of its first node.
    package var localDatacenter: String? {
        configuration.datacenter ?? configuration.nodes.first?.datacenter
    }

    /// The connections to a node.
    func pool(for candidate: CoordinatorChoice.Candidate) -> NodePool {
        let (pool, isClosed) = state.withLock { state in
            if let pool = state.pools[candidate.endpoint] { return (pool, state.isClosed) }
            let pool = NodePool(
                endpoint: candidate.endpoint,
                name: candidate.name,
                tls: tls,
                configuration: configuration,
                group: group
            )
            state.pools[candidate.endpoint] = pool
            return (pool, state.isClosed)
        }
        if isClosed { pool.close() }
        return pool
    }

    func nextRotation() -> Int {
        state.withLock { state in
            state.rotation &+= 1
            return state.rotation
        }
    }
}
