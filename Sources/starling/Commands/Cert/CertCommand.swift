import ArgumentParser
import MutualTLS

/// `starling cert` and its verbs.
struct CertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cert",
        abstract: "Make and examine the certificates of a cluster.",
        discussion: """
            Every connection needs a certificate of the cluster's authority on both sides. Files \
            are made in DIR and never overwritten; keys and secrets can be read by their owner only.

            EXAMPLES:
              starling cert create-ca --cluster orders
              starling cert create-node east-1
              starling cert create-client checkout
              starling cert create-client ops --admin
              starling cert verify certs/east-1.crt
            """,
        subcommands: [
            CertCreateAuthority.self, CertCreateNode.self, CertCreateClient.self,
            CertInspect.self, CertVerify.self,
        ]
    )
}

/// The option that says where certificates are made and the authority is found.
struct CertDirectoryOption: ParsableArguments {
    @Option(help: "Where the authority lies and files are made.")
    var directory = "certs"
}

extension CommandError {
    /// What the certificate tools say, in the contract's words.
    init(_ error: TLSError) {
        let (code, exit): (String, Exit) =
            switch error {
            case .fileUnreadable: ("not_found", .notFound)
            case .fileExists, .fileUnwritable: ("invalid", .failed)
            case .argumentInvalid: ("invalid", .usage)
            case .libraryFailed: ("internal", .failed)
            default: ("forbidden", .refused)
            }
        self.init(code, "\(error).", exit: exit)
    }

    /// Does work with certificates.
    static func fromTLS<Result>(
        _ work: () throws(TLSError) -> Result
    ) throws(CommandError) -> Result {
        do throws(TLSError) {
            return try work()
        } catch {
            throw CommandError(error)
        }
    }
}
