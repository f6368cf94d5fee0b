import COpenSSL

extension CertificateAuthority {
    /// What stands in the first certificate of a file.
    ///
    /// - Throws: `TLSError` naming the file.
    package static func inspect(file: String) throws(TLSError) -> CertificateSummary {
        CertificateSummary(try Certificate.load(file)[0])
    }

    /// What a node or client would hold against the certificate in a file.
    ///
    /// - Parameters:
    ///   - file: the certificate, followed by intermediates if there are any.
    ///   - authority: the authorities to trust.
    ///   - cluster: the cluster it should be made for; nil accepts any.
    /// - Returns: one finding a line; none when the certificate is good.
    /// - Throws: `TLSError` when a file cannot be read.
    package static func verify(
        file: String,
        authority: String,
        cluster: String?
    ) throws(TLSError) -> [String] {
        let chain = try Certificate.load(file)
        let store = try Handle(X509_STORE_new(), to: "make a store") { X509_STORE_free($0) }
        try TrustStore(store: store.pointer).addAuthorities(of: authority)
        var findings: [String] = []
        do throws(TLSError) {
            try CertificateVerification.verify(chain, in: store.pointer)
        } catch .verificationFailed(let reason, let depth, let subject) {
            findings.append("\(reason) (depth \(depth), subject \(subject))")
        }
        // An authority's own certificate bears no identity, and need not.
        if chain[0].isAuthority { return findings }
        do throws(TLSError) {
            let identity = try IdentityRule.identity(in: chain[0])
            if let cluster, identity.cluster != cluster {
                findings.append("\(identity) belongs to another cluster than \"\(cluster)\"")
            }
        } catch .identityRefused(let reason) {
            findings.append(reason)
        }
        return findings
    }
}
