internal import ByteCoding
package import ClusterPrimitives

/// A member of a cluster that is about to be founded.
package struct FoundingMember: Equatable, Sendable {
    /// The name that its certificate carries.
    package var name: String
    /// The name of its datacenter.
    package var datacenter: String
    /// The name of its rack.
    package var rack: String
    /// Where other nodes will reach it.
    package var peer: Endpoint
    /// Where clients will reach it.
    package var client: Endpoint

    /// A member of these parts.
    package init(
        name: String,
        datacenter: String,
        rack: String,
        peer: Endpoint,
        client: Endpoint
    ) {
        self.name = name
        self.datacenter = datacenter
        self.rack = rack
        self.peer = peer
        self.client = client
    }
}

/// How members come to their tokens.
package enum TokenAllocation: Equatable, Sendable {
    /// Placed so that the members of a datacenter own alike.
    case allocated
    /// Drawn from a seed; for comparison.
    case random(seed: UInt64)
}

extension Topology {
    /// Epoch 1 of a new cluster.
    ///
    /// A pure function: nodes that are given the same arguments found the same cluster. Members
    /// are numbered from 1 and datacenters from 0 in the order given.
    ///
    /// There may be 1 to `Limits.members` members with 1 to 256 tokens each: with fewer tokens, a
    /// lost node's load falls on fewer others; with more, any two failures are more likely to
    /// meet in one range.
    ///
    /// - Throws: what is wrong with the names, endpoints or counts.
    package static func founding(
        cluster name: String,
        members founders: [FoundingMember],
        tokensPerMember: Int = 16,
        allocation: TokenAllocation = .allocated
    ) throws(TopologyError) -> Topology {
        try check(name, founders, tokensPerMember)
        var datacenters: [String] = []
        for founder in founders where !datacenters.contains(founder.datacenter) {
            datacenters.append(founder.datacenter)
        }
        guard datacenters.count <= Limits.datacenters else {
            throw .tooManyDatacenters(count: datacenters.count, limit: Limits.datacenters)
        }
        let input = digest(name, founders, tokensPerMember, allocation)
        let places = founders.map { founder in
            TokenAllocator.Place(
                datacenter: datacenters.firstIndex(of: founder.datacenter) ?? 0,
                rack: founder.rack
            )
        }
        let tokens = TokenAllocator.tokens(
            for: places,
            perMember: tokensPerMember,
            allocation: allocation
        )
        let members = founders.indices.map { index in
            Member(
                id: NodeID(UInt16(index + 1)),
                name: founders[index].name,
                identifier: identifier(of: founders[index].name, in: input),
                datacenter: DatacenterID(UInt8(places[index].datacenter)),
                rack: founders[index].rack,
                peerEndpoint: founders[index].peer,
                clientEndpoint: founders[index].client,
                tokens: tokens[index]
            )
        }
        var topology = Topology(
            clusterName: name,
            clusterIdentifier: Array(input.prefix(16)),
            epoch: 1,
            datacenters: datacenters,
            members: members,
            nextNodeNumber: UInt16(members.count + 1),
            keyspaces: [],
            nextKeyspaceNumber: 1,
            voters: VoterChoice.voters(among: members, limit: maximumVoters),
            foundingDigest: []
        )
        var body = ByteWriter()
        topology.encodeBody(into: &body)
        topology.foundingDigest = SHA256.digest(body.bytes)
        return topology
    }

    private static func check(
        _ name: String,
        _ founders: [FoundingMember],
        _ tokensPerMember: Int
    ) throws(TopologyError) {
        guard Limits.isName(name) else { throw .invalidName(kind: "cluster", name: name) }
        guard !founders.isEmpty else { throw .noMembers }
        guard founders.count <= Limits.members else {
            throw .tooManyMembers(count: founders.count, limit: Limits.members)
        }
        guard Limits.tokensPerMember.contains(tokensPerMember) else {
            throw .invalidTokenCount(tokensPerMember, allowed: Limits.tokensPerMember)
        }
        var names: Set<String> = []
        var owners: [Endpoint: String] = [:]
        for founder in founders {
            for (kind, text) in [
                ("node", founder.name), ("datacenter", founder.datacenter), ("rack", founder.rack),
            ] where !Limits.isName(text) {
                throw .invalidName(kind: kind, name: text)
            }
            guard names.insert(founder.name).inserted else { throw .memberRepeated(founder.name) }
            for endpoint in [founder.peer, founder.client] {
                guard isReachable(endpoint) else {
                    throw .invalidEndpoint(endpoint, member: founder.name)
                }
                if let other = owners.updateValue(founder.name, forKey: endpoint) {
                    throw .endpointRepeated(endpoint, first: other, second: founder.name)
                }
            }
        }
    }

    /// SHA-256 over everything a founding is given.
    private static func digest(
        _ name: String,
        _ founders: [FoundingMember],
        _ tokensPerMember: Int,
        _ allocation: TokenAllocation
    ) -> [UInt8] {
        var writer = ByteWriter()
        writer.string("starling founding 1")
        writer.string(name)
        for founder in founders {
            writer.string(founder.name)
            writer.string(founder.datacenter)
            writer.string(founder.rack)
            for endpoint in [founder.peer, founder.client] {
                writer.string(endpoint.host)
                writer.uint16(endpoint.port)
            }
        }
        writer.uint16(UInt16(tokensPerMember))
        switch allocation {
        case .allocated: writer.uint8(0)
        case .random(let seed):
            writer.uint8(1)
            writer.uint64(seed)
        }
        return SHA256.digest(writer.bytes)
    }

    private static func identifier(of member: String, in founding: [UInt8]) -> String {
        let digest = SHA256.digest(founding + Array(member.utf8))
        let digits = Array("0123456789abcdef")
        return String(digest.prefix(16).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
