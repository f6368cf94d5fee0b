import MutualTLS

/// The certificates of a small cluster: nodes n1 and n2, client c1, admin a1.
struct ClusterFiles {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try CertificateAuthority.createAuthority(in: directory.path, cluster: "birds", days: 30)
        for name in ["n1", "n2"] {
            try CertificateAuthority.createNode(
                in: directory.path,
                name: name,
                hosts: ["localhost", "127.0.0.1"],
                days: 10
            )
        }
        for (name, isAdmin) in [("c1", false), ("a1", true)] {
            try CertificateAuthority.createClient(
                in: directory.path,
                name: name,
                admin: isAdmin,
                days: 10
            )
        }
    }

    func configuration(_ name: String, key: String? = nil) -> TLSConfiguration {
        TLSConfiguration(
            cluster: "birds",
            certificateFile: directory.file("\(name).crt"),
            keyFile: directory.file("\(key ?? name).key"),
            authorityFile: directory.file("ca.crt")
        )
    }

    func context(_ name: String, _ role: TLSRole) throws -> TLSContext {
        try TLSContext(configuration(name), role: role)
    }
}
