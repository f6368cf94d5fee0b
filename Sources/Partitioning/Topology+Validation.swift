internal import ByteCoding
internal import ClusterPrimitives

extension Topology {
    /// Checks the rules that hold for every topology a node may act on.
    ///
    /// - Throws: `invalid` with the number of the element that breaks a rule.
    func validate() throws(CodingError) {
        guard Limits.isName(clusterName) else { throw .invalid(field: "cluster name", value: 0) }
        guard epoch >= 1 else { throw .invalid(field: "epoch", value: epoch) }
        try validateDatacenters()
        try validateMembers()
        try validateTokens()
        try validateKeyspaces()
        try validateVoters()
        try validateFounding()
    }

    /// What claims to be the founding must have the digest that later epochs refer to.
    private func validateFounding() throws(CodingError) {
        guard epoch == 1 else { return }
        var body = ByteWriter()
        encodeBody(into: &body)
        guard SHA256.digest(body.bytes) == foundingDigest else {
            throw .invalid(field: "founding digest", value: epoch)
        }
    }

    private func validateDatacenters() throws(CodingError) {
        for (index, name) in datacenters.enumerated() {
            guard Limits.isName(name), !datacenters[..<index].contains(name) else {
                throw .invalid(field: "datacenter name", value: UInt64(index))
            }
        }
    }

    private func validateMembers() throws(CodingError) {
        guard !members.isEmpty else { throw .invalid(field: "members", value: 0) }
        var names: Set<String> = []
        var identifiers: Set<String> = []
        var endpoints: Set<Endpoint> = []
        var previous = NodeID(0)
        for member in members {
            let number = UInt64(member.id.rawValue)
            // Number 0 is given to no member, so it can stand for "none" in fixed-size fields.
            guard previous < member.id, member.id.rawValue < nextNodeNumber else {
                throw .invalid(field: "member", value: number)
            }
            previous = member.id
            guard Limits.isName(member.name), names.insert(member.name).inserted else {
                throw .invalid(field: "name of member", value: number)
            }
            guard Self.isIdentifier(member.identifier),
                identifiers.insert(member.identifier).inserted
            else { throw .invalid(field: "identifier of member", value: number) }
            guard Int(member.datacenter.rawValue) < datacenters.count else {
                throw .invalid(field: "datacenter of member", value: number)
            }
            guard Limits.isName(member.rack) else {
                throw .invalid(field: "rack of member", value: number)
            }
            for endpoint in [member.peerEndpoint, member.clientEndpoint] {
                guard Self.isReachable(endpoint), endpoints.insert(endpoint).inserted else {
                    throw .invalid(field: "endpoint of member", value: number)
                }
            }
        }
    }

    private func validateTokens() throws(CodingError) {
        var tokens: Set<Token> = []
        for member in members {
            var previous = Token.min
            guard Limits.tokensPerMember.contains(member.tokens.count) else {
                throw .invalid(field: "tokens of member", value: UInt64(member.id.rawValue))
            }
            for token in member.tokens {
                guard previous < token, tokens.insert(token).inserted else {
                    throw .invalid(field: "token of member", value: UInt64(member.id.rawValue))
                }
                previous = token
            }
        }
    }

    private func validateKeyspaces() throws(CodingError) {
        var nodes = [Int](repeating: 0, count: datacenters.count)
        for member in members { nodes[Int(member.datacenter.rawValue)] += 1 }
        var names: Set<String> = []
        var previous = KeyspaceNumber(0)
        for keyspace in keyspaces {
            let number = UInt64(keyspace.number.rawValue)
            guard previous < keyspace.number, keyspace.number.rawValue < nextKeyspaceNumber else {
                throw .invalid(field: "keyspace", value: number)
            }
            previous = keyspace.number
            guard Limits.isName(keyspace.name), names.insert(keyspace.name).inserted else {
                throw .invalid(field: "name of keyspace", value: number)
            }
            guard !keyspace.replication.isEmpty, keyspace.totalReplicas <= Limits.replicas else {
                throw .invalid(field: "replication of keyspace", value: number)
            }
            var least = 0
            for replication in keyspace.replication {
                let datacenter = Int(replication.datacenter.rawValue)
                guard datacenter >= least, datacenter < nodes.count,
                    replication.replicas >= 1, replication.replicas <= nodes[datacenter]
                else { throw .invalid(field: "replication of keyspace", value: number) }
                least = datacenter + 1
            }
        }
    }

    private func validateVoters() throws(CodingError) {
        guard (1...Self.maximumVoters).contains(voters.count) else {
            throw .invalid(field: "voters", value: UInt64(voters.count))
        }
        for (index, voter) in voters.enumerated() {
            guard index == 0 || voters[index - 1] < voter, member(voter) != nil else {
                throw .invalid(field: "voter", value: UInt64(voter.rawValue))
            }
        }
    }

    private static func isIdentifier(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Whether something could answer there: a host without spaces or control bytes, a port.
    static func isReachable(_ endpoint: Endpoint) -> Bool {
        endpoint.port > 0 && (1...255).contains(endpoint.host.utf8.count)
            && endpoint.host.utf8.allSatisfy { (33...126).contains($0) }
    }
}
