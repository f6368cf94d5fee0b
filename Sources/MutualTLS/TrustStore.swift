import COpenSSL

/// The authorities and revocation lists that certificates are checked against.
///
/// Borrows its `X509_STORE`, which its maker keeps alive.
struct TrustStore {
    /// OpenSSL's level 2: RSA of 2048 bits, elliptic curves of 224 bits, no SHA-1.
    static let securityLevel: Int32 = 2
    /// Certificates that may stand between a leaf and a trusted authority.
    static let maximumIntermediates: Int32 = 1

    private let store: OpaquePointer?

    /// Works on a store; every check against it will be strict.
    init(store: OpaquePointer?) {
        self.store = store
        _ = X509_STORE_set_flags(store, UInt(X509_V_FLAG_X509_STRICT))
    }

    /// Trusts the authorities of a PEM file.
    ///
    /// - Throws: `TLSError` naming the file when it is unreadable or holds a certificate that is
    ///   not an authority's.
    func addAuthorities(of path: String) throws(TLSError) {
        for certificate in try Certificate.load(path) {
            guard certificate.isAuthority else {
                throw .certificateInvalid(
                    path: path,
                    reason: "\(certificate.subject) is not an authority (CA:TRUE)"
                )
            }
            try ErrorQueue.check(
                X509_STORE_add_cert(store, certificate.pointer),
                to: "trust an authority"
            )
        }
    }

    /// Adds the revocation lists of a PEM file and demands one for every authority of a chain.
    ///
    /// - Throws: `TLSError` naming the file when it is unreadable or holds no list.
    func addRevocationLists(of path: String) throws(TLSError) {
        let bio = try Handle.memory(holding: try CertificateFiles.read(path))
        var count = 0
        while let list = PEM_read_bio_X509_CRL(bio.pointer, nil, { _, _, _, _ in -1 }, nil) {
            defer { X509_CRL_free(list) }
            try ErrorQueue.check(X509_STORE_add_crl(store, list), to: "add a revocation list")
            count += 1
        }
        let failure = ErrorQueue.drain().last
        guard let failure, failure.reason == PEM_R_NO_START_LINE, count > 0 else {
            throw .certificateInvalid(
                path: path,
                reason: "holds no readable PEM revocation list (\(failure?.text ?? "empty"))"
            )
        }
        _ = X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }
}
