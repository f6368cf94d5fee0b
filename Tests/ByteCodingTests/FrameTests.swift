import ByteCoding
import Testing

@Suite struct `Frames` {
    private static let header = Frame.Header(
        kind: 3,
        flags: 1,
        correlation: 0x1112_1314_1516_1718,
        epoch: 0x2122_2324_2526_2728,
        timestamp: 0x3132_3334_3536_3738
    )

    /// The golden bytes of a frame with that header and the body 0xAA 0xBB 0xCC.
    private static let golden: [UInt8] = [
        0x1F, 0, 0, 0, 0x03, 0x01, 0, 0,
        0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
        0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
        0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,
        0xAA, 0xBB, 0xCC,
    ]

    private static func cut(
        _ bytes: [UInt8],
        at offset: Int = 0,
        limit: Int = Frame.maximumBodySize
    ) throws(CodingError) -> Frame.Cut {
        try Frame.cut(bytes.span.bytes, at: offset, limit: limit)
    }

    @Test func `has the bytes it always had`() throws {
        var writer = ByteWriter()
        let frame = writer.beginFrame(Self.header)
        writer.raw([0xAA, 0xBB, 0xCC])
        writer.endFrame(frame)
        #expect(writer.bytes == Self.golden)
        #expect(
            try Self.cut(Self.golden)
                == .frame(Self.header, body: ByteRange(offset: 32, count: 3))
        )
    }

    @Test func `is whole only with its last byte`() throws {
        for count in Self.golden.indices {
            let expected = Frame.Cut.incomplete(total: count < 4 ? nil : Self.golden.count)
            #expect(try Self.cut(Array(Self.golden.prefix(count))) == expected)
        }
    }

    @Test func `is cut behind others, and at no offset beyond the bytes`() throws {
        let twice = Self.golden + Self.golden
        let second = try Self.cut(twice, at: Self.golden.count)
        let body = ByteRange(offset: Self.golden.count + 32, count: 3)
        #expect(second == .frame(Self.header, body: body))
        for offset in [twice.count, twice.count + 1, twice.count + 100] {
            #expect(try Self.cut(twice, at: offset) == .incomplete(total: nil))
        }
    }

    @Test(arguments: [UInt32(0x7FFF_FFFF), 0x8000_0000, .max, UInt32(9 * 1024 * 1024 + 29)])
    func `that declares too much is refused with its first four bytes`(_ length: UInt32) {
        var writer = ByteWriter()
        writer.uint32(length)
        let bytes = writer.bytes
        #expect(
            throws: CodingError.tooLong(
                field: "frame body",
                length: UInt64(length) - 28,
                limit: Frame.maximumBodySize
            )
        ) { try Self.cut(bytes) }
    }

    @Test func `of the greatest size is awaited`() throws {
        var writer = ByteWriter()
        writer.uint32(UInt32(Frame.maximumBodySize + 28))
        #expect(try Self.cut(writer.bytes) == .incomplete(total: Frame.maximumBodySize + 32))
    }

    @Test func `before the hello is held to sixteen KiB`() throws {
        let limit = Frame.maximumHelloBodySize
        for (body, isRefused) in [(limit, false), (limit + 1, true)] {
            var writer = ByteWriter()
            writer.uint32(UInt32(body + 28))
            let bytes = writer.bytes
            if isRefused {
                #expect(throws: CodingError.self) { try Self.cut(bytes, limit: limit) }
            } else {
                #expect(try Self.cut(bytes, limit: limit) == .incomplete(total: body + 32))
            }
        }
    }

    @Test(arguments: 0..<28)
    func `shorter than its header is refused`(_ length: UInt8) {
        #expect(throws: CodingError.invalid(field: "frame length", value: UInt64(length))) {
            try Self.cut([length, 0, 0, 0])
        }
    }

    @Test func `with reserved bits is refused`() {
        for bit in 1..<24 {
            var bytes = Self.golden
            bytes[5 + bit / 8] |= 1 << UInt8(bit % 8)
            #expect(throws: CodingError.self, "bit \(bit)") { try Self.cut(bytes) }
        }
    }
}

@Suite struct `Reading bytes` {
    @Test func `reads what ByteWriter wrote, and refuses every part of it`() throws {
        var writer = ByteWriter()
        writer.uint8(0x01)
        writer.uint16(0x0203)
        writer.uint32(0x0405_0607)
        writer.uint64(0x0809_0A0B_0C0D_0E0F)
        writer.prefixed([7, 8, 9])
        writer.string("ü")
        let bytes = writer.bytes
        func read(_ bytes: [UInt8]) throws {
            let span = bytes.span.bytes
            var reader = ByteReader(over: span)
            let one = try reader.uint8(in: span)
            let two = try reader.uint16(in: span)
            let four = try reader.uint32(in: span)
            let eight = try reader.uint64(in: span)
            let run = span.array(try reader.prefixed(in: span, limit: 3))
            let text = try reader.string(in: span, limit: 2)
            #expect(one == 0x01)
            #expect(two == 0x0203)
            #expect(four == 0x0405_0607)
            #expect(eight == 0x0809_0A0B_0C0D_0E0F)
            #expect(run == [7, 8, 9])
            #expect(text == "ü")
            try reader.finish()
        }
        try read(bytes)
        for count in bytes.indices {
            #expect(throws: CodingError.self, "\(count) bytes") {
                try readAll(Array(bytes.prefix(count)))
            }
        }
    }

    /// As the test above reads, without looking at the values.
    private func readAll(_ bytes: [UInt8]) throws(CodingError) {
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        _ = try reader.uint8(in: span)
        _ = try reader.uint16(in: span)
        _ = try reader.uint32(in: span)
        _ = try reader.uint64(in: span)
        _ = try reader.prefixed(in: span, limit: 3)
        _ = try reader.string(in: span, limit: 2)
        try reader.finish()
    }

    @Test func `stays inside its range`() {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let span = bytes.span.bytes
        var reader = ByteReader(ByteRange(offset: 2, count: 3))
        let four = try? reader.uint32(in: span)
        #expect(four == nil)
        #expect(reader.position == 2)
        let two = try? reader.uint16(in: span)
        #expect(two == 0x0403)
        let negative = try? reader.range(-1)
        let greatest = try? reader.range(.max)
        let beyond = try? reader.range(2)
        #expect(negative == nil && greatest == nil && beyond == nil)
        let last = try? reader.range(1)
        #expect(last == ByteRange(offset: 4, count: 1))
    }

    @Test func `checks a length against its limit before what is there`() {
        let bytes: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        let span = bytes.span.bytes
        func check(_ read: (inout ByteReader) throws(CodingError) -> Void) {
            var reader = ByteReader(over: span)
            do {
                try read(&reader)
                Issue.record("the length was believed")
            } catch {
                #expect(error == CodingError.tooLong(field: "x", length: 0xFFFF_FFFF, limit: 10))
            }
        }
        check { reader throws(CodingError) in
            _ = try reader.prefixed(in: span, limit: 10, "x")
        }
        check { reader throws(CodingError) in
            _ = try reader.count(in: span, limit: 10, "x")
        }
        check { reader throws(CodingError) in
            _ = try reader.string(in: span, limit: 10, "x")
        }
    }

    @Test func `refuses bytes behind the end`() {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(over: bytes.span.bytes)
        _ = try? reader.uint8(in: bytes.span.bytes)
        #expect(throws: CodingError.trailingBytes(count: 2)) { try reader.finish() }
    }
}
