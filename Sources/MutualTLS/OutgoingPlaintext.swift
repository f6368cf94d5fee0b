import NIOCore

/// Writes that wait for a flush, or for the end of the handshake.
struct OutgoingPlaintext {
    private var buffer = ByteBuffer()
    private var promises: [EventLoopPromise<Void>] = []
    /// How much of `buffer` and `promises` lies before the last flush.
    private var flushedBytes = 0
    private var flushedPromises = 0

    /// Whether anything lies before the last flush.
    var hasFlushed: Bool { flushedBytes > 0 || flushedPromises > 0 }

    /// Adds a write.
    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        var bytes = bytes
        buffer.writeBuffer(&bytes)
        if let promise { promises.append(promise) }
    }

    /// Marks everything added so far as flushed.
    mutating func markFlush() {
        flushedBytes = buffer.readableBytes
        flushedPromises = promises.count
    }

    /// One promise for all flushed writes; nil when none of them has one.
    mutating func takePromise() -> EventLoopPromise<Void>? {
        let taken = promises.prefix(flushedPromises)
        defer {
            promises.removeFirst(flushedPromises)
            flushedPromises = 0
        }
        guard let first = taken.first else { return nil }
        for other in taken.dropFirst() { first.futureResult.cascade(to: other) }
        return first
    }

    /// Hands over the flushed bytes and forgets them.
    mutating func withFlushedBytes(
        _ body: (UnsafeRawBufferPointer) throws(TLSError) -> Void
    ) throws(TLSError) {
        let count = flushedBytes
        flushedBytes = 0
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(TLSError) in
                try body(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
            }
        }
        buffer.moveReaderIndex(forwardBy: count)
        if buffer.readableBytes == 0 {
            if buffer.capacity > CiphertextWindow.retainedCapacity {
                buffer = ByteBuffer()
            } else {
                buffer.clear()
            }
        }
        try result.get()
    }

    /// Forgets all writes and returns their promises.
    ///
    /// The caller fails them when this value is no longer being changed: whoever waits for one may
    /// write again at once.
    mutating func drop() -> [EventLoopPromise<Void>] {
        defer { self = OutgoingPlaintext() }
        return promises
    }
}
