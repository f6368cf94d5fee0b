internal import ByteCoding
internal import ClientProtocol
internal import ClusterPrimitives
internal import Partitioning

extension StarlingClient {
    /// The members and keyspaces of the cluster, as a node tells them now.
    public func describe() async throws(StarlingError) -> ClusterDescription {
        ClusterDescription(try await refreshed().topology)
    }

    /// The state of every node, seen from the one of a name, or from whichever answers.
    public func status(seenFrom node: String? = nil) async throws(StarlingError) -> ClusterStatus {
        let snapshot = try await refreshed()
        var targets = candidates(isLocalOnly: false)
        if let node { targets = [try await candidate(named: node)] }
        var answering = ""
        var reply: Reply?
        // One at a time, because the answer does not name the node that gave it.
        for (index, target) in targets.enumerated() {
            do throws(StarlingError) {
                reply = try await perform(
                    Operation(kind: .status, answer: .statusReport, repetition: .harmless),
                    on: [target]
                )
                answering = target.name ?? target.endpoint.description
                break
            } catch {
                guard index + 1 < targets.count else { throw error }
            }
        }
        guard let reply else {
            throw StarlingError(.cannotConnect, "no node is known.")
        }
        let response = try decode(reply, "status") { body, bytes throws(CodingError) in
            try StatusResponse(decoding: body, of: bytes)
        }
        return ClusterStatus(
            cluster: snapshot.topology.clusterName,
            epoch: snapshot.topology.epoch,
            seenFrom: answering,
            durability: response.durability.name,
            nodes: response.nodes.compactMap { NodeStatus($0, in: snapshot.topology) }
        )
    }

    /// Creates a keyspace; needs an admin's certificate.
    public func createKeyspace(
        _ keyspace: KeyspaceDescription
    ) async throws(StarlingError) -> ClusterDescription {
        for replication in keyspace.replication {
            guard (1...Limits.replicas).contains(replication.replicas) else {
                throw StarlingError(
                    .invalid,
                    "\(replication.replicas) replicas in '\(replication.datacenter)' are not "
                        + "possible.",
                    advice: "A key has 1 to \(Limits.replicas) replicas."
                )
            }
        }
        if case .zlib(let level) = keyspace.compression, !BlockCompression.levels.contains(level) {
            throw StarlingError(
                .invalid,
                "zlib has no level \(level).",
                advice: "Its levels are 1, fast, to 9, small."
            )
        }
        let lifetime = keyspace.lifetime.map { UInt64(max(1, $0.wholeMilliseconds)) } ?? 0
        let request = CreateKeyspaceRequest(
            name: keyspace.name,
            mode: keyspace.mode.rawValue,
            lifetime: lifetime,
            readConsistency: keyspace.readConsistency,
            writeConsistency: keyspace.writeConsistency,
            compression: keyspace.compression.blocks.code,
            replication: keyspace.replication.map {
                CreateKeyspaceRequest.Replication(
                    datacenter: $0.datacenter,
                    replicas: UInt8(clamping: $0.replicas)
                )
            }
        )
        return try await change(.createKeyspace) { _, writer in request.encode(into: &writer) }
    }

    /// Drops a keyspace with all its data; needs an admin's certificate.
    public func dropKeyspace(_ name: String) async throws(StarlingError) -> ClusterDescription {
        _ = try await keyspace(name)
        let request = DropKeyspaceRequest(name: name)
        return try await change(.dropKeyspace) { _, writer in request.encode(into: &writer) }
    }

    private func change(
        _ kind: ClientKind,
        encode: @escaping (UInt32, inout ByteWriter) -> Void
    ) async throws(StarlingError) -> ClusterDescription {
        _ = try await snapshot()
        let reply = try await perform(
            Operation(
                kind: kind,
                answer: .topology,
                repetition: .harmful,
                isWrite: true,
                // Several nodes decide together.
                timeout: max(configuration.requestTimeout, .seconds(5)),
                encode: encode
            ),
            on: candidates(isLocalOnly: false)
        )
        let topology = try topology(in: reply, ofWrite: true)
        adopt(topology)
        return ClusterDescription(topology)
    }

    /// Makes a node drop every frame to and from the peers of these names, beside those whose
    /// frames it drops already; none ends all faults.
    ///
    /// A test instrument that a node refuses unless its configuration allows it.
    public func fault(on node: String, blockedPeers: [String]) async throws(StarlingError) {
        let request = FaultRequest(blockedPeers: blockedPeers)
        _ = try await perform(
            Operation(
                kind: .fault,
                answer: .done,
                repetition: .harmless,
                encode: { _, writer in request.encode(into: &writer) }
            ),
            on: [try await candidate(named: node)]
        )
    }

    /// The node of a name, as the only one to be asked.
    func candidate(named node: String) async throws(StarlingError) -> CoordinatorChoice.Candidate {
        var topology = try await snapshot().topology
        if topology.member(named: node) == nil { topology = try await refreshed().topology }
        guard let member = topology.member(named: node) else {
            let names = topology.members.map(\.name)
            throw StarlingError(
                .notFound,
                "there is no node '\(node)'.",
                advice: NearestName.of(node, among: names).map { "Did you mean '\($0)'?" }
                    ?? "These exist: \(names.joined(separator: ", "))."
            )
        }
        return CoordinatorChoice.Candidate(
            endpoint: member.clientEndpoint,
            name: member.name,
            datacenter: topology.name(of: member.datacenter)
        )
    }
}

extension NodeStatus {
    /// A node's line, with what the topology knows of it; nil when it is no member.
    fileprivate init?(_ node: StatusResponse.Node, in topology: Topology) {
        guard let member = topology.member(node.id) else { return nil }
        self.init(
            name: member.name,
            identifier: member.identifier,
            datacenter: topology.name(of: member.datacenter),
            rack: member.rack,
            endpoint: member.clientEndpoint,
            state: State(rawValue: node.state.name) ?? .down,
            phi: node.phi,
            silence: .milliseconds(Int64(node.silence)),
            loadInBytes: node.load,
            uptime: .seconds(Int64(node.uptime)),
            softwareVersion: node.version,
            epoch: node.epoch,
            clockDeviation: .milliseconds(Int64(node.clockDeviation)),
            isDataKnown: node.isDataKnown,
            virtualNodes: member.tokens.count
        )
    }
}
