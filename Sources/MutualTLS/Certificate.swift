import COpenSSL

/// One X.509 certificate, and what this module reads in it.
final class Certificate {
    /// Owned: freed with this object.
    let pointer: OpaquePointer

    /// Takes over a certificate that the caller owned.
    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        X509_free(pointer)
    }

    /// All certificates of a PEM file, in its order; at least one.
    ///
    /// - Throws: `TLSError.fileUnreadable`, or `TLSError.certificateInvalid` when the file holds
    ///   none or a broken one.
    static func load(_ path: String) throws(TLSError) -> [Certificate] {
        let bio = try Handle.memory(holding: try CertificateFiles.read(path))
        var certificates: [Certificate] = []
        while let pointer = PEM_read_bio_X509(bio.pointer, nil, { _, _, _, _ in -1 }, nil) {
            certificates.append(Certificate(owning: pointer))
        }
        let failure = ErrorQueue.drain().last
        guard let failure, failure.reason == PEM_R_NO_START_LINE, !certificates.isEmpty else {
            throw .certificateInvalid(
                path: path,
                reason: "holds no readable PEM certificate (\(failure?.text ?? "empty"))"
            )
        }
        return certificates
    }

    /// The certificate as PEM text.
    func pem() throws(TLSError) -> [UInt8] {
        let bio = try Handle.memory()
        try ErrorQueue.check(PEM_write_bio_X509(bio.pointer, pointer), to: "write a certificate")
        return bio.memoryContents()
    }

    /// The subject, as RFC 2253 writes it, control characters escaped.
    var subject: String { Certificate.text(of: X509_get_subject_name(pointer)) }

    /// The issuer, as RFC 2253 writes it, control characters escaped.
    var issuer: String { Certificate.text(of: X509_get_issuer_name(pointer)) }

    /// When the certificate begins to be valid, in seconds since 1970, if the field is readable.
    var notBefore: CertificateTime? { CertificateTime(X509_get0_notBefore(pointer)) }

    /// When the certificate ceases to be valid, if the field is readable.
    var notAfter: CertificateTime? { CertificateTime(X509_get0_notAfter(pointer)) }

    /// Whether the certificate may, in any reading, issue others.
    var isAuthority: Bool { X509_check_ca(pointer) != 0 }

    /// The extended key usages that OpenSSL knows, as `XKU_` bits; nil when there is no such field.
    var extendedKeyUsage: UInt32? {
        let bits = X509_get_extended_key_usage(pointer)
        return bits == UInt32.max ? nil : bits
    }

    /// The organization in the subject: the cluster, in an authority made here.
    var organization: String? {
        let name = X509_get_subject_name(pointer)
        let index = X509_NAME_get_index_by_NID(name, NID_organizationName, -1)
        guard index >= 0, let entry = X509_NAME_get_entry(name, index),
            let value = X509_NAME_ENTRY_get_data(entry), let start = ASN1_STRING_get0_data(value)
        else { return nil }
        let count = Int(max(0, ASN1_STRING_length(value)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    private static func text(of name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free_all(bio) }
        guard starling_X509_NAME_print(bio, name) >= 0 else {
            ErrorQueue.clear()
            return "?"
        }
        var start: UnsafeMutablePointer<CChar>?
        let count = starling_BIO_get_mem_data(bio, &start)
        guard let start, count > 0 else { return "(empty)" }
        return Printable.name(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// The names in the subjectAltName field of a certificate.
struct AlternativeNames {
    /// URIs, raw as they stand.
    var uris: [String] = []
    /// DNS names, raw as they stand.
    var dnsNames: [String] = []
    /// Addresses, written out.
    var ipAddresses: [String] = []
    /// The field is there twice or cannot be decoded.
    var isBroken = false

    /// Reads the field; a certificate without it has no names.
    init(_ certificate: Certificate) {
        var critical: Int32 = 0
        guard
            let field = X509_get_ext_d2i(
                certificate.pointer,
                NID_subject_alt_name,
                &critical,
                nil
            )
        else {
            // −1 says absent; anything else repeated or malformed.
            isBroken = critical != -1
            ErrorQueue.clear()
            return
        }
        let names = OpaquePointer(field)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<max(0, OPENSSL_sk_num(names)) {
            guard let raw = OPENSSL_sk_value(names, index) else { continue }
            let name = raw.assumingMemoryBound(to: GENERAL_NAME.self).pointee
            switch name.type {
            case GEN_URI:
                uris.append(AlternativeNames.text(name.d.uniformResourceIdentifier))
            case GEN_DNS:
                dnsNames.append(AlternativeNames.text(name.d.dNSName))
            case GEN_IPADD:
                ipAddresses.append(AlternativeNames.address(name.d.iPAddress))
            default:
                break
            }
        }
    }

    private static func bytes(
        _ string: UnsafePointer<ASN1_STRING>?
    ) -> UnsafeBufferPointer<UInt8> {
        guard let string, let start = ASN1_STRING_get0_data(string) else {
            return UnsafeBufferPointer(start: nil, count: 0)
        }
        return UnsafeBufferPointer(start: start, count: Int(max(0, ASN1_STRING_length(string))))
    }

    private static func text(_ string: UnsafePointer<ASN1_STRING>?) -> String {
        String(decoding: bytes(string), as: UTF8.self)
    }

    private static func address(_ string: UnsafePointer<ASN1_STRING>?) -> String {
        let bytes = bytes(string)
        if bytes.count == 4 {
            return bytes.map { String($0) }.joined(separator: ".")
        }
        return stride(from: 0, to: bytes.count - bytes.count % 2, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            .joined(separator: ":")
    }
}
