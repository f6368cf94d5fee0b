import ByteCoding
import ClusterPrimitives
import Testing

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

@Suite struct `SHA-256` {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                + "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func `has the digests of FIPS 180-4`(_ text: String, _ digest: String) {
        #expect(hex(SHA256.digest(Array(text.utf8))) == digest)
    }

    @Test func `is the same with the processor's instructions and without`() {
        var random = SeededRandom(seed: 5)
        for size in 0..<300 {
            let bytes = random.bytes(size)
            var portable = SHA256(usingInstructions: false)
            portable.update(bytes)
            #expect(portable.finish() == SHA256.digest(bytes), "\(size) bytes")
        }
    }

    @Test func `of a million letters is as published`() {
        var digest = SHA256()
        for _ in 0..<1000 { digest.update([UInt8](repeating: 97, count: 1000)) }
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(hex(digest.finish()) == expected)
    }

    @Test func `does not depend on how its input is cut`() {
        var random = SeededRandom(seed: 4)
        for size in 0..<150 {
            let bytes = random.bytes(size)
            var digest = SHA256()
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = min(rest.count, random.number(in: 1...70))
                digest.update(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(digest.finish() == SHA256.digest(bytes))
        }
    }
}

@Suite struct `HMAC-SHA-256` {
    /// RFC 4231, test cases 1, 2, 3, 6 and 7.
    private static let vectors: [(key: [UInt8], message: [UInt8], code: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than "
                    + "block-size data. The key needs to be hashed before being used by the "
                    + "HMAC algorithm.").utf8
            ),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test func `has the codes of RFC 4231`() {
        for (key, message, code) in Self.vectors {
            #expect(hex(Self.code(message, under: key)) == code)
        }
    }

    private static func code(_ message: [UInt8], under key: [UInt8]) -> [UInt8] {
        MessageAuthenticator(key: key).code { $0.update(message) }.span.bytes.array()
    }

    private static func accepts(_ code: [UInt8], of message: [UInt8], under key: [UInt8]) -> Bool {
        MessageAuthenticator(key: key).verify(code.span.bytes) { $0.update(message) }
    }

    @Test func `accepts its own code and no other`() {
        let key: [UInt8] = [1, 2, 3]
        let message: [UInt8] = [4, 5]
        for count in 16...32 {
            let code = Array(Self.code(message, under: key).prefix(count))
            #expect(Self.accepts(code, of: message, under: key))
            #expect(!Self.accepts(code, of: [4], under: key))
            for bit in 0..<(count * 8) {
                var forged = code
                forged[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(!Self.accepts(forged, of: message, under: key))
            }
        }
    }

    @Test func `refuses codes that are too short or too long`() {
        let code = Self.code([], under: [1])
        for count in 0..<16 {
            #expect(!Self.accepts(Array(code.prefix(count)), of: [], under: [1]))
        }
        #expect(!Self.accepts(code + [0], of: [], under: [1]))
    }

    @Test func `is the same in whichever parts the message comes`() {
        var random = SeededRandom(seed: 5)
        for _ in 0..<200 {
            let message = random.bytes(random.below(300))
            let whole = Self.code(message, under: [9])
            let cut = random.below(message.count + 1)
            let parts = MessageAuthenticator(key: [9]).code {
                $0.update(message.span.bytes.extracting(0..<cut))
                $0.update(message.span.bytes.extracting(cut..<message.count))
            }
            #expect(parts.span.bytes.array() == whole)
        }
    }
}
