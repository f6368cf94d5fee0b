package import ByteCoding
package import ClusterPrimitives

extension Topology {
    /// Epoch 1 again, from the parts that a founding computed.
    ///
    /// Unlike `founding` it chooses nothing, so a file that carries the tokens gives the same
    /// cluster whatever allocates tokens today. Its founding digest is computed anew; the caller
    /// compares it with the one that came along.
    ///
    /// - Parameters:
    ///   - cluster: the cluster's name.
    ///   - identifier: its 16 bytes.
    ///   - datacenters: in the order of their numbers.
    ///   - members: ascending by number, numbered from 1.
    ///   - voters: in any order.
    /// - Throws: `invalid` for what breaks a rule.
    package init(
        foundingCluster cluster: String,
        identifier: [UInt8],
        datacenters: [String],
        members: [Member],
        voters: [NodeID]
    ) throws(CodingError) {
        guard identifier.count == 16 else {
            throw .invalid(field: "cluster identifier size", value: UInt64(identifier.count))
        }
        guard members.count <= Limits.members else {
            throw .tooLong(
                field: "members",
                length: UInt64(members.count),
                limit: Limits.members
            )
        }
        guard datacenters.count <= Limits.datacenters else {
            throw .tooLong(
                field: "datacenters",
                length: UInt64(datacenters.count),
                limit: Limits.datacenters
            )
        }
        self.init(
            clusterName: cluster,
            clusterIdentifier: identifier,
            epoch: 1,
            datacenters: datacenters,
            members: members,
            nextNodeNumber: UInt16(members.count + 1),
            keyspaces: [],
            nextKeyspaceNumber: 1,
            voters: voters.sorted(),
            foundingDigest: []
        )
        var body = ByteWriter()
        encodeBody(into: &body)
        foundingDigest = SHA256.digest(body.bytes)
        try validate()
    }
}
