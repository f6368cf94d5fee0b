import COpenSSL

/// What a certificate to be signed shall say.
struct CertificateDraft {
    /// Fields of the subject's name, in order, such as `("CN", "n1")`.
    var subject: [(field: String, value: String)]
    /// How long it is valid from now, in days.
    var days: Int
    /// Extensions by their `NID_`, in OpenSSL's configuration syntax.
    var extensions: [(id: Int32, value: String)]

    /// How far the beginning lies back, in seconds, for clocks that are behind.
    private static let backdating = 300
    private static let longestValidity = 36_500

    /// Signs the certificate of a key with ECDSA or RSA and SHA-256; with no issuer, for itself.
    ///
    /// - Throws: `TLSError.argumentInvalid` for a number of days outside 1…36500, or
    ///   `TLSError.libraryFailed`.
    func sign(
        _ key: borrowing Handle,
        issuer: Certificate?,
        issuerKey: borrowing Handle
    ) throws(TLSError) -> Certificate {
        guard (1...CertificateDraft.longestValidity).contains(days) else {
            throw .argumentInvalid(argument: "\(days)", reason: "days: use 1 to 36500")
        }
        guard let pointer = X509_new() else { throw ErrorQueue.failure(to: "make a certificate") }
        let certificate = Certificate(owning: pointer)
        let version3 = 2
        try ErrorQueue.check(X509_set_version(pointer, version3), to: "set the version")
        try setSerialNumber(of: pointer)
        try setValidity(of: pointer)
        let name = X509_get_subject_name(pointer)
        for (field, value) in subject {
            try ErrorQueue.check(
                X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0),
                to: "set the subject"
            )
        }
        let issuerName = X509_get_subject_name((issuer ?? certificate).pointer)
        try ErrorQueue.check(X509_set_issuer_name(pointer, issuerName), to: "set the issuer")
        try ErrorQueue.check(X509_set_pubkey(pointer, key.pointer), to: "set the public key")
        for (id, value) in extensions {
            try add(id, value, to: certificate, issuer: issuer ?? certificate)
        }
        guard X509_sign(pointer, issuerKey.pointer, EVP_sha256()) > 0 else {
            throw ErrorQueue.failure(to: "sign a certificate")
        }
        return certificate
    }

    /// A random number of 127 bits, so that no two certificates share one.
    private func setSerialNumber(of certificate: OpaquePointer) throws(TLSError) {
        var bytes = [UInt8](repeating: 0, count: 16)
        try ErrorQueue.check(RAND_bytes(&bytes, Int32(bytes.count)), to: "draw random bytes")
        // Positive, and of full length whatever was drawn.
        bytes[0] = bytes[0] & 0x7f | 0x40
        let number = try Handle(
            BN_bin2bn(bytes, Int32(bytes.count), nil),
            to: "make a serial number"
        ) { BN_free($0) }
        guard BN_to_ASN1_INTEGER(number.pointer, X509_get_serialNumber(certificate)) != nil else {
            throw ErrorQueue.failure(to: "set the serial number")
        }
    }

    private func setValidity(of certificate: OpaquePointer) throws(TLSError) {
        let begin = X509_gmtime_adj(
            X509_getm_notBefore(certificate),
            -CertificateDraft.backdating
        )
        let end = X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), 0, nil)
        guard begin != nil, end != nil else { throw ErrorQueue.failure(to: "set the validity") }
    }

    private func add(
        _ id: Int32,
        _ value: String,
        to certificate: Certificate,
        issuer: Certificate
    ) throws(TLSError) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer.pointer, certificate.pointer, nil, nil, 0)
        guard let made = X509V3_EXT_conf_nid(nil, &context, id, value) else {
            throw ErrorQueue.failure(to: "make an extension from \"\(Printable.text(value))\"")
        }
        defer { X509_EXTENSION_free(made) }
        try ErrorQueue.check(
            X509_add_ext(certificate.pointer, made, -1),
            to: "add an extension"
        )
    }
}
