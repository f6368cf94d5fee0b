import ByteCoding
import ClusterPrimitives
package import Partitioning

/// The founding topology as a file that people can read and every node is given.
///
///     cluster: orders
///     identifier: 32 hexadecimal digits
///     founding_digest: 64 hexadecimal digits
///     datacenters: [dc1, dc2]
///     voters: [dc1-n1, dc2-n1]
///     members:
///       - name: dc1-n1
///         identifier: 32 hexadecimal digits
///         datacenter: dc1
///         rack: r1
///         peer: 127.0.0.1:7400
///         client: 127.0.0.1:7401
///         tokens: [-9180000000000000000, …]
///
/// Members are numbered from 1 in the order given. The digest covers all the rest, so a file that
/// was edited is refused.
package enum TopologyFile {
    /// The text of a founding topology: epoch 1, without keyspaces.
    package static func text(of topology: Topology) -> String {
        var text = """
            # Founding topology of a Starling cluster: give the same file to every node.
            # Do not edit it; the digest covers every line.
            cluster: \(quoted(topology.clusterName))
            identifier: \(quoted(HexadecimalText.encode(topology.clusterIdentifier)))
            founding_digest: \(quoted(HexadecimalText.encode(topology.foundingDigest)))
            datacenters: [\(topology.datacenters.map(quoted).joined(separator: ", "))]
            voters: [\(topology.voters.map { name($0, in: topology) }.joined(separator: ", "))]
            members:

            """
        for member in topology.members {
            text += "  - name: \(quoted(member.name))\n"
            text += "    identifier: \(quoted(member.identifier))\n"
            text += "    datacenter: \(quoted(topology.name(of: member.datacenter)))\n"
            text += "    rack: \(quoted(member.rack))\n"
            text += "    peer: \(quoted(member.peerEndpoint.description))\n"
            text += "    client: \(quoted(member.clientEndpoint.description))\n"
            let tokens = member.tokens.map { String($0.rawValue) }.joined(separator: ", ")
            text += "    tokens: [\(tokens)]\n"
        }
        return text
    }

    private static func name(_ node: NodeID, in topology: Topology) -> String {
        quoted(topology.member(node)?.name ?? "\(node)")
    }

    /// Double quotes keep names such as `on` or `1.0` texts; a host may hold what they end at.
    private static func quoted(_ text: String) -> String {
        let escaped = text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
        return "\"" + String(escaped) + "\""
    }

    /// Reads a file.
    ///
    /// - Throws: every finding of the file at once, or that its digest does not match.
    package static func read(file: String) throws(ConfigurationError) -> Topology {
        try parse(YAMLSection(file: file), file: file)
    }

    /// Reads a text.
    ///
    /// `file`: its name, for errors.
    /// - Throws: every finding of the text at once, or that its digest does not match.
    package static func parse(
        text: String,
        file: String
    ) throws(ConfigurationError) -> Topology {
        try parse(YAMLSection(text: text, file: file), file: file)
    }

    private static func parse(
        _ section: YAMLSection,
        file: String
    ) throws(ConfigurationError) -> Topology {
        var section = section
        let cluster = section.requiredString("cluster")
        let identifier = bytes("identifier", count: 16, in: &section)
        let digest = bytes("founding_digest", count: 32, in: &section)
        let datacenters = section.strings("datacenters") ?? []
        let voterNames = section.strings("voters") ?? []
        var number: UInt16 = 0
        let members: [Member] =
            section.sections("members") { section in
                number &+= 1
                return member(&section, id: NodeID(number), datacenters: datacenters)
            } ?? []
        if members.count > Limits.members {
            section.report(
                "members",
                "lists \(members.count), a cluster can have \(Limits.members)"
            )
        }
        var voters: [NodeID] = []
        for name in voterNames {
            if let member = members.first(where: { $0.name == name }) {
                voters.append(member.id)
            } else {
                section.report("voters", "names '\(name)', which is not a member")
            }
        }
        try section.finish(file: file)
        let topology: Topology
        do {
            topology = try Topology(
                foundingCluster: cluster ?? "",
                identifier: identifier ?? [],
                datacenters: datacenters,
                members: members,
                voters: voters
            )
        } catch {
            throw ConfigurationError(file: file, message: "is no founding topology: \(error)")
        }
        guard topology.foundingDigest == digest else {
            throw ConfigurationError(
                file: file,
                message: "does not match its founding_digest, so it was edited or cut; take the "
                    + "file that `starling topology init` printed"
            )
        }
        return topology
    }

    private static func bytes(
        _ key: String,
        count: Int,
        in section: inout YAMLSection
    ) -> [UInt8]? {
        guard let text = section.requiredString(key) else { return nil }
        guard let bytes = HexadecimalText.decode(text), bytes.count == count else {
            section.report(key, "must be \(count * 2) hexadecimal digits")
            return nil
        }
        return bytes
    }

    private static func member(
        _ section: inout YAMLSection,
        id: NodeID,
        datacenters: [String]
    ) -> Member? {
        let name = section.requiredString("name")
        let identifier = section.requiredString("identifier")
        let datacenter = section.requiredString("datacenter")
        let rack = section.requiredString("rack")
        let peer = MembersFile.requiredEndpoint("peer", in: &section)
        let client = MembersFile.requiredEndpoint("client", in: &section)
        let tokens = tokens(in: &section)
        guard let name, let identifier, let datacenter, let rack, let peer, let client,
            let tokens
        else { return nil }
        guard let index = datacenters.firstIndex(of: datacenter), index <= Int(UInt8.max) else {
            section.report("datacenter", "is '\(datacenter)', which datacenters does not list")
            return nil
        }
        return Member(
            id: id,
            name: name,
            identifier: identifier,
            datacenter: DatacenterID(UInt8(index)),
            rack: rack,
            peerEndpoint: peer,
            clientEndpoint: client,
            tokens: tokens
        )
    }

    private static func tokens(in section: inout YAMLSection) -> [Token]? {
        guard section.has("tokens") else {
            section.report("tokens", "is missing; add it")
            return nil
        }
        guard let texts = section.strings("tokens") else { return nil }
        var tokens: [Token] = []
        for text in texts {
            guard let value = Int64(text) else {
                section.report("tokens", "holds '\(text)', which is no 64-bit number")
                return nil
            }
            tokens.append(Token(value))
        }
        return tokens
    }
}
