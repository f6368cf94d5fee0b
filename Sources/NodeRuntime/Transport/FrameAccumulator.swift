package import ByteCoding
package import NIOCore

/// The bytes of one connection that were read and not yet understood.
///
/// Whole frames are cut where they lie. What is left of a frame waits for the rest of it; memory
/// grows with the bytes that came, never with a length that was declared.
package struct FrameAccumulator {
    /// The longest body that is accepted next.
    package var limit: Int
    private var buffer = ByteBuffer()

    /// Accepts the hello only, until `limit` is raised.
    package init(limit: Int = Frame.maximumHelloBodySize) {
        self.limit = limit
    }

    /// Bytes that wait.
    package var count: Int { buffer.readableBytes }

    /// Takes in a read.
    package mutating func append(_ read: inout ByteBuffer) {
        if buffer.readableBytes == 0 {
            swap(&buffer, &read)
            // A reference kept here would keep the reader from using its storage again.
            read = ByteBuffer()
        } else {
            buffer.writeBuffer(&read)
        }
    }

    /// Hands each whole frame to `body`, until it says to stop.
    ///
    /// - Parameter body: takes header, body and the bytes in which the body lies; the bytes die
    ///   with the call.
    /// - Returns: the number of frames.
    /// - Throws: what is wrong with the next frame; the connection is then beyond repair.
    @discardableResult
    package mutating func forEachFrame(
        _ body: (Frame.Header, ByteRange, RawSpan) -> FrameLimit
    ) throws(CodingError) -> Int {
        var offset = 0
        var frames = 0
        do {
            let bytes = buffer.readableBytesSpan
            cutting: while true {
                guard
                    case .frame(let header, let range) =
                        try Frame.cut(bytes, at: offset, limit: limit)
                else { break }
                offset = range.end
                frames += 1
                switch body(header, range, bytes) {
                case .unchanged: continue
                case .stop: break cutting
                }
            }
        }
        consume(offset)
        return frames
    }

    private mutating func consume(_ count: Int) {
        buffer.moveReaderIndex(forwardBy: count)
        guard buffer.readableBytes == 0 else { return }
        buffer = ByteBuffer()
    }
}

/// What follows a frame.
package enum FrameLimit {
    /// The next frame, with the same limit.
    case unchanged
    /// Nothing; the rest waits.
    case stop
}

extension FrameAccumulator {
    /// Takes out all whole frames as they are; nil when there is none.
    ///
    /// - Throws: what is wrong with the next frame.
    package mutating func takeFrames() throws(CodingError) -> ByteBuffer? {
        var size = 0
        do {
            let bytes = buffer.readableBytesSpan
            while case .frame(_, let body) = try Frame.cut(bytes, at: size, limit: limit) {
                size = body.end
            }
        }
        guard size > 0 else { return nil }
        let frames = buffer.readSlice(length: size)
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return frames
    }
}
