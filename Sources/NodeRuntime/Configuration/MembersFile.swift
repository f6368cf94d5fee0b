import ClusterPrimitives
package import Partitioning

/// The members of a cluster that is about to be founded, as an operator lists them.
///
///     cluster: orders
///     tokens_per_member: 16
///     members:
///       - {name: dc1-n1, datacenter: dc1, rack: r1, peer: "10.0.0.1:7400", client: "10.0.0.1:7401"}
package struct MembersFile: Equatable, Sendable {
    /// The cluster's name.
    package var cluster: String
    /// Tokens of each member; 16.
    package var tokensPerMember: Int
    /// The members, in the order in which they are numbered.
    package var members: [FoundingMember]

    /// A list of members.
    package init(cluster: String, tokensPerMember: Int = 16, members: [FoundingMember]) {
        self.cluster = cluster
        self.tokensPerMember = tokensPerMember
        self.members = members
    }

    /// Reads a file.
    ///
    /// - Throws: every finding of the file at once.
    package init(file: String) throws(ConfigurationError) {
        try self.init(section: YAMLSection(file: file), file: file)
    }

    /// Reads a text.
    ///
    /// `file`: its name, for errors.
    /// - Throws: every finding of the text at once.
    package init(text: String, file: String) throws(ConfigurationError) {
        try self.init(section: YAMLSection(text: text, file: file), file: file)
    }

    private init(section: YAMLSection, file: String) throws(ConfigurationError) {
        var section = section
        cluster = section.requiredString("cluster") ?? ""
        tokensPerMember = section.integer("tokens_per_member", in: Limits.tokensPerMember) ?? 16
        members =
            section.sections("members") { member in
                let name = member.requiredString("name")
                let datacenter = member.requiredString("datacenter")
                let rack = member.requiredString("rack")
                let peer = Self.requiredEndpoint("peer", in: &member)
                let client = Self.requiredEndpoint("client", in: &member)
                guard let name, let datacenter, let rack, let peer, let client else { return nil }
                return FoundingMember(
                    name: name,
                    datacenter: datacenter,
                    rack: rack,
                    peer: peer,
                    client: client
                )
            } ?? []
        try section.finish(file: file)
    }

    static func requiredEndpoint(_ key: String, in section: inout YAMLSection) -> Endpoint? {
        guard section.has(key) else {
            section.report(key, "is missing; give it as host:port")
            return nil
        }
        return section.endpoint(key)
    }

    /// The founding topology of these members.
    ///
    /// - Throws: a `ConfigurationError` that says what the members cannot be.
    package func founding(file: String) throws(ConfigurationError) -> Topology {
        do {
            return try Topology.founding(
                cluster: cluster,
                members: members,
                tokensPerMember: tokensPerMember
            )
        } catch {
            throw ConfigurationError(file: file, message: "\(error)")
        }
    }
}
