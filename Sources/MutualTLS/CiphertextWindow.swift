import COpenSSL
import NIOCore

/// What lies between OpenSSL and the socket: bytes lent to it, and bytes taken from it.
///
/// Input is borrowed from a channel's buffer for one call. OpenSSL takes all of it before it asks
/// for more (an incomplete record stays in its own buffer), so nothing is copied or left over here.
final class CiphertextWindow {
    /// The rest of the bytes lent for the present call.
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    /// How many more bytes OpenSSL may take; limits what a peer can make it store while unknown.
    private var budget = Int.max
    /// Whether OpenSSL wanted bytes beyond the budget.
    private(set) var isBudgetExceeded = false

    private var output = ByteBuffer()
    /// The channel may still hold `output`; its bytes are not ours to append to.
    private var isOutputTaken = false

    /// The largest buffer kept for its next use, in bytes; a larger one is given back.
    ///
    /// A connection keeps up to three, which bounds what an idle one costs.
    static let retainedCapacity = 16 << 10

    /// How many lent bytes OpenSSL has not taken yet.
    var remaining: Int { input.count }

    /// Lends bytes for the length of one call.
    func lend<Result>(_ bytes: UnsafeRawBufferPointer, while body: () -> Result) -> Result {
        input = bytes
        defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
        return body()
    }

    /// Limits what OpenSSL may take from now on.
    func limit(to bytes: Int) {
        budget = bytes
    }

    /// The bytes to send, if there are any; they are the caller's from now on.
    func takeOutput() -> ByteBuffer? {
        guard !isOutputTaken, output.readableBytes > 0 else { return nil }
        isOutputTaken = true
        return output
    }

    /// Called by OpenSSL: copies out up to `count` bytes, and returns how many, or −1 to wait.
    fileprivate func read(into target: UnsafeMutablePointer<CChar>, count: Int) -> Int32 {
        guard !input.isEmpty else { return -1 }
        guard budget > 0 else {
            isBudgetExceeded = true
            return -1
        }
        let taken = min(count, input.count, budget)
        UnsafeMutableRawPointer(target)
            .copyMemory(from: input.baseAddress ?? UnsafeRawPointer(target), byteCount: taken)
        input = UnsafeRawBufferPointer(rebasing: input[taken...])
        if budget != Int.max { budget -= taken }
        return Int32(clamping: taken)
    }

    /// Called by OpenSSL: takes bytes to send.
    fileprivate func write(_ bytes: UnsafeRawBufferPointer) {
        if isOutputTaken {
            isOutputTaken = false
            if output.capacity > CiphertextWindow.retainedCapacity {
                output = ByteBuffer()
            } else {
                // Keeps the storage only when the channel has let go of it.
                output.clear(minimumCapacity: bytes.count)
            }
        }
        output.writeBytes(bytes)
    }

    /// A BIO over this window, which must outlive it.
    func makeBIO() -> OpaquePointer? {
        guard let bio = BIO_new(CiphertextWindow.method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        return bio
    }

    /// How OpenSSL reaches a window; made once for the process and never freed or changed.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index(), "starling") else { return nil }
        BIO_meth_set_create(method) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        BIO_meth_set_read(method) { bio, target, count in
            starling_BIO_clear_retry_flags(bio)
            guard let window = window(of: bio), let target, count > 0 else { return -1 }
            let taken = window.read(into: target, count: Int(count))
            if taken < 0, !window.isBudgetExceeded { starling_BIO_set_retry_read(bio) }
            return taken
        }
        BIO_meth_set_write(method) { bio, source, count in
            starling_BIO_clear_retry_flags(bio)
            guard let window = window(of: bio), let source, count >= 0 else { return -1 }
            window.write(UnsafeRawBufferPointer(start: source, count: Int(count)))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func window(of bio: OpaquePointer?) -> CiphertextWindow? {
        guard let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<CiphertextWindow>.fromOpaque(data).takeUnretainedValue()
    }
}
