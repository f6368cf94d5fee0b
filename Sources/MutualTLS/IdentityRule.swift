import COpenSSL

/// What a genuine certificate must say for its bearer to be let in.
struct IdentityRule: Sendable {
    /// The cluster it must be made for.
    let cluster: String
    /// The classes that may use the port.
    let kinds: [PeerIdentity.Kind]
    /// The port in words, for refusals.
    let portName: String
    /// The only name let in; nil lets in every name.
    let expectedName: String?

    /// The identity in a certificate that may use the port.
    ///
    /// - Throws: `TLSError.identityRefused` with the first rule broken.
    func identity(of certificate: Certificate) throws(TLSError) -> PeerIdentity {
        let identity = try IdentityRule.identity(in: certificate)
        guard identity.cluster == cluster else {
            throw .identityRefused(
                reason: "\(identity) belongs to another cluster than \"\(cluster)\""
            )
        }
        guard kinds.contains(identity.kind) else {
            let allowed = kinds.map(\.rawValue).joined(separator: " or ")
            throw .identityRefused(
                reason: "\(identity) is no \(allowed) and may not use the \(portName)"
            )
        }
        if let expectedName, identity.name != expectedName {
            throw .identityRefused(reason: "\(identity) answered in place of \"\(expectedName)\"")
        }
        return identity
    }

    /// The identity in a certificate, if the certificate is fit to carry it on any port.
    ///
    /// - Throws: `TLSError.identityRefused` with the first rule broken.
    static func identity(in certificate: Certificate) throws(TLSError) -> PeerIdentity {
        let names = AlternativeNames(certificate)
        guard !names.isBroken else {
            throw .identityRefused(
                reason: "the certificate's subjectAltName is malformed or repeated"
            )
        }
        guard let uri = names.uris.first else {
            throw .identityRefused(
                reason: "the certificate of \(certificate.subject) carries no starling:// URI"
            )
        }
        guard names.uris.count == 1 else {
            throw .identityRefused(
                reason: "the certificate carries \(names.uris.count) URIs instead of one"
            )
        }
        let identity = try PeerIdentity(uri: uri)
        guard !names.dnsNames.contains(where: { $0.utf8.contains(UInt8(ascii: "*")) }) else {
            throw .identityRefused(reason: "the certificate of \(identity) carries a wildcard")
        }
        guard !certificate.isAuthority else {
            throw .identityRefused(
                reason: "the certificate of \(identity) is an authority's (CA:TRUE)"
            )
        }
        try checkUsage(of: certificate, as: identity)
        return identity
    }

    private static func checkUsage(
        of certificate: Certificate,
        as identity: PeerIdentity
    ) throws(TLSError) {
        guard let usage = certificate.extendedKeyUsage else {
            throw .identityRefused(
                reason: "the certificate of \(identity) has no extended key usage"
            )
        }
        let client = UInt32(XKU_SSL_CLIENT)
        let server = UInt32(XKU_SSL_SERVER)
        switch identity.kind {
        case .node:
            guard usage == client | server else {
                throw .identityRefused(
                    reason: "the certificate of \(identity) must have the extended key usages"
                        + " serverAuth and clientAuth only"
                )
            }
        case .client, .admin:
            guard usage == client else {
                throw .identityRefused(
                    reason: "the certificate of \(identity) must have the extended key usage"
                        + " clientAuth only"
                )
            }
        }
    }
}
