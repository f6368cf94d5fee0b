import COpenSSL

/// Reads, makes and writes private keys.
enum PrivateKey {
    /// Reads an unencrypted PEM key that only its owner can read.
    ///
    /// - Throws: `TLSError` naming the file.
    static func load(_ path: String) throws(TLSError) -> Handle {
        let bio = try Handle.memory(holding: try CertificateFiles.readSecret(path))
        // Without a callback OpenSSL would ask the terminal for a password.
        let key = PEM_read_bio_PrivateKey(bio.pointer, nil, { _, _, _, _ in -1 }, nil)
        guard let key else {
            let reason = ErrorQueue.drain().last?.text ?? "no key"
            throw .certificateInvalid(
                path: path,
                reason: "holds no unencrypted PEM private key (\(reason))"
            )
        }
        return try Handle(key, to: "read a key") { EVP_PKEY_free($0) }
    }

    /// Makes a key for ECDSA on P-256.
    static func generate() throws(TLSError) -> Handle {
        try Handle(starling_EVP_PKEY_generate_P256(), to: "make a P-256 key") { EVP_PKEY_free($0) }
    }

    /// The key as unencrypted PKCS #8 PEM text.
    static func pem(_ key: borrowing Handle) throws(TLSError) -> [UInt8] {
        let bio = try Handle.memory()
        try ErrorQueue.check(
            PEM_write_bio_PrivateKey(bio.pointer, key.pointer, nil, nil, 0, nil, nil),
            to: "write a key"
        )
        return bio.memoryContents()
    }
}
