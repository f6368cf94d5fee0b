import COpenSSL
import Testing

/// A certificate as a test wants it, however wrong, and its key.
final class TestCertificate {
    enum KeyKind { case p256, rsa(UInt32) }

    /// What stands in the certificate; the defaults are those of a good node certificate.
    struct Draft {
        var commonName = "n2"
        var names: [String] = ["URI:starling://birds/node/n2"]
        var basicConstraints: String? = "critical,CA:FALSE"
        var keyUsage: String? = "critical,digitalSignature"
        var extendedKeyUsage: String? = "serverAuth,clientAuth"
        /// Days from now.
        var begin = -1
        var end = 10
        var key = KeyKind.p256
        var usesSHA1 = false
        var tampersWithSignature = false

        static func node(_ change: (inout Draft) -> Void = { _ in }) -> Draft {
            var draft = Draft()
            change(&draft)
            return draft
        }

        static func client(
            _ kind: String = "client",
            _ change: (inout Draft) -> Void = { _ in }
        ) -> Draft {
            var draft = Draft()
            draft.names = ["URI:starling://birds/\(kind)/c1"]
            draft.extendedKeyUsage = "clientAuth"
            change(&draft)
            return draft
        }

        static func authority(_ name: String, pathLength: Int? = nil) -> Draft {
            var draft = Draft()
            draft.commonName = name
            draft.names = []
            draft.basicConstraints =
                "critical,CA:TRUE" + (pathLength.map { ",pathlen:\($0)" } ?? "")
            draft.keyUsage = "critical,keyCertSign,cRLSign"
            draft.extendedKeyUsage = nil
            return draft
        }
    }

    let certificate: OpaquePointer
    let key: OpaquePointer
    let issuer: TestCertificate?

    /// Makes a certificate; without an issuer it signs itself.
    init(_ draft: Draft, issuer: TestCertificate? = nil) throws {
        switch draft.key {
        case .p256: key = try #require(starling_EVP_PKEY_generate_P256())
        case .rsa(let bits): key = try #require(starling_EVP_PKEY_generate_RSA(bits))
        }
        certificate = try #require(X509_new())
        self.issuer = issuer
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...Int(Int32.max)))
        X509_time_adj_ex(X509_getm_notBefore(certificate), Int32(draft.begin), 0, nil)
        X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(draft.end), 0, nil)
        let name = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, draft.commonName, -1, -1, 0)
        let signer = issuer ?? self
        X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate))
        X509_set_pubkey(certificate, key)
        try add(NID_basic_constraints, draft.basicConstraints, signer)
        try add(NID_key_usage, draft.keyUsage, signer)
        try add(NID_ext_key_usage, draft.extendedKeyUsage, signer)
        try add(NID_subject_key_identifier, "hash", signer)
        if issuer != nil { try add(NID_authority_key_identifier, "keyid", signer) }
        if !draft.names.isEmpty {
            try add(NID_subject_alt_name, draft.names.joined(separator: ","), signer)
        }
        let digest = draft.usesSHA1 ? EVP_sha1() : EVP_sha256()
        try #require(X509_sign(certificate, signer.key, digest) > 0)
        if draft.tampersWithSignature { try tamper() }
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    /// The issuers between this certificate and the root.
    var intermediates: [TestCertificate] {
        guard let issuer, issuer.issuer != nil else { return [] }
        return [issuer] + issuer.intermediates
    }

    var pem: String {
        get throws {
            try text { PEM_write_bio_X509($0, certificate) }
        }
    }

    var keyPEM: String {
        get throws {
            try text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        }
    }

    /// A list of the certificates that this authority has revoked.
    func revocationList(of revoked: [TestCertificate]) throws -> String {
        let list = try #require(X509_CRL_new())
        defer { X509_CRL_free(list) }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate))
        let begin = try #require(X509_gmtime_adj(nil, -60))
        let end = try #require(X509_gmtime_adj(nil, 86_400))
        defer {
            ASN1_STRING_free(begin)
            ASN1_STRING_free(end)
        }
        X509_CRL_set1_lastUpdate(list, begin)
        X509_CRL_set1_nextUpdate(list, end)
        for one in revoked {
            let entry = try #require(X509_REVOKED_new())
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one.certificate))
            X509_REVOKED_set_revocationDate(entry, begin)
            // The list owns the entry from here.
            X509_CRL_add0_revoked(list, entry)
        }
        // A strict check wants the number and the key identifier in every list.
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, certificate, nil, nil, list, 0)
        let identifier = try #require(
            X509V3_EXT_conf_nid(nil, &context, NID_authority_key_identifier, "keyid")
        )
        X509_CRL_add_ext(list, identifier, -1)
        X509_EXTENSION_free(identifier)
        let number = try #require(ASN1_INTEGER_new())
        ASN1_INTEGER_set(number, 1)
        X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0)
        ASN1_INTEGER_free(number)
        try #require(X509_CRL_sign(list, key, EVP_sha256()) > 0)
        return try text { PEM_write_bio_X509_CRL($0, list) }
    }

    private func add(_ id: Int32, _ value: String?, _ signer: TestCertificate) throws {
        guard let value else { return }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, signer.certificate, certificate, nil, nil, 0)
        let made = try #require(X509V3_EXT_conf_nid(nil, &context, id, value), "\(value)")
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }

    /// Flips the last bit of the signature, which leaves the encoding as it was.
    private func tamper() throws {
        var signature: UnsafePointer<ASN1_BIT_STRING>?
        X509_get0_signature(&signature, nil, certificate)
        let data = try #require(signature?.pointee.data)
        data[Int(try #require(signature?.pointee.length)) - 1] ^= 1
    }

    private func text(_ write: (OpaquePointer?) -> Int32) throws -> String {
        let bio = try #require(BIO_new(BIO_s_mem()))
        defer { BIO_free_all(bio) }
        try #require(write(bio) == 1)
        var start: UnsafeMutablePointer<CChar>?
        let count = starling_BIO_get_mem_data(bio, &start)
        return String(
            decoding: UnsafeRawBufferPointer(start: start, count: count),
            as: UTF8.self
        )
    }
}
