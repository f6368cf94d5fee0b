package import ClusterPrimitives

/// A node as the topology knows it.
package struct Member: Equatable, Sendable {
    /// The number that data and messages carry; never given again.
    package var id: NodeID
    /// The name that people and certificates use.
    package var name: String
    /// 128 bits as 32 lower-case hexadecimal digits: tells two nodes of one name apart.
    package var identifier: String
    /// Its datacenter.
    package var datacenter: DatacenterID
    /// Its rack; racks of one name in two datacenters are two racks.
    package var rack: String
    /// Where other nodes reach it.
    package var peerEndpoint: Endpoint
    /// Where clients reach it.
    package var clientEndpoint: Endpoint
    /// The ends of the ranges whose first replica it is, ascending; of no other member.
    package var tokens: [Token]

    /// A member of these parts.
    package init(
        id: NodeID,
        name: String,
        identifier: String,
        datacenter: DatacenterID,
        rack: String,
        peerEndpoint: Endpoint,
        clientEndpoint: Endpoint,
        tokens: [Token]
    ) {
        self.id = id
        self.name = name
        self.identifier = identifier
        self.datacenter = datacenter
        self.rack = rack
        self.peerEndpoint = peerEndpoint
        self.clientEndpoint = clientEndpoint
        self.tokens = tokens
    }
}
