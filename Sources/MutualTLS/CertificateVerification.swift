import COpenSSL

/// Checks a prepared chain first against the authorities, then against the rule of identities.
enum CertificateVerification {
    /// The identity of the leaf in a prepared verification.
    ///
    /// - Throws: `TLSError.verificationFailed` or `TLSError.identityRefused`.
    static func identity(
        verifiedIn store: OpaquePointer,
        rule: IdentityRule
    ) throws(TLSError) -> PeerIdentity {
        guard X509_verify_cert(store) == 1 else {
            let code = X509_STORE_CTX_get_error(store)
            ErrorQueue.clear()
            throw failure(code, in: store)
        }
        let length = OPENSSL_sk_num(X509_STORE_CTX_get0_chain(store))
        guard let leaf = X509_STORE_CTX_get0_cert(store), length >= 2,
            length <= TrustStore.maximumIntermediates + 2, X509_up_ref(leaf) == 1
        else {
            throw .identityRefused(reason: "the certificate chain has \(length) certificates")
        }
        return try rule.identity(of: Certificate(owning: leaf))
    }

    /// Checks a chain, leaf first, as a handshake would.
    ///
    /// - Parameters:
    ///   - chain: the leaf, and what may stand between it and an authority.
    ///   - store: authorities and revocation lists.
    ///   - purpose: OpenSSL's name of what the leaf must be fit for; nil for anything.
    /// - Throws: `TLSError.verificationFailed` with the first fault.
    static func verify(
        _ chain: [Certificate],
        in store: OpaquePointer?,
        purpose: String? = nil
    ) throws(TLSError) {
        let context = try Handle(X509_STORE_CTX_new(), to: "make a verification") {
            X509_STORE_CTX_free($0)
        }
        // Borrows its elements: the certificates stay with `chain`, which outlives the stack.
        let stack = try Handle(OPENSSL_sk_new_null(), to: "make a stack") { OPENSSL_sk_free($0) }
        for certificate in chain.dropFirst() {
            guard OPENSSL_sk_push(stack.pointer, UnsafeRawPointer(certificate.pointer)) > 0 else {
                throw ErrorQueue.failure(to: "extend a stack")
            }
        }
        try withExtendedLifetime(chain) { () throws(TLSError) in
            try ErrorQueue.check(
                X509_STORE_CTX_init(context.pointer, store, chain[0].pointer, stack.pointer),
                to: "begin a verification"
            )
            let parameters = X509_STORE_CTX_get0_param(context.pointer)
            X509_VERIFY_PARAM_set_depth(parameters, TrustStore.maximumIntermediates)
            X509_VERIFY_PARAM_set_auth_level(parameters, TrustStore.securityLevel)
            if let purpose {
                try ErrorQueue.check(
                    X509_STORE_CTX_set_default(context.pointer, purpose),
                    to: "set a purpose"
                )
            }
            guard X509_verify_cert(context.pointer) == 1 else {
                ErrorQueue.clear()
                throw failure(X509_STORE_CTX_get_error(context.pointer), in: context.pointer)
            }
        }
    }

    /// A failure of verification with the certificate it was found in.
    static func failure(_ code: Int32, in store: OpaquePointer) -> TLSError {
        let depth = Int(X509_STORE_CTX_get_error_depth(store))
        var subject = "?"
        if let current = X509_STORE_CTX_get_current_cert(store), X509_up_ref(current) == 1 {
            subject = Certificate(owning: current).subject
        }
        let reason =
            X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "error \(code)"
        return .verificationFailed(reason: reason, depth: depth, subject: subject)
    }
}
