import COpenSSL

/// Makes and examines the certificates of a cluster, in plain files.
///
/// ```
/// DIR/ca.crt  DIR/ca.key  DIR/cluster.secret             of the cluster
/// DIR/NAME.crt  DIR/NAME.key  DIR/NAME.secret            of a node
/// DIR/NAME.crt  DIR/NAME.key                             of a client or admin
/// ```
/// Keys and secrets have mode 0600, directories made here 0700; nothing is ever overwritten, and
/// of the files of one call either all are made or none.
package struct CertificateAuthority {
    /// The common name of every authority made here.
    private static let commonName = "starling CA"
    private static let secretSize = 32

    private init() {}

    /// Makes the authority of a cluster and the secret that its nodes share.
    ///
    /// - Throws: `TLSError`, `fileExists` when any of the three files is there.
    package static func createAuthority(
        in directory: String,
        cluster: String,
        days: Int
    ) throws(TLSError) {
        try PeerIdentity.checkName(cluster, of: "a cluster")
        let key = try PrivateKey.generate()
        let draft = CertificateDraft(
            subject: [("O", cluster), ("CN", commonName)],
            days: days,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:1"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ]
        )
        let certificate = try draft.sign(key, issuer: nil, issuerKey: key)
        try CertificateFiles.createDirectory(directory)
        try CertificateFiles.create([
            .init(path: directory + "/ca.key", contents: try PrivateKey.pem(key), mode: 0o600),
            .init(
                path: directory + "/cluster.secret",
                contents: try secretText(),
                mode: 0o600
            ),
            .init(path: directory + "/ca.crt", contents: try certificate.pem(), mode: 0o644),
        ])
    }

    /// Makes the certificate of a node and gives it a copy of the cluster's secret.
    ///
    /// - Parameters:
    ///   - directory: where the authority lies and the node's files go.
    ///   - cluster: nil takes the authority's own.
    ///   - name: the node's.
    ///   - hosts: DNS names and addresses that clients of other software may check.
    ///   - days: how long the certificate is valid.
    /// - Throws: `TLSError`.
    package static func createNode(
        in directory: String,
        cluster: String? = nil,
        name: String,
        hosts: [String],
        days: Int
    ) throws(TLSError) {
        let secretFile = directory + "/cluster.secret"
        _ = try loadSecret(file: secretFile)
        let secret = CertificateFiles.NewFile(
            path: "\(directory)/\(name).secret",
            contents: try CertificateFiles.readSecret(secretFile),
            mode: 0o600
        )
        try issue(
            in: directory,
            cluster: cluster,
            kind: .node,
            name: name,
            hosts: hosts,
            days: days,
            also: [secret]
        )
    }

    /// Makes the certificate of a client, or of one that may administer the cluster.
    ///
    /// - Throws: `TLSError`.
    package static func createClient(
        in directory: String,
        cluster: String? = nil,
        name: String,
        admin: Bool,
        days: Int
    ) throws(TLSError) {
        try issue(
            in: directory,
            cluster: cluster,
            kind: admin ? .admin : .client,
            name: name,
            hosts: [],
            days: days,
            also: []
        )
    }

    /// The 32 bytes of a secret file, which holds them as 64 hexadecimal digits.
    ///
    /// - Throws: `TLSError.keyReadableByOthers` when others than the owner can read the file,
    ///   `TLSError.certificateInvalid` when it holds something else.
    package static func loadSecret(file: String) throws(TLSError) -> [UInt8] {
        var text = try CertificateFiles.readSecret(file)[...]
        if text.last == UInt8(ascii: "\n") { text.removeLast() }
        let digits = text.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard text.count == 2 * secretSize, digits.count == text.count else {
            throw .certificateInvalid(
                path: file,
                reason: "does not hold a secret of \(2 * secretSize) hexadecimal digits"
            )
        }
        return stride(from: 0, to: digits.count, by: 2)
            .map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// Refuses a private key or secret that group or others may read or write.
    ///
    /// - Throws: `TLSError.keyReadableByOthers` or `TLSError.fileUnreadable`.
    package static func checkKeyMode(file: String) throws(TLSError) {
        _ = try CertificateFiles.readSecret(file)
    }

    private static func issue(
        in directory: String,
        cluster: String?,
        kind: PeerIdentity.Kind,
        name: String,
        hosts: [String],
        days: Int,
        also others: [CertificateFiles.NewFile]
    ) throws(TLSError) {
        let path = directory + "/ca.crt"
        let authority = try Certificate.load(path)[0]
        let own = authority.organization
        guard let cluster = cluster ?? own, own == nil || own == cluster else {
            throw .certificateInvalid(
                path: path,
                reason: "is the authority of cluster \"\(Printable.text(own ?? ""))\""
            )
        }
        let identity = try PeerIdentity(cluster: cluster, kind: kind, name: name)
        let authorityKey = try PrivateKey.load(directory + "/ca.key")
        guard X509_check_private_key(authority.pointer, authorityKey.pointer) == 1 else {
            ErrorQueue.clear()
            throw .keyMismatch(certificate: path, key: directory + "/ca.key")
        }
        let names = try ["URI:\(identity.uri)"] + hosts.map(HostName.alternativeName)
        let key = try PrivateKey.generate()
        let draft = CertificateDraft(
            subject: [("O", cluster), ("OU", kind.rawValue), ("CN", name)],
            days: days,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, kind == .node ? "serverAuth,clientAuth" : "clientAuth"),
                (NID_subject_alt_name, names.joined(separator: ",")),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
            ]
        )
        let certificate = try draft.sign(key, issuer: authority, issuerKey: authorityKey)
        let base = "\(directory)/\(name)"
        try CertificateFiles.create(
            [
                .init(path: base + ".key", contents: try PrivateKey.pem(key), mode: 0o600),
                .init(path: base + ".crt", contents: try certificate.pem(), mode: 0o644),
            ] + others
        )
    }

    private static func secretText() throws(TLSError) -> [UInt8] {
        var secret = [UInt8](repeating: 0, count: secretSize)
        try ErrorQueue.check(RAND_bytes(&secret, Int32(secretSize)), to: "draw random bytes")
        return [UInt8](Printable.hex(secret).utf8) + [UInt8(ascii: "\n")]
    }
}
