import ArgumentParser
import Foundation
import MutualTLS

/// The command `starling cert inspect`.
struct CertInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what stands in a certificate.",
        discussion: """
            EXAMPLES:
              starling cert inspect certs/east-1.crt
              starling cert inspect certs/east-1.crt -o json
            """
    )

    @Argument(help: "A certificate file (PEM).")
    var file: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
        let summary = try CommandError.fromTLS { () throws(TLSError) in
            try CertificateAuthority.inspect(file: file)
        }
        if output.isJSON {
            Console.print(summary.json.text)
            return
        }
        var table = TablePrinter(["FIELD", "VALUE"])
        for (name, value) in summary.fields { table.row([name, value]) }
        Console.write(table.text(isPlain: output.format == .plain))
    }
}

/// The command `starling cert verify`.
struct CertVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a certificate as a node or client of the cluster would.",
        discussion: """
            Exit code 1 when there are findings. The private key beside the certificate is \
            checked too: nobody but its owner may read it.

            EXAMPLES:
              starling cert verify certs/east-1.crt
              starling cert verify certs/east-1.crt --cluster orders --days 14
              starling cert verify east-1.crt --directory secrets/certs --host east-1.example.net
            """
    )

    @Argument(help: "A certificate file (PEM).")
    var file: String

    @OptionGroup var place: CertDirectoryOption

    @Option(help: "The cluster it must be made for.")
    var cluster: String?

    @Option(help: "How many days it must still be valid.")
    var days: Int?

    @Option(
        name: .customLong("host"),
        parsing: .upToNextOption,
        help: "Hosts that it must name."
    )
    var hosts: [String] = []

    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (summary, found) = try CommandError.fromTLS { () throws(TLSError) in
            (
                try CertificateAuthority.inspect(file: file),
                try CertificateAuthority.verify(
                    file: file,
                    authority: place.directory + "/ca.crt",
                    cluster: cluster
                )
            )
        }
        let findings = found + wishes(of: summary) + keyFindings()
        if output.isJSON {
            let list = JSONValue.array(findings.map(JSONValue.string))
            Console.print(
                JSONValue.object([
                    ("file", .string(file)), ("valid", .bool(findings.isEmpty)),
                    ("findings", list), ("certificate", summary.json),
                ]).text
            )
        } else if findings.isEmpty {
            Console.print("\(file): good until \(summary.notAfter)")
        } else {
            for finding in findings { Console.print("\(file): \(finding)") }
        }
        if !findings.isEmpty { throw ExitCode(CommandError.Exit.failed.rawValue) }
    }

    private func wishes(of summary: CertificateSummary) -> [String] {
        var findings: [String] = []
        for host in hosts where !(summary.dnsNames + summary.ipAddresses).contains(host) {
            findings.append("does not name host \(host)")
        }
        if let days {
            let limit = Date().addingTimeInterval(Double(days) * 86_400)
            let end = try? Date(summary.notAfter, strategy: .iso8601)
            if end.map({ $0 < limit }) ?? true {
                findings.append("ends within \(days) days, at \(summary.notAfter)")
            }
        }
        return findings
    }

    private func keyFindings() -> [String] {
        guard file.hasSuffix(".crt") else { return [] }
        let key = file.dropLast(4) + ".key"
        guard FileManager.default.fileExists(atPath: String(key)) else { return [] }
        do throws(TLSError) {
            try CertificateAuthority.checkKeyMode(file: String(key))
            return []
        } catch {
            return ["\(error)"]
        }
    }
}

extension CertificateSummary {
    /// Names and values, for people.
    fileprivate var fields: [(String, String)] {
        [
            ("subject", subject), ("issuer", issuer),
            ("identity", uris.joined(separator: ", ")),
            ("hosts", (dnsNames + ipAddresses).joined(separator: ", ")),
            ("valid from", notBefore), ("valid until", notAfter),
            ("key", "\(keyKind) \(keyBits)"), ("signature", signatureAlgorithm),
            ("authority", isAuthority ? "yes" : "no"),
            ("usages", extendedKeyUsages.joined(separator: ", ")),
            ("serial number", serialNumber), ("fingerprint", fingerprint),
        ]
    }

    /// The object that `-o json` prints.
    fileprivate var json: JSONValue {
        func list(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }
        return .object([
            ("subject", .string(subject)), ("issuer", .string(issuer)),
            ("serial_number", .string(serialNumber)),
            ("not_before", .string(notBefore)), ("not_after", .string(notAfter)),
            ("uris", list(uris)), ("dns_names", list(dnsNames)),
            ("ip_addresses", list(ipAddresses)),
            ("key_kind", .string(keyKind)), ("key_bits", .integer(keyBits)),
            ("signature_algorithm", .string(signatureAlgorithm)),
            ("is_authority", .bool(isAuthority)),
            ("extended_key_usages", list(extendedKeyUsages)),
            ("fingerprint_sha256", .string(fingerprint)),
        ])
    }
}
