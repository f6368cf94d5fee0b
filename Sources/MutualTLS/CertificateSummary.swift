import COpenSSL

/// What stands in a certificate, for people to read.
package struct CertificateSummary: Hashable, Sendable {
    /// The subject, as RFC 2253 writes it.
    package let subject: String
    /// The issuer, as RFC 2253 writes it.
    package let issuer: String
    /// The serial number in hexadecimal.
    package let serialNumber: String
    /// The beginning of validity, in the form of ISO 8601.
    package let notBefore: String
    /// The end of validity, in the form of ISO 8601.
    package let notAfter: String
    /// URIs among the alternative names.
    package let uris: [String]
    /// DNS names among the alternative names.
    package let dnsNames: [String]
    /// Addresses among the alternative names.
    package let ipAddresses: [String]
    /// The kind of key, such as `EC` or `RSA`.
    package let keyKind: String
    /// The size of the key in bits.
    package let keyBits: Int
    /// How the issuer signed, such as `ecdsa-with-SHA256`.
    package let signatureAlgorithm: String
    /// Whether the certificate may issue others.
    package let isAuthority: Bool
    /// The extended key usages, `serverAuth` and `clientAuth` by name and all others as `other`.
    package let extendedKeyUsages: [String]
    /// The SHA-256 digest of the certificate, in hexadecimal.
    package let fingerprint: String

    init(_ certificate: Certificate) {
        let pointer = certificate.pointer
        let names = AlternativeNames(certificate)
        subject = certificate.subject
        issuer = certificate.issuer
        serialNumber = CertificateSummary.serialNumber(of: pointer)
        notBefore = certificate.notBefore?.description ?? "unreadable"
        notAfter = certificate.notAfter?.description ?? "unreadable"
        uris = names.uris.map { Printable.text($0) }
        dnsNames = names.dnsNames.map { Printable.text($0) }
        ipAddresses = names.ipAddresses
        let key = X509_get0_pubkey(pointer)
        keyKind =
            key.flatMap { EVP_PKEY_get0_type_name($0) }.map { String(cString: $0) } ?? "unknown"
        keyBits = key.map { Int(EVP_PKEY_get_bits($0)) } ?? 0
        signatureAlgorithm =
            OBJ_nid2ln(X509_get_signature_nid(pointer)).map { String(cString: $0) } ?? "unknown"
        isAuthority = certificate.isAuthority
        extendedKeyUsages = CertificateSummary.usages(certificate.extendedKeyUsage ?? 0)
        fingerprint = CertificateSummary.fingerprint(of: pointer)
        ErrorQueue.clear()
    }

    private static func serialNumber(of certificate: OpaquePointer) -> String {
        guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else {
            return "unreadable"
        }
        defer { BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: Int(max(0, (BN_num_bits(number) + 7) / 8)))
        BN_bn2bin(number, &bytes)
        return Printable.hex(bytes)
    }

    private static func usages(_ bits: UInt32) -> [String] {
        let known = UInt32(XKU_SSL_SERVER | XKU_SSL_CLIENT)
        var usages: [String] = []
        if bits & UInt32(XKU_SSL_SERVER) != 0 { usages.append("serverAuth") }
        if bits & UInt32(XKU_SSL_CLIENT) != 0 { usages.append("clientAuth") }
        if bits & ~known != 0 { usages.append("other") }
        return usages
    }

    private static func fingerprint(of certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else {
            return "unreadable"
        }
        return Printable.hex(digest.prefix(Int(length)))
    }
}
