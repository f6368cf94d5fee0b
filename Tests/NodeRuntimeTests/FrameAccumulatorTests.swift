import ByteCoding
import ClusterPrimitives
import NIOCore
import NodeRuntime
import PeerProtocol
import Testing

@Suite struct `Frame accumulator` {
    private func frame(_ kind: UInt8, body: Int) -> [UInt8] {
        var writer = ByteWriter()
        let start = writer.beginFrame(Frame.Header(kind: kind, correlation: UInt64(kind)))
        writer.raw([UInt8](repeating: kind, count: body))
        writer.endFrame(start)
        return writer.bytes
    }

    private func kinds(
        _ accumulator: inout FrameAccumulator
    ) throws(CodingError) -> [UInt8] {
        var kinds: [UInt8] = []
        try accumulator.forEachFrame { header, body, bytes in
            #expect(bytes.array(body).allSatisfy { $0 == header.kind })
            kinds.append(header.kind)
            return .unchanged
        }
        return kinds
    }

    @Test(arguments: 1...20)
    func `frames come whole however the reads are cut`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var stream: [UInt8] = []
        for kind in 1...30 { stream += frame(UInt8(kind), body: random.below(700)) }
        var accumulator = FrameAccumulator(limit: Frame.maximumBodySize)
        var seen: [UInt8] = []
        var offset = 0
        while offset < stream.count {
            let count = min(1 + random.below(400), stream.count - offset)
            var read = ByteBuffer(bytes: stream[offset..<offset + count])
            accumulator.append(&read)
            offset += count
            seen += try kinds(&accumulator)
        }
        #expect(seen == Array(1...30), "seed \(seed)")
        #expect(accumulator.count == 0)
    }

    @Test func `a declared length of two gibibytes is refused at its fourth byte`() throws {
        for limit in [Frame.maximumHelloBodySize, Frame.maximumBodySize] {
            var accumulator = FrameAccumulator(limit: limit)
            var read = ByteBuffer(bytes: [0, 0, 0])
            accumulator.append(&read)
            #expect(try kinds(&accumulator) == [])
            read = ByteBuffer(bytes: [0x80])
            accumulator.append(&read)
            #expect(throws: CodingError.self) { try kinds(&accumulator) }
        }
    }

    @Test func `plaintext HTTP is refused`() throws {
        var accumulator = FrameAccumulator()
        var read = ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n")
        accumulator.append(&read)
        #expect(throws: CodingError.self) { try kinds(&accumulator) }
    }

    @Test func `before the hello no more than 16 KiB are accepted, afterwards a value is`() throws {
        var accumulator = FrameAccumulator()
        var read = ByteBuffer(bytes: frame(1, body: 16 * 1024) + frame(2, body: 16 * 1024 + 1))
        accumulator.append(&read)
        var early: [UInt8] = []
        try accumulator.forEachFrame { header, _, _ in
            early.append(header.kind)
            return .stop
        }
        #expect(early == [1])
        #expect(throws: CodingError.self) { try kinds(&accumulator) }
        accumulator.limit = Frame.maximumBodySize
        #expect(try kinds(&accumulator) == [2])
    }

    @Test func `a peer's requests and answers may be longer than a client's frames`() throws {
        func declares(_ body: Int, within limit: Int) throws(CodingError) {
            var writer = ByteWriter()
            writer.uint32(UInt32(body + Frame.countedHeaderSize))
            var accumulator = FrameAccumulator(limit: limit)
            var read = ByteBuffer(bytes: writer.bytes)
            accumulator.append(&read)
            try accumulator.forEachFrame { _, _, _ in .unchanged }
        }
        let longest = PeerClass.request.maximumBodySize
        #expect(longest == Frame.maximumPeerBodySize)
        #expect(PeerClass.urgent.maximumBodySize == Frame.maximumBodySize)
        try declares(longest, within: longest)
        #expect(throws: CodingError.self) { try declares(longest + 1, within: longest) }
        #expect(throws: CodingError.self) {
            try declares(Frame.maximumBodySize + 1, within: Frame.maximumBodySize)
        }
    }

    @Test func `whole frames are taken out and the rest waits`() throws {
        var accumulator = FrameAccumulator(limit: Frame.maximumBodySize)
        let whole = frame(1, body: 3) + frame(2, body: 0)
        var read = ByteBuffer(bytes: whole + frame(3, body: 9).dropLast(4))
        accumulator.append(&read)
        #expect(try accumulator.takeFrames() == ByteBuffer(bytes: whole))
        #expect(try accumulator.takeFrames() == nil)
        #expect(accumulator.count == 32 + 5)
    }
}
