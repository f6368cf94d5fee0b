import ArgumentParser
import MutualTLS

/// The command `starling cert create-ca`.
struct CertCreateAuthority: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-ca",
        abstract: "Make the authority of a cluster and the secret that its nodes share.",
        discussion: """
            Makes ca.crt, ca.key and cluster.secret. Keep ca.key where no node is.

            EXAMPLES:
              starling cert create-ca --cluster orders
              starling cert create-ca --cluster orders --directory secrets/certs --days 1825
            """
    )

    @Option(help: "The cluster's name, which every certificate will carry.")
    var cluster: String

    @Option(help: "How many days the authority is valid.")
    var days = 3650

    @OptionGroup var place: CertDirectoryOption

    func run() async throws {
        try CommandError.fromTLS { () throws(TLSError) in
            try CertificateAuthority.createAuthority(
                in: place.directory,
                cluster: cluster,
                days: days
            )
        }
        for name in ["ca.crt", "ca.key", "cluster.secret"] {
            Console.print("\(place.directory)/\(name)")
        }
    }
}

/// The command `starling cert create-node`.
struct CertCreateNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-node",
        abstract: "Make the certificate and key of a node, with its copy of the cluster's secret.",
        discussion: """
            NAME is the node's name in the topology. Hosts are for clients of other software that \
            check them; Starling checks the name.

            EXAMPLES:
              starling cert create-node east-1
              starling cert create-node east-1 --host east-1.example.net --host 10.0.0.1
            """
    )

    @Argument(help: "The node's name.")
    var name: String

    @Option(
        name: .customLong("host"),
        parsing: .upToNextOption,
        help: "Host names and addresses of the node."
    )
    var hosts: [String] = []

    @Option(help: "The cluster's name; by default the authority's.")
    var cluster: String?

    @Option(help: "How many days the certificate is valid.")
    var days = 365

    @OptionGroup var place: CertDirectoryOption

    func run() async throws {
        try CommandError.fromTLS { () throws(TLSError) in
            try CertificateAuthority.createNode(
                in: place.directory,
                cluster: cluster,
                name: name,
                hosts: hosts,
                days: days
            )
        }
        for suffix in ["crt", "key", "secret"] {
            Console.print("\(place.directory)/\(name).\(suffix)")
        }
    }
}

/// The command `starling cert create-client`.
struct CertCreateClient: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-client",
        abstract: "Make the certificate and key of a client.",
        discussion: """
            With --admin it may also create keyspaces and send fault requests.

            EXAMPLES:
              starling cert create-client checkout
              starling cert create-client ops --admin --days 30
            """
    )

    @Argument(help: "The client's name.")
    var name: String

    @Flag(help: "Let it administer the cluster.")
    var admin = false

    @Option(help: "The cluster's name; by default the authority's.")
    var cluster: String?

    @Option(help: "How many days the certificate is valid.")
    var days = 365

    @OptionGroup var place: CertDirectoryOption

    func run() async throws {
        try CommandError.fromTLS { () throws(TLSError) in
            try CertificateAuthority.createClient(
                in: place.directory,
                cluster: cluster,
                name: name,
                admin: admin,
                days: days
            )
        }
        for suffix in ["crt", "key"] { Console.print("\(place.directory)/\(name).\(suffix)") }
    }
}
