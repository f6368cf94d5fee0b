import COpenSSL
import Testing

/// The other end of a connection, made of bare OpenSSL, which breaks any rule it is told to.
final class RawPeer {
    struct Options {
        var isServer = false
        var credentials: TestCertificate?
        /// Nil offers none at all.
        var applicationProtocol: String? = "starling-peer/1"
        var highestVersion = TLS1_3_VERSION
    }

    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private(set) var isHandshakeComplete = false
    private(set) var received: [UInt8] = []
    /// The alert or other failure that ended the session.
    private(set) var failure: String?
    private(set) var hasReceivedCloseNotify = false

    init(_ options: Options) throws {
        context = try #require(
            SSL_CTX_new(options.isServer ? TLS_server_method() : TLS_client_method())
        )
        SSL_CTX_set_security_level(context, 0)
        _ = starling_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)
        _ = starling_SSL_CTX_set_max_proto_version(context, options.highestVersion)
        // This end accepts whoever answers; a server still asks, or no certificate would come.
        SSL_CTX_set_verify(context, options.isServer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE) { _, _ in
            1
        }
        if let credentials = options.credentials {
            try #require(SSL_CTX_use_certificate(context, credentials.certificate) == 1)
            try #require(SSL_CTX_use_PrivateKey(context, credentials.key) == 1)
            for one in credentials.intermediates {
                _ = starling_SSL_CTX_add1_chain_cert(context, one.certificate)
            }
        }
        if let name = options.applicationProtocol {
            if options.isServer {
                SSL_CTX_set_alpn_select_cb(
                    context,
                    { _, out, length, offered, count, _ in
                        // Takes whatever comes first.
                        guard let offered, count > 1 else { return SSL_TLSEXT_ERR_NOACK }
                        out?.pointee = offered + 1
                        length?.pointee = offered[0]
                        return SSL_TLSEXT_ERR_OK
                    },
                    nil
                )
            } else {
                let offer = [UInt8(name.utf8.count)] + name.utf8
                SSL_CTX_set_alpn_protos(context, offer, UInt32(offer.count))
            }
        }
        ssl = try #require(SSL_new(context))
        incoming = try #require(BIO_new(BIO_s_mem()))
        outgoing = try #require(BIO_new(BIO_s_mem()))
        SSL_set_bio(ssl, incoming, outgoing)
        if options.isServer { SSL_set_accept_state(ssl) } else { SSL_set_connect_state(ssl) }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Takes bytes from the wire and returns bytes for it.
    func exchange(_ bytes: [UInt8]) -> [UInt8] {
        if !bytes.isEmpty { BIO_write(incoming, bytes, Int32(bytes.count)) }
        ERR_clear_error()
        if !isHandshakeComplete, failure == nil {
            let result = SSL_do_handshake(ssl)
            isHandshakeComplete = result == 1
            note(result)
        }
        while isHandshakeComplete, failure == nil, !hasReceivedCloseNotify {
            var chunk = [UInt8](repeating: 0, count: 16 << 10)
            let count = SSL_read(ssl, &chunk, Int32(chunk.count))
            guard count > 0 else {
                note(count)
                break
            }
            received += chunk[..<Int(count)]
        }
        return output()
    }

    func write(_ bytes: [UInt8]) -> [UInt8] {
        SSL_write(ssl, bytes, Int32(bytes.count))
        return output()
    }

    func closeNotify() -> [UInt8] {
        SSL_shutdown(ssl)
        return output()
    }

    private func note(_ result: Int32) {
        guard result <= 0 else { return }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: hasReceivedCloseNotify = true
        default:
            let code = ERR_get_error()
            failure = ERR_reason_error_string(code).map { String(cString: $0) } ?? "unknown"
        }
        ERR_clear_error()
    }

    private func output() -> [UInt8] {
        var start: UnsafeMutablePointer<CChar>?
        let count = starling_BIO_get_mem_data(outgoing, &start)
        let bytes = [UInt8](UnsafeRawBufferPointer(start: start, count: max(0, count)))
        var sink = bytes
        if !bytes.isEmpty { BIO_read(outgoing, &sink, Int32(bytes.count)) }
        return bytes
    }
}
