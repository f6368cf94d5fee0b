import ByteCoding
import NIOCore

/// Whole frames as they are handed to channels and other loops.
enum FrameBytes {
    /// A buffer with a copy of the bytes.
    static func buffer(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: bytes.count)
        buffer.writeBytes(bytes)
        return buffer
    }

    /// A buffer with one frame.
    static func frame(
        _ header: Frame.Header,
        _ body: (inout ByteWriter) -> Void
    ) -> ByteBuffer {
        var writer = ByteWriter(capacity: 256)
        let start = writer.beginFrame(header)
        body(&writer)
        writer.endFrame(start)
        return buffer(writer.bytes)
    }

    /// How many frames lie one behind another in bytes that this node wrote itself.
    static func count(in bytes: [UInt8]) -> Int {
        var offset = 0
        var count = 0
        while offset + 4 <= bytes.count {
            let length =
                Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16
                | Int(bytes[offset + 3]) << 24
            offset += 4 + length
            count += 1
        }
        return count
    }
}
