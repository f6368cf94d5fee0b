import COpenSSL

/// The keys, certificates and rules that connections of one role share.
///
/// Files are read once, here. A change of them takes a new context for new connections; a context
/// is never edited, since what was cached under the old rules would outlive them.
package final class TLSContext: Sendable {
    /// The role that connections of this context play.
    package let role: TLSRole
    /// The own identity, that of the own certificate.
    package let identity: PeerIdentity
    /// When the own certificate ceases to be valid.
    package let certificateExpiry: CertificateTime
    /// The cluster whose certificates are accepted.
    package let cluster: String

    /// An `SSL_CTX`, owned.
    ///
    /// Safe to share: nothing changes it after `init`, and OpenSSL counts references to it and
    /// locks its store itself.
    nonisolated(unsafe) let handle: OpaquePointer

    /// Reads the files of a configuration and checks that they fit together and with the role.
    ///
    /// - Throws: `TLSError` naming the file at fault.
    package init(_ configuration: TLSConfiguration, role: TLSRole) throws(TLSError) {
        try PeerIdentity.checkName(configuration.cluster, of: "a cluster")
        let chain = try Certificate.load(configuration.certificateFile)
        let leaf = chain[0]
        self.role = role
        cluster = configuration.cluster
        (identity, certificateExpiry) = try TLSContext.checkOwn(leaf, configuration, role)

        let method = role.isServer ? TLS_server_method() : TLS_client_method()
        guard let context = SSL_CTX_new(method) else {
            throw ErrorQueue.failure(to: "make a TLS context")
        }
        handle = context
        try restrictProtocol(configuration)
        try requirePeerCertificate()
        try offerApplicationProtocol()
        try useOwn(chain, configuration)
        let builder = TrustStore(store: SSL_CTX_get_cert_store(context))
        try builder.addAuthorities(of: configuration.authorityFile)
        if let path = configuration.revocationListFile {
            try builder.addRevocationLists(of: path)
        }
    }

    deinit {
        SSL_CTX_free(handle)
    }

    /// What the certificate of the other end must say.
    func peerRule(expectedName: String?) -> IdentityRule {
        IdentityRule(
            cluster: cluster,
            kinds: role.peerKinds,
            portName: role.portName,
            expectedName: expectedName
        )
    }

    private static func checkOwn(
        _ leaf: Certificate,
        _ configuration: TLSConfiguration,
        _ role: TLSRole
    ) throws(TLSError) -> (PeerIdentity, CertificateTime) {
        let path = configuration.certificateFile
        let rule = IdentityRule(
            cluster: configuration.cluster,
            kinds: role.ownKinds,
            portName: role.portName,
            expectedName: nil
        )
        let identity: PeerIdentity
        do throws(TLSError) {
            identity = try rule.identity(of: leaf)
        } catch .identityRefused(let reason) {
            throw .certificateInvalid(path: path, reason: "not usable here: \(reason)")
        }
        guard let expiry = leaf.notAfter else {
            throw .certificateInvalid(path: path, reason: "has no readable end of validity")
        }
        guard X509_cmp_current_time(X509_get0_notAfter(leaf.pointer)) > 0 else {
            throw .certificateInvalid(
                path: path,
                reason: "has expired on \(expiry); make a new one"
            )
        }
        return (identity, expiry)
    }

    /// TLS 1.3 only (1.2 where allowed), no resumption, no compression, no renegotiation.
    private func restrictProtocol(_ configuration: TLSConfiguration) throws(TLSError) {
        let allowsTLS12 = role == .clientServer && configuration.allowsTLS12OnClientPort
        try ErrorQueue.check(
            starling_SSL_CTX_set_min_proto_version(
                handle,
                allowsTLS12 ? TLS1_2_VERSION : TLS1_3_VERSION
            ),
            to: "set the lowest TLS version"
        )
        try ErrorQueue.check(
            starling_SSL_CTX_set_max_proto_version(handle, TLS1_3_VERSION),
            to: "set the highest TLS version"
        )
        if allowsTLS12 {
            try ErrorQueue.check(
                SSL_CTX_set_cipher_list(handle, "ECDHE+AESGCM:ECDHE+CHACHA20"),
                to: "set the ciphers of TLS 1.2"
            )
        }
        _ = SSL_CTX_set_options(handle, starling_SSL_hardening_options())
        try ErrorQueue.check(SSL_CTX_set_num_tickets(handle, 0), to: "switch off session tickets")
        starling_SSL_CTX_disable_session_cache(handle)
        SSL_CTX_set_security_level(handle, TrustStore.securityLevel)
        starling_SSL_CTX_set_modes(handle)
    }

    private func requirePeerCertificate() throws(TLSError) {
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_verify_depth(handle, TrustStore.maximumIntermediates)
        SSL_CTX_set_cert_verify_callback(
            handle,
            { store, _ in TLSConnection.verifyPeer(in: store) },
            nil
        )
        starling_SSL_CTX_set_max_cert_list(handle, TLSConnection.maximumHandshakeSize)
        let session = [UInt8](role.applicationProtocol.utf8)
        try ErrorQueue.check(
            SSL_CTX_set_session_id_context(handle, session, UInt32(session.count)),
            to: "name the session context"
        )
    }

    private func offerApplicationProtocol() throws(TLSError) {
        if role.isServer {
            SSL_CTX_set_alpn_select_cb(
                handle,
                { ssl, out, outLength, offered, offeredLength, _ in
                    TLSConnection.selectProtocol(ssl, out, outLength, offered, offeredLength)
                },
                nil
            )
        } else {
            let name = role.applicationProtocol.utf8
            let offer = [UInt8(name.count)] + name
            // Unlike its siblings this call returns zero for success.
            guard SSL_CTX_set_alpn_protos(handle, offer, UInt32(offer.count)) == 0 else {
                throw ErrorQueue.failure(to: "offer an application protocol")
            }
        }
    }

    private func useOwn(
        _ chain: [Certificate],
        _ configuration: TLSConfiguration
    ) throws(TLSError) {
        let path = configuration.certificateFile
        guard SSL_CTX_use_certificate(handle, chain[0].pointer) == 1 else {
            let reason = ErrorQueue.drain().first?.text ?? "refused"
            throw .certificateInvalid(path: path, reason: reason)
        }
        for certificate in chain.dropFirst() {
            guard starling_SSL_CTX_add1_chain_cert(handle, certificate.pointer) == 1 else {
                let reason = ErrorQueue.drain().first?.text ?? "refused"
                throw .certificateInvalid(path: path, reason: "intermediate: \(reason)")
            }
        }
        let key = try PrivateKey.load(configuration.keyFile)
        guard X509_check_private_key(chain[0].pointer, key.pointer) == 1 else {
            ErrorQueue.clear()
            throw .keyMismatch(certificate: path, key: configuration.keyFile)
        }
        try ErrorQueue.check(
            SSL_CTX_use_PrivateKey(handle, key.pointer),
            to: "use the private key"
        )
    }
}
