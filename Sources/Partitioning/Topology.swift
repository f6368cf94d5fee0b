package import ClusterPrimitives

/// Everything the members of a cluster agree on: who they are, what they own, which keyspaces
/// there are.
///
/// One immutable value per epoch. Placement is a pure function of it (`Ring`). It changes only by a committed next epoch; what a
/// failure detector thinks never touches it.
package struct Topology: Equatable, Sendable {
    /// The most members that vote on the next epoch.
    package static let maximumVoters = 7

    /// The cluster's name, as certificates carry it.
    package let clusterName: String
    /// 16 bytes that tell this cluster from every other of the same name.
    package let clusterIdentifier: [UInt8]
    /// 1 at founding, one more with each committed change.
    package internal(set) var epoch: UInt64
    /// Names of the datacenters; a `DatacenterID` is an index into them.
    package internal(set) var datacenters: [String]
    /// Ascending by id.
    package internal(set) var members: [Member]
    /// The number that the next member to join will get; those below it are never given again.
    package internal(set) var nextNodeNumber: UInt16
    /// Ascending by number.
    package internal(set) var keyspaces: [Keyspace]
    /// The number that the next keyspace will get; those below it are never given again.
    package internal(set) var nextKeyspaceNumber: UInt32
    /// The members whose majority decides on the next epoch, ascending; at most seven, spread
    /// over datacenters and racks.
    package internal(set) var voters: [NodeID]
    /// SHA-256 over the encoding of epoch 1; every later epoch keeps it, so two nodes can tell
    /// whether they were founded alike.
    package internal(set) var foundingDigest: [UInt8]

    init(
        clusterName: String,
        clusterIdentifier: [UInt8],
        epoch: UInt64,
        datacenters: [String],
        members: [Member],
        nextNodeNumber: UInt16,
        keyspaces: [Keyspace],
        nextKeyspaceNumber: UInt32,
        voters: [NodeID],
        foundingDigest: [UInt8]
    ) {
        self.clusterName = clusterName
        self.clusterIdentifier = clusterIdentifier
        self.epoch = epoch
        self.datacenters = datacenters
        self.members = members
        self.nextNodeNumber = nextNodeNumber
        self.keyspaces = keyspaces
        self.nextKeyspaceNumber = nextKeyspaceNumber
        self.voters = voters
        self.foundingDigest = foundingDigest
    }
}

extension Topology {
    /// The member with this number, nil when there is none.
    ///
    /// O(log members).
    package func member(_ id: NodeID) -> Member? {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].id < id { low = middle + 1 } else { high = middle }
        }
        guard low < members.count, members[low].id == id else { return nil }
        return members[low]
    }

    /// The member of this name, nil when there is none.
    package func member(named name: String) -> Member? {
        members.first { $0.name == name }
    }

    /// The members of a datacenter, ascending by id.
    package func members(in datacenter: DatacenterID) -> [Member] {
        members.filter { $0.datacenter == datacenter }
    }

    /// The keyspace of this name, nil when there is none.
    package func keyspace(named name: String) -> Keyspace? {
        keyspaces.first { $0.name == name }
    }

    /// The keyspace with this number, nil when there is none.
    package func keyspace(_ number: KeyspaceNumber) -> Keyspace? {
        keyspaces.first { $0.number == number }
    }

    /// The datacenter of this name, nil when there is none.
    package func datacenter(named name: String) -> DatacenterID? {
        datacenters.firstIndex(of: name).map { DatacenterID(UInt8($0)) }
    }

    /// The name of a datacenter, which must be one of this topology's.
    package func name(of datacenter: DatacenterID) -> String {
        precondition(
            Int(datacenter.rawValue) < datacenters.count,
            "datacenter \(datacenter.rawValue) of \(datacenters.count)"
        )
        return datacenters[Int(datacenter.rawValue)]
    }
}
