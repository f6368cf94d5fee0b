/// Who a certificate says its bearer is: the one URI in it, taken apart.
///
/// ```
/// identity = "starling://" cluster "/" ("node" | "client" | "admin") "/" name
/// cluster  = name
/// name     = (letter | digit) *47(letter | digit | "-" | "_" | ".")      ; ASCII
/// ```
/// The grammar has no percent escapes, wildcards, ports, queries or fragments, so that one identity
/// has exactly one spelling.
package struct PeerIdentity: Hashable, Sendable {
    /// What the bearer may be: a member of the cluster, a client, or a client that may administer.
    package enum Kind: String, Hashable, Sendable {
        /// A member of the cluster.
        case node
        /// A client that may read and write data.
        case client
        /// A client that may also change schema and topology.
        case admin
    }

    /// The longest cluster or other name, in bytes.
    package static let maximumNameLength = 48

    /// The cluster the certificate was made for.
    package let cluster: String
    /// The class of the bearer.
    package let kind: Kind
    /// The name of the node, client or admin, unique in its class.
    package let name: String

    /// Takes an identity from its parts.
    ///
    /// - Throws: `TLSError.argumentInvalid` when a name breaks the grammar.
    package init(cluster: String, kind: Kind, name: String) throws(TLSError) {
        try PeerIdentity.checkName(cluster, of: "a cluster")
        try PeerIdentity.checkName(name, of: "a \(kind.rawValue)")
        self.cluster = cluster
        self.kind = kind
        self.name = name
    }

    /// Takes an identity from the URI in a certificate.
    ///
    /// - Throws: `TLSError.identityRefused` when the text is not exactly of the grammar.
    package init(uri: String) throws(TLSError) {
        let prefix = "starling://"
        guard uri.utf8.starts(with: prefix.utf8) else {
            throw .identityRefused(reason: "\"\(Printable.text(uri))\" is not a starling:// URI")
        }
        let parts = uri.utf8.dropFirst(prefix.utf8.count)
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String($0) ?? "" }
        guard parts.count == 3, let kind = Kind(rawValue: parts[1]) else {
            throw .identityRefused(
                reason: "\"\(Printable.text(uri))\" is not of the form"
                    + " starling://CLUSTER/node|client|admin/NAME"
            )
        }
        guard PeerIdentity.isName(parts[0]), PeerIdentity.isName(parts[2]) else {
            throw .identityRefused(
                reason: "\"\(Printable.text(uri))\" has a cluster or name that is not 1 to 48"
                    + " letters, digits, '-', '_' or '.', starting with a letter or digit"
            )
        }
        cluster = parts[0]
        self.kind = kind
        name = parts[2]
    }

    /// The one spelling of this identity, as it stands in a certificate.
    package var uri: String {
        "starling://\(cluster)/\(kind.rawValue)/\(name)"
    }

    /// Whether a text is a possible cluster, node, client or admin name.
    package static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= maximumNameLength else { return false }
        return isAlphanumeric(first) && bytes.allSatisfy { isAlphanumeric($0) || isJoiner($0) }
    }

    /// Refuses a name that breaks the grammar.
    ///
    /// - Throws: `TLSError.argumentInvalid`.
    static func checkName(_ text: String, of what: String) throws(TLSError) {
        guard isName(text) else {
            throw .argumentInvalid(
                argument: text,
                reason: "is no name for \(what): use 1 to 48 letters, digits, '-', '_' or '.',"
                    + " starting with a letter or digit"
            )
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            false
        }
    }

    private static func isJoiner(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
    }
}

extension PeerIdentity: CustomStringConvertible {
    package var description: String { uri }
}
