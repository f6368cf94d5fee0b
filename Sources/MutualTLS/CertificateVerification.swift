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
