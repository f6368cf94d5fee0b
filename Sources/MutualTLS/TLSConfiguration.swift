/// The files and choices that a `TLSContext` is made of.
package struct TLSConfiguration: Sendable, Hashable {
    /// The cluster whose certificates are accepted; also that of the own certificate.
    package var cluster: String
    /// PEM file of the own certificate, followed by at most one intermediate.
    package var certificateFile: String
    /// PEM file of the own private key, unencrypted, mode 0600 or stricter.
    package var keyFile: String
    /// PEM file of the authorities that may vouch for peers; the system's are never asked.
    package var authorityFile: String
    /// PEM file of revocation lists, one for every authority in use; nil checks none.
    package var revocationListFile: String?
    /// Whether the client port takes TLS 1.2 too; false by default, and without effect elsewhere.
    package var allowsTLS12OnClientPort: Bool

    /// Names the files and choices.
    package init(
        cluster: String,
        certificateFile: String,
        keyFile: String,
        authorityFile: String,
        revocationListFile: String? = nil,
        allowsTLS12OnClientPort: Bool = false
    ) {
        self.cluster = cluster
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.authorityFile = authorityFile
        self.revocationListFile = revocationListFile
        self.allowsTLS12OnClientPort = allowsTLS12OnClientPort
    }
}
