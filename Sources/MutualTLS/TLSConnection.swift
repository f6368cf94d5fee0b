import COpenSSL
import NIOCore

/// One TLS session: bytes from the wire in, bytes for the wire and plaintext out.
///
/// Owns an `SSL` and never touches a socket. Confined to one event loop, as its handler is.
final class TLSConnection {
    /// The most a peer may send before it is known, in bytes.
    static let maximumHandshakeSize = 16 << 10

    /// Who the peer is; nil until its certificate has passed every check.
    private(set) var peerIdentity: PeerIdentity?

    private let context: TLSContext
    private let rule: IdentityRule
    private let window = CiphertextWindow()
    /// An `SSL`, owned; it owns the BIO over `window`.
    private let ssl: OpaquePointer
    /// Why the peer's certificate was refused, for the failure that OpenSSL then reports.
    private var refusal: TLSError?
    private(set) var isHandshakeComplete = false
    /// After a fatal error OpenSSL must not be called again.
    private var isFailed = false
    private var plaintext = ByteBuffer()

    /// Prepares a session that has sent and received nothing.
    ///
    /// - Throws: `TLSError.libraryFailed`.
    init(context: TLSContext, expectedName: String?) throws(TLSError) {
        guard let ssl = SSL_new(context.handle) else {
            throw ErrorQueue.failure(to: "make a TLS session")
        }
        guard let bio = window.makeBIO() else {
            SSL_free(ssl)
            throw ErrorQueue.failure(to: "make a BIO")
        }
        SSL_set_bio(ssl, bio, bio)
        self.context = context
        self.ssl = ssl
        rule = context.peerRule(expectedName: expectedName)
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        if context.role.isServer { SSL_set_accept_state(ssl) } else { SSL_set_connect_state(ssl) }
        window.limit(to: TLSConnection.maximumHandshakeSize)
    }

    deinit {
        SSL_free(ssl)
    }

    /// The protocol both ends named, once the handshake is complete.
    var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &length)
        guard let name, length > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// What came of bytes from the wire.
    struct Outcome {
        /// The handshake has ended well with these bytes.
        var completesHandshake = false
        /// What the peer wrote, if these bytes completed some of it.
        var plaintext: ByteBuffer?
        /// The peer has said that it will write no more.
        var isPeerDone = false
        /// The session is over.
        var failure: TLSError?
    }

    /// Sends the first bytes of the handshake, where this end begins.
    func start() -> Outcome {
        receive(ByteBuffer())
    }

    /// Takes bytes from the wire.
    func receive(_ ciphertext: ByteBuffer) -> Outcome {
        var outcome = Outcome()
        guard !isFailed else { return outcome }
        ErrorQueue.clear()
        ciphertext.withUnsafeReadableBytes { bytes in
            window.lend(bytes) {
                if !isHandshakeComplete { advanceHandshake(&outcome) }
                if isHandshakeComplete { readAll(&outcome) }
            }
        }
        return outcome
    }

    /// Encrypts the bytes of one flush.
    ///
    /// - Throws: `TLSError.recordInvalid`; the session is over then.
    func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        guard !isFailed else { throw .closed }
        ErrorQueue.clear()
        var rest = plaintext
        while !rest.isEmpty {
            var written = 0
            let result = SSL_write_ex(ssl, rest.baseAddress, rest.count, &written)
            guard result == 1, written > 0 else { throw failure(of: result) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Says to the peer that this end will write no more.
    func sendCloseNotify() {
        guard isHandshakeComplete, !isFailed else { return }
        ErrorQueue.clear()
        // Zero says that the peer's own has not come yet, which is no failure.
        if SSL_shutdown(ssl) < 0 { ErrorQueue.clear() }
    }

    /// Bytes for the wire, if there are any.
    func takeOutput() -> ByteBuffer? {
        window.takeOutput()
    }

    /// Checks the peer's certificate again, by another context.
    ///
    /// - Throws: `TLSError.verificationFailed` or `TLSError.identityRefused`.
    func checkPeer(against context: TLSContext, expectedName: String?) throws(TLSError) {
        ErrorQueue.clear()
        guard let pointer = SSL_get1_peer_certificate(ssl) else {
            throw .identityRefused(reason: "the peer presented no certificate")
        }
        let leaf = Certificate(owning: pointer)
        var chain = [leaf]
        let presented = SSL_get_peer_cert_chain(ssl)
        for index in 0..<max(0, OPENSSL_sk_num(presented)) {
            guard let other = OPENSSL_sk_value(presented, index),
                X509_up_ref(OpaquePointer(other)) == 1
            else { continue }
            chain.append(Certificate(owning: OpaquePointer(other)))
        }
        try CertificateVerification.verify(
            chain,
            in: SSL_CTX_get_cert_store(context.handle),
            purpose: context.role.isServer ? "ssl_client" : "ssl_server"
        )
        _ = try context.peerRule(expectedName: expectedName).identity(of: leaf)
    }

    private func advanceHandshake(_ outcome: inout Outcome) {
        let result = SSL_do_handshake(ssl)
        guard result == 1 else {
            if SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ { return }
            outcome.failure = failure(of: result)
            return
        }
        guard peerIdentity != nil, applicationProtocol == context.role.applicationProtocol,
            SSL_version(ssl) == TLS1_3_VERSION || starling_SSL_uses_extended_master_secret(ssl) == 1
        else {
            isFailed = true
            outcome.failure = .handshakeFailed(
                reason: "the peer was not checked or lacks the extended master secret"
            )
            return
        }
        isHandshakeComplete = true
        window.limit(to: Int.max)
        outcome.completesHandshake = true
    }

    private func readAll(_ outcome: inout Outcome) {
        // Keeps the storage only when nobody downstream holds it.
        plaintext.clear(minimumCapacity: min(window.remaining, 16 << 10))
        var result: Int32 = 1
        repeat {
            let expected = max(window.remaining, Int(SSL_pending(ssl)), 512)
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: expected) { free in
                var count = 0
                result = SSL_read_ex(ssl, free.baseAddress, free.count, &count)
                return result == 1 ? count : 0
            }
            // Without either OpenSSL has nothing left but an incomplete record.
        } while result == 1 && (window.remaining > 0 || SSL_pending(ssl) > 0)
        switch result == 1 ? SSL_ERROR_WANT_READ : SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: outcome.isPeerDone = true
        default: outcome.failure = failure(of: result)
        }
        if plaintext.readableBytes > 0 { outcome.plaintext = plaintext }
        if plaintext.capacity > CiphertextWindow.retainedCapacity { plaintext = ByteBuffer() }
    }

    /// Ends the session and tells why the last call failed.
    private func failure(of result: Int32) -> TLSError {
        isFailed = true
        let code = SSL_get_error(ssl, result)
        let entries = ErrorQueue.drain()
        if let refusal { return refusal }
        if window.isBudgetExceeded {
            return .handshakeFailed(
                reason: "the peer sent more than \(TLSConnection.maximumHandshakeSize) bytes"
                    + " before it was authenticated"
            )
        }
        guard let first = entries.first(where: { $0.library == ERR_LIB_SSL }) ?? entries.first
        else {
            return .handshakeFailed(reason: "no reason given (code \(code))")
        }
        return TLSConnection.error(for: first, duringHandshake: !isHandshakeComplete)
    }

    private static func error(
        for entry: ErrorQueue.Entry,
        duringHandshake: Bool
    ) -> TLSError {
        if entry.library == ERR_LIB_SSL {
            let alert = entry.reason - SSL_AD_REASON_OFFSET
            if (0...255).contains(alert), let text = SSL_alert_desc_string_long(alert) {
                return .refusedByPeer(alert: String(cString: text))
            }
            if entry.reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE {
                return .identityRefused(reason: "the peer presented no certificate")
            }
        }
        return duringHandshake
            ? .handshakeFailed(reason: entry.text) : .recordInvalid(reason: entry.text)
    }
}

