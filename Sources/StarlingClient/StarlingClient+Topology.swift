internal import ByteCoding
internal import ClientProtocol
internal import ClusterPrimitives
package import Partitioning
internal import Synchronization

extension StarlingClient {
    /// What the client knows of its cluster, fetched if it knows nothing yet.
    package func snapshot() async throws(StarlingError) -> ClusterSnapshot {
        if let snapshot = state.withLock({ $0.snapshot }) { return snapshot }
        return try await refreshed()
    }

    /// The topology as a node tells it now.
    ///
    /// Callers at the same time share one request.
    package func refreshed() async throws(StarlingError) -> ClusterSnapshot {
        let task = state.withLock { state in
            if let running = state.refresh { return running }
            let task = Task { [self] in await fetchTopology() }
            state.refresh = task
            return task
        }
        return try await task.value.get()
    }

    /// Fetches the topology behind the caller's back when a node speaks of a newer epoch.
    func note(epoch: UInt64) {
        state.withLock { state in
            guard let known = state.snapshot?.topology.epoch, epoch > known, state.refresh == nil
            else { return }
            state.refresh = Task { [self] in await fetchTopology() }
        }
    }

    /// Takes over a topology that is not older than the known one.
    @discardableResult
    func adopt(_ topology: Topology) -> ClusterSnapshot {
        let (snapshot, unused) = state.withLock { state -> (ClusterSnapshot, [NodePool]) in
            if let known = state.snapshot, known.topology.epoch >= topology.epoch {
                return (known, [])
            }
            let snapshot = ClusterSnapshot(topology)
            state.snapshot = snapshot
            let wanted =
                topology.members.map(\.clientEndpoint) + configuration.nodes.map(\.endpoint)
            let unused = state.pools.filter { !wanted.contains($0.key) }
            for endpoint in unused.keys { state.pools[endpoint] = nil }
            return (snapshot, unused.values.map { $0 })
        }
        for pool in unused { pool.close() }
        return snapshot
    }

    private func fetchTopology() async -> Result<ClusterSnapshot, StarlingError> {
        let result: Result<ClusterSnapshot, StarlingError>
        do throws(StarlingError) {
            let reply = try await perform(
                Operation(
                    kind: .describe,
                    answer: .topology,
                    repetition: .harmless,
                    // A short time for a request says nothing of how long a first contact takes.
                    timeout: max(configuration.requestTimeout, .seconds(2))
                ),
                on: candidates(isLocalOnly: false)
            )
            result = .success(adopt(try topology(in: reply)))
        } catch {
            result = .failure(error)
        }
        state.withLock { $0.refresh = nil }
        return result
    }

    /// The topology that a reply carries.
    func topology(in reply: Reply, ofWrite isWrite: Bool = false) throws(StarlingError) -> Topology
    {
        do throws(CodingError) {
            return try Topology(decoding: reply.body)
        } catch {
            throw .malformed("topology", error, written: isWrite ? .unknown : .no)
        }
    }

    /// The keyspace of a name; the topology is fetched anew before its absence is believed.
    package func keyspace(
        _ name: String
    ) async throws(StarlingError) -> (Keyspace, ClusterSnapshot) {
        let known = try await snapshot()
        if let keyspace = known.topology.keyspace(named: name) { return (keyspace, known) }
        let fresh = try await refreshed()
        if let keyspace = fresh.topology.keyspace(named: name) { return (keyspace, fresh) }
        let names = fresh.topology.keyspaces.map(\.name)
        throw StarlingError(
            .notFound,
            "there is no keyspace '\(name)'.",
            advice: NearestName.of(name, among: names).map { "Did you mean '\($0)'?" }
                ?? (names.isEmpty
                    ? "Create it first: no keyspace exists."
                    : "These exist: \(names.joined(separator: ", ")).")
        )
    }
}

extension StarlingClient {
    /// The nodes that may be asked for something that concerns no key.
    func candidates(isLocalOnly: Bool) -> [CoordinatorChoice.Candidate] {
        ordered(knownCandidates(replicas: nil), isLocalOnly: isLocalOnly)
    }

    /// The nodes that may coordinate a request for a key of a keyspace.
    func candidates(
        for token: Token,
        in keyspace: Keyspace,
        of snapshot: ClusterSnapshot,
        isLocalOnly: Bool
    ) throws(StarlingError) -> [CoordinatorChoice.Candidate] {
        if isLocalOnly { try requireLocalDatacenter(in: snapshot.topology) }
        let replicas = snapshot.ring(of: keyspace).replicas(for: token)
        return ordered(knownCandidates(replicas: replicas), isLocalOnly: isLocalOnly)
    }

    /// Refuses a local datacenter that does not exist, before nobody is found in it.
    func requireLocalDatacenter(in topology: Topology) throws(StarlingError) {
        guard let local = localDatacenter, topology.datacenter(named: local) == nil else { return }
        throw StarlingError(
            .invalid,
            "there is no datacenter '\(local)'.",
            advice: NearestName.of(local, among: topology.datacenters)
                .map { "Did you mean '\($0)'?" }
                ?? "These exist: \(topology.datacenters.joined(separator: ", "))."
        )
    }

    private func ordered(
        _ candidates: [CoordinatorChoice.Candidate],
        isLocalOnly: Bool
    ) -> [CoordinatorChoice.Candidate] {
        CoordinatorChoice(localDatacenter: localDatacenter, isLocalOnly: isLocalOnly)
            .order(candidates, rotation: nextRotation())
    }

    private func knownCandidates(replicas: ReplicaSet?) -> [CoordinatorChoice.Candidate] {
        let (snapshot, pools) = state.withLock { ($0.snapshot, $0.pools) }
        let now = MonotonicInstant.now
        func isAvoided(_ endpoint: Endpoint) -> Bool {
            pools[endpoint]?.isAvoided(at: now) ?? false
        }
        guard let topology = snapshot?.topology else {
            return configuration.nodes.map {
                CoordinatorChoice.Candidate(
                    endpoint: $0.endpoint,
                    name: $0.name,
                    datacenter: $0.datacenter,
                    isAvoided: isAvoided($0.endpoint)
                )
            }
        }
        return topology.members.map { member in
            CoordinatorChoice.Candidate(
                endpoint: member.clientEndpoint,
                name: member.name,
                datacenter: topology.name(of: member.datacenter),
                isReplica: replicas?.contains(member.id) ?? false,
                isAvoided: isAvoided(member.clientEndpoint)
            )
        }
    }
}
