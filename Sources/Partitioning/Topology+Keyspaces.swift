internal import ClusterPrimitives

extension Topology {
    /// The next epoch, in which `definition` is a keyspace.
    ///
    /// - Throws: `invalidName`, `keyspaceExists`, `tooManyKeyspaces`, and what is wrong with the
    ///   replication.
    package func creating(
        _ definition: KeyspaceDefinition
    ) throws(TopologyError) -> Topology {
        guard Limits.isName(definition.name) else {
            throw .invalidName(kind: "keyspace", name: definition.name)
        }
        guard keyspace(named: definition.name) == nil else {
            throw .keyspaceExists(definition.name)
        }
        guard keyspaces.count < Limits.keyspaces else {
            throw .tooManyKeyspaces(limit: Limits.keyspaces)
        }
        let (following, overflow) = nextKeyspaceNumber.addingReportingOverflow(1)
        guard !overflow, epoch < .max else { throw .numbersExhausted }
        let replication = try resolved(definition)
        var next = self
        next.epoch += 1
        next.nextKeyspaceNumber = following
        // Numbers only grow, so the order by number holds.
        next.keyspaces.append(
            Keyspace(
                number: KeyspaceNumber(nextKeyspaceNumber),
                name: definition.name,
                replication: replication,
                mode: definition.mode,
                defaultTimeToLiveMilliseconds: definition.defaultTimeToLiveMilliseconds,
                readConsistency: definition.readConsistency,
                writeConsistency: definition.writeConsistency,
                compression: definition.compression
            )
        )
        return next
    }

    /// The next epoch, in which there is no keyspace `name`; its number is never used again.
    ///
    /// - Throws: `unknownKeyspace`.
    package func dropping(_ name: String) throws(TopologyError) -> Topology {
        guard let index = keyspaces.firstIndex(where: { $0.name == name }) else {
            throw .unknownKeyspace(
                name,
                nearest: NearestName.of(name, among: keyspaces.map(\.name))
            )
        }
        guard epoch < .max else { throw .numbersExhausted }
        var next = self
        next.epoch += 1
        next.keyspaces.remove(at: index)
        return next
    }

    private func resolved(
        _ definition: KeyspaceDefinition
    ) throws(TopologyError) -> [DatacenterReplication] {
        guard !definition.replication.isEmpty else {
            throw .noReplication(keyspace: definition.name)
        }
        var resolved: [DatacenterReplication] = []
        for wish in definition.replication {
            guard let datacenter = datacenter(named: wish.datacenter) else {
                throw .unknownDatacenter(
                    wish.datacenter,
                    nearest: NearestName.of(wish.datacenter, among: datacenters)
                )
            }
            guard !resolved.contains(where: { $0.datacenter == datacenter }) else {
                throw .datacenterRepeated(wish.datacenter)
            }
            guard wish.replicas >= 1 else {
                throw .tooFewReplicas(datacenter: wish.datacenter, replicas: wish.replicas)
            }
            let nodes = members(in: datacenter).count
            guard wish.replicas <= nodes else {
                throw .tooFewNodes(
                    datacenter: wish.datacenter,
                    replicas: wish.replicas,
                    nodes: nodes
                )
            }
            resolved.append(DatacenterReplication(datacenter: datacenter, replicas: wish.replicas))
        }
        let total = resolved.reduce(0) { $0 + $1.replicas }
        guard total <= Limits.replicas else {
            throw .tooManyReplicas(count: total, limit: Limits.replicas)
        }
        return resolved.sorted { $0.datacenter < $1.datacenter }
    }
}
