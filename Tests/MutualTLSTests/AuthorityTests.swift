import MutualTLS
import Testing

@Suite struct `Certificate authority` {
    private func capture(_ body: () throws -> Void) -> TLSError? {
        do {
            try body()
            return nil
        } catch {
            return error as? TLSError
        }
    }

    @Test func `keys and secrets are for their owner only`() throws {
        let files = try ClusterFiles()
        for name in ["ca.key", "cluster.secret", "n1.key", "n1.secret", "c1.key"] {
            #expect(try files.directory.mode(of: name) == 0o600, "\(name)")
        }
    }

    @Test func `a key or secret that others can read is refused`() throws {
        let files = try ClusterFiles()
        for name in ["n1.key", "n1.secret"] { try files.directory.setMode(0o644, of: name) }
        let key = files.directory.file("n1.key")
        #expect(throws: TLSError.keyReadableByOthers(path: key, mode: 0o644)) {
            try files.context("n1", .peerServer)
        }
        let secret = files.directory.file("n1.secret")
        #expect(throws: TLSError.keyReadableByOthers(path: secret, mode: 0o644)) {
            try CertificateAuthority.loadSecret(file: secret)
        }
    }

    @Test func `nothing is overwritten`() throws {
        let files = try ClusterFiles()
        let path = files.directory.path
        #expect(throws: TLSError.fileExists(path: path + "/ca.key")) {
            try CertificateAuthority.createAuthority(in: path, cluster: "birds", days: 1)
        }
        #expect(throws: TLSError.fileExists(path: path + "/n1.key")) {
            try CertificateAuthority.createNode(in: path, name: "n1", hosts: [], days: 1)
        }
        #expect(throws: TLSError.fileExists(path: path + "/n1.key")) {
            try CertificateAuthority.createClient(
                in: path,
                cluster: nil,
                name: "n1",
                admin: false,
                days: 1
            )
        }
    }

    @Test func `a failed call leaves no files behind`() throws {
        let files = try ClusterFiles()
        _ = try files.directory.write("", to: "n9.secret")
        #expect(throws: TLSError.fileExists(path: files.directory.file("n9.secret"))) {
            try CertificateAuthority.createNode(
                in: files.directory.path,
                name: "n9",
                hosts: [],
                days: 1
            )
        }
        #expect(throws: (any Error).self) { try files.directory.mode(of: "n9.key") }
    }

    @Test(arguments: ["", ".", "../x", "a/b", "-x", "n*", "n 1", "é", "a,DNS:evil"])
    func `a name outside the grammar is refused`(name: String) throws {
        let files = try ClusterFiles()
        let error = capture {
            try CertificateAuthority.createNode(
                in: files.directory.path,
                name: name,
                hosts: [],
                days: 1
            )
        }
        guard case .argumentInvalid = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: ["*.example.org", "a,URI:starling://birds/admin/x", "", "a..b", "1:2"])
    func `a host that is no name or address is refused`(host: String) throws {
        let files = try ClusterFiles()
        let error = capture {
            try CertificateAuthority.createNode(
                in: files.directory.path,
                name: "n5",
                hosts: [host],
                days: 1
            )
        }
        guard case .argumentInvalid = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `another cluster than the authority's is refused`() throws {
        let files = try ClusterFiles()
        let error = capture {
            try CertificateAuthority.createNode(
                in: files.directory.path,
                cluster: "fish",
                name: "n5",
                hosts: [],
                days: 1
            )
        }
        #expect(error?.description.contains("is the authority of cluster \"birds\"") == true)
    }

    @Test func `all nodes hold the same secret of 32 bytes`() throws {
        let files = try ClusterFiles()
        let secret = try CertificateAuthority.loadSecret(file: files.directory.file("n1.secret"))
        #expect(secret.count == 32)
        #expect(
            try CertificateAuthority.loadSecret(file: files.directory.file("n2.secret")) == secret
        )
        let short = try files.directory.write("abcd", to: "short.secret")
        #expect(throws: TLSError.self) { try CertificateAuthority.loadSecret(file: short) }
    }

    @Test func `inspection shows what was asked for`() throws {
        let files = try ClusterFiles()
        let node = try CertificateAuthority.inspect(file: files.directory.file("n1.crt"))
        #expect(node.subject == "CN=n1,OU=node,O=birds")
        #expect(node.issuer == "CN=starling CA,O=birds")
        #expect(node.uris == ["starling://birds/node/n1"])
        #expect(node.dnsNames == ["localhost"])
        #expect(node.ipAddresses == ["127.0.0.1"])
        #expect(node.keyKind == "EC" && node.keyBits == 256)
        #expect(node.signatureAlgorithm == "ecdsa-with-SHA256")
        #expect(node.extendedKeyUsages == ["serverAuth", "clientAuth"])
        #expect(!node.isAuthority)
        #expect(node.serialNumber.count == 32)
        #expect(node.fingerprint.count == 64)
        #expect(node.notBefore < node.notAfter)
        let admin = try CertificateAuthority.inspect(file: files.directory.file("a1.crt"))
        #expect(admin.uris == ["starling://birds/admin/a1"])
        #expect(admin.extendedKeyUsages == ["clientAuth"])
        #expect(try CertificateAuthority.inspect(file: files.directory.file("ca.crt")).isAuthority)
    }

    @Test func `verification finds nothing in good certificates and names what is wrong`() throws {
        let files = try ClusterFiles()
        let authority = files.directory.file("ca.crt")
        for name in ["n1", "c1", "a1", "ca"] {
            let findings = try CertificateAuthority.verify(
                file: files.directory.file("\(name).crt"),
                authority: authority,
                cluster: "birds"
            )
            #expect(findings.isEmpty, "\(findings)")
        }
        let other = try ClusterFiles()
        let foreign = try CertificateAuthority.verify(
            file: other.directory.file("n1.crt"),
            authority: authority,
            cluster: "fish"
        )
        #expect(foreign.count == 2, "\(foreign)")
        #expect(foreign.last?.contains("another cluster") == true)
    }

    @Test func `a key of another certificate is refused`() throws {
        let files = try ClusterFiles()
        #expect(
            throws: TLSError.keyMismatch(
                certificate: files.directory.file("n1.crt"),
                key: files.directory.file("n2.key")
            )
        ) {
            try TLSContext(files.configuration("n1", key: "n2"), role: .peerServer)
        }
    }

    @Test func `a file that cannot be read is named`() throws {
        let files = try ClusterFiles()
        var configuration = files.configuration("n1")
        configuration.authorityFile = files.directory.file("missing.crt")
        let error = capture { _ = try TLSContext(configuration, role: .peerServer) }
        #expect(error?.description.contains("missing.crt: No such file") == true)
        configuration.authorityFile = files.directory.file("n1.crt")
        let leaf = capture { _ = try TLSContext(configuration, role: .peerServer) }
        #expect(leaf?.description.contains("is not an authority") == true)
        configuration.authorityFile = try files.directory.write("junk", to: "junk.crt")
        let junk = capture { _ = try TLSContext(configuration, role: .peerServer) }
        #expect(junk?.description.contains("holds no readable PEM certificate") == true)
    }

    @Test(arguments: [
        ("c1", TLSRole.peerServer), ("a1", .peerClient), ("c1", .clientServer),
        ("n1", .clientClient),
    ])
    func `an own certificate of the wrong class is refused`(name: String, role: TLSRole) throws {
        let files = try ClusterFiles()
        let error = capture { _ = try files.context(name, role) }
        #expect(error?.description.contains("may not use the") == true)
    }

    @Test(arguments: [
        ("has expired on", TestCertificate.Draft.node { ($0.begin, $0.end) = (-9, -1) }),
        ("carries no starling:// URI", .node { $0.names = [] }),
        ("another cluster", .node { $0.names = ["URI:starling://fish/node/n2"] }),
    ])
    func `an own certificate that others would refuse is refused at once`(
        reason: String,
        draft: TestCertificate.Draft
    ) throws {
        let files = try ClusterFiles()
        let own = try TestCertificate(draft, issuer: TestCertificate(.authority("root")))
        _ = try files.directory.write(own.pem, to: "own.crt")
        _ = try files.directory.write(own.keyPEM, to: "own.key")
        let error = capture { _ = try files.context("own", .peerServer) }
        guard case .certificateInvalid(files.directory.file("own.crt"), let found) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(found.contains(reason))
    }

    @Test func `a context knows its identity and when its certificate ends`() throws {
        let files = try ClusterFiles()
        let context = try files.context("n1", .peerServer)
        #expect(context.identity.uri == "starling://birds/node/n1")
        let summary = try CertificateAuthority.inspect(file: files.directory.file("n1.crt"))
        #expect(context.certificateExpiry.description == summary.notAfter)
        #expect(
            CertificateTime(secondsSince1970: 951_782_399).description == "2000-02-28T23:59:59Z"
        )
        #expect(
            CertificateTime(secondsSince1970: 951_782_400).description == "2000-02-29T00:00:00Z"
        )
    }
}
