internal import ByteCoding
internal import CZlib
internal import FileSystems

/// Compresses payloads, one after another, with one stream.
///
/// zlib keeps the address of its stream, so the stream lies in memory of its own.
final class Deflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private var target = Memory(capacity: 0)

    /// A stream of a level from 1, fast, to 9, small; others are taken as the nearest.
    ///
    /// - Returns: nil if there is no memory for it.
    init?(level: Int) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe starling_deflate_init(stream, Int32(min(max(level, 1), 9))) == Z_OK else {
            unsafe stream.deallocate()
            return nil
        }
    }

    deinit {
        unsafe _ = deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Compresses a payload if it then takes at most `limit` bytes.
    ///
    /// - Returns: whether it does; then `output` holds it until the next call.
    func deflate(_ payload: RawSpan, limit: Int) -> Bool {
        guard payload.byteCount > 0, limit > 0 else { return false }
        if target.capacity < limit { target = Memory(capacity: max(limit, 16 << 10)) }
        unsafe _ = deflateReset(stream)
        return unsafe payload.withUnsafeBytes { source in
            // zlib only reads from next_in, although its type says otherwise.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(
                mutating: source.bindMemory(to: UInt8.self).baseAddress
            )
            unsafe stream.pointee.avail_in = UInt32(source.count)
            unsafe stream.pointee.next_out = target.base.bindMemory(
                to: UInt8.self,
                capacity: limit
            )
            unsafe stream.pointee.avail_out = UInt32(limit)
            return unsafe CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END
        }
    }

    /// What the last call that returned true came to.
    var output: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: target.base, count: Int(stream.pointee.total_out))
    }
}

/// Decompresses payloads, one after another, with one stream.
///
/// Unchecked because the stream is only touched by `inflate`, and each is used by one at a time:
/// by its owner, or by who took it out of a pool.
final class Inflater: @unchecked Sendable {
    private let stream: UnsafeMutablePointer<z_stream>

    /// - Returns: nil if there is no memory for it.
    init?() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe starling_inflate_init(stream) == Z_OK else {
            unsafe stream.deallocate()
            return nil
        }
    }

    deinit {
        unsafe _ = inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Decompresses a payload to exactly the bytes of `target`.
    ///
    /// - Returns: false if the payload is not the compressed form of that many bytes.
    func inflate(
        _ payload: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe _ = inflateReset(stream)
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: payload.bindMemory(to: UInt8.self).baseAddress
        )
        unsafe stream.pointee.avail_in = UInt32(payload.count)
        unsafe stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.pointee.avail_out = UInt32(target.count)
        return unsafe CZlib.inflate(stream, Z_FINISH) == Z_STREAM_END
            && Int(stream.pointee.total_out) == target.count && stream.pointee.avail_in == 0
    }
}

/// Streams for those who decompress now and then; each takes 40 KiB.
final class InflaterPool: Sendable {
    private static let limit = 16
    private let idle = Lock<[Inflater]>([])

    /// Decompresses as `Inflater.inflate` does; false also if there is no memory for a stream.
    func inflate(
        _ payload: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let inflater = idle.withLock({ $0.popLast() }) ?? Inflater() else { return false }
        defer { idle.withLock { if $0.count < Self.limit { $0.append(inflater) } } }
        return unsafe inflater.inflate(payload, into: target)
    }
}