extension TLSConnection {
    /// Called by OpenSSL when the peer's certificates have come: 1 accepts them.
    ///
    /// Runs inside the handshake, so that a refusal reaches the peer as an alert.
    static func verifyPeer(in store: OpaquePointer?) -> Int32 {
        let index = SSL_get_ex_data_X509_STORE_CTX_idx()
        guard let store, let ssl = X509_STORE_CTX_get_ex_data(store, index),
            let connection = connection(of: OpaquePointer(ssl))
        else { return 0 }
        do throws(TLSError) {
            connection.peerIdentity = try connection.checkPeer(in: store)
            return 1
        } catch {
            connection.refusal = error
            if X509_STORE_CTX_get_error(store) == X509_V_OK {
                X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            }
            return 0
        }
    }

    /// Called by OpenSSL with a client's offer of application protocols: takes ours or refuses.
    static func selectProtocol(
        _ ssl: OpaquePointer?,
        _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ selectedLength: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?,
        _ offeredLength: UInt32
    ) -> Int32 {
        guard let connection = connection(of: ssl), let offered else {
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }
        let offers = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
        let wanted = connection.context.role.applicationProtocol.utf8
        var index = 0
        while index < offers.count {
            let length = Int(offers[index])
            guard length <= offers.count - index - 1 else { break }
            let name = UnsafeBufferPointer(rebasing: offers[(index + 1)..<(index + 1 + length)])
            if name.elementsEqual(wanted) {
                selected?.pointee = name.baseAddress
                selectedLength?.pointee = UInt8(length)
                return SSL_TLSEXT_ERR_OK
            }
            index += 1 + length
        }
        connection.refusal = .handshakeFailed(
            reason: "the peer does not speak \(connection.context.role.applicationProtocol) (ALPN)"
        )
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    private static func connection(of ssl: OpaquePointer?) -> TLSConnection? {
        guard let data = SSL_get_ex_data(ssl, 0) else { return nil }
        return Unmanaged<TLSConnection>.fromOpaque(data).takeUnretainedValue()
    }

    private func checkPeer(in store: OpaquePointer) throws(TLSError) -> PeerIdentity {
        guard applicationProtocol == context.role.applicationProtocol else {
            throw .handshakeFailed(
                reason: "the peer does not speak \(context.role.applicationProtocol) (ALPN)"
            )
        }
        return try CertificateVerification.identity(verifiedIn: store, rule: rule)
    }
}
