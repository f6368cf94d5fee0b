internal import CSHA256

/// SHA-256 (FIPS 180-4), for values that must be the same on every node and hard to forge:
/// founding digests and the authentication of contexts.
///
/// It is here, and not OpenSSL's, because the core is pure and uses it on a few dozen bytes. Where
/// the processor has instructions for it, they do the work.
public struct SHA256: Sendable {
    private static let constants: InlineArray<64, UInt32> = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
        0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
        0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
        0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
        0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
        0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
        0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
        0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
        0xc671_78f2,
    ]

    private var state: InlineArray<8, UInt32> = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
        0x5be0_cd19,
    ]
    /// The block that is being filled.
    private var pending = InlineArray<64, UInt8>(repeating: 0)
    private var pendingCount = 0
    private var length: UInt64 = 0
    private let usesInstructions: Bool

    private static let hasInstructions = starling_sha256_has_instructions()

    /// A digest of nothing yet.
    public init() {
        self.init(usingInstructions: true)
    }

    /// A digest that is made with the processor's instructions, if it has them, or without.
    package init(usingInstructions: Bool) {
        usesInstructions = usingInstructions && Self.hasInstructions
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) {
        update(bytes.span.bytes)
    }

    /// Adds bytes.
    public mutating func update(_ bytes: RawSpan) {
        length &+= UInt64(bytes.byteCount)
        var offset = 0
        while offset < bytes.byteCount {
            let count = min(64 - pendingCount, bytes.byteCount - offset)
            fill(from: bytes.extracting(offset..<(offset + count)))
            offset += count
            if pendingCount == 64 { compress() }
        }
    }

    /// Adds four bytes, the lowest first.
    public mutating func update(_ value: UInt32) {
        let words: InlineArray<1, UInt32> = [value.littleEndian]
        update(words.span.bytes)
    }

    /// Appends bytes to the block, which has room for them.
    private mutating func fill(from bytes: RawSpan) {
        var block = pending.mutableSpan
        unsafe block.withUnsafeMutableBytes { block in
            unsafe bytes.withUnsafeBytes { bytes in
                let target = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: block[pendingCount..<(pendingCount + bytes.count)]
                )
                unsafe target.copyMemory(from: bytes)
            }
        }
        pendingCount += bytes.byteCount
    }

    /// Fills the block with zeros up to a place.
    private mutating func pad(to end: Int) {
        var block = pending.mutableSpan
        unsafe block.withUnsafeMutableBytes { block in
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: block[pendingCount..<end])
            _ = unsafe rest.initializeMemory(as: UInt8.self, repeating: 0)
        }
        pendingCount = end
    }

    /// Ends the digest: 32 bytes.
    public consuming func finish() -> [UInt8] {
        finished().span.bytes.array()
    }

    /// Ends the digest: 32 bytes that need no memory of their own.
    public consuming func finished() -> InlineArray<8, UInt32> {
        let bits = length &* 8
        pending[pendingCount] = 0x80
        pendingCount += 1
        if pendingCount > 56 {
            pad(to: 64)
            compress()
        }
        pad(to: 56)
        let size: InlineArray<1, UInt64> = [bits.bigEndian]
        fill(from: size.span.bytes)
        compress()
        for index in 0..<8 { state[index] = state[index].bigEndian }
        return state
    }

    /// The digest of `bytes`: 32 bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = SHA256()
        digest.update(bytes)
        return digest.finish()
    }

    /// Takes in the block, which is full.
    private mutating func compress() {
        pendingCount = 0
        guard usesInstructions else { return compressPortably() }
        var words = state.mutableSpan
        unsafe words.withUnsafeMutableBufferPointer { words in
            unsafe pending.span.withUnsafeBufferPointer { block in
                if let words = words.baseAddress, let block = block.baseAddress {
                    unsafe starling_sha256_block(words, block)
                }
            }
        }
    }

    private mutating func compressPortably() {
        func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
            value >> count | value << (32 - count)
        }
        let constants = Self.constants
        var schedule = InlineArray<64, UInt32>(repeating: 0)
        for index in 0..<16 {
            let at = index * 4
            schedule[index] =
                UInt32(pending[at]) << 24 | UInt32(pending[at + 1]) << 16
                | UInt32(pending[at + 2]) << 8 | UInt32(pending[at + 3])
        }
        for index in 16..<64 {
            let early = schedule[index - 15]
            let late = schedule[index - 2]
            schedule[index] =
                schedule[index - 16]
                &+ (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3)
                &+ schedule[index - 7]
                &+ (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10)
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for index in 0..<64 {
            let first =
                h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ (e & f ^ ~e & g)
                &+ constants[index] &+ schedule[index]
            let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ (a & b ^ a & c ^ b & c)
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }
}

/// HMAC-SHA-256 (RFC 2104) under one key, whose two inner states are computed once.
public struct MessageAuthenticator: Sendable {
    private let inner: SHA256
    private let outer: SHA256

    /// An authenticator under `key`, of any length; 32 bytes is right.
    public init(key: [UInt8]) {
        var padded = key.count > 64 ? SHA256.digest(key) : key
        padded.append(contentsOf: [UInt8](repeating: 0, count: 64 - padded.count))
        var inner = SHA256()
        inner.update(padded.map { $0 ^ 0x36 })
        var outer = SHA256()
        outer.update(padded.map { $0 ^ 0x5c })
        self.inner = inner
        self.outer = outer
    }

    /// The code of the message that `feed` adds: 32 bytes, of which the first 16 are enough.
    @inline(__always)
    public func code(of feed: (inout SHA256) -> Void) -> InlineArray<8, UInt32> {
        var first = inner
        feed(&first)
        var second = outer
        second.update(first.finished().span.bytes)
        return second.finished()
    }

    /// Whether `code`, of 16 to 32 bytes, begins the code of the message that `feed` adds; takes
    /// the same time whatever differs.
    @inline(__always)
    public func verify(_ code: RawSpan, of feed: (inout SHA256) -> Void) -> Bool {
        guard (16...32).contains(code.byteCount) else { return false }
        let expected = self.code(of: feed)
        let bytes = expected.span.bytes
        var difference: UInt8 = 0
        for index in 0..<code.byteCount {
            difference |=
                unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
                ^ code.unsafeLoad(fromByteOffset: index, as: UInt8.self)
        }
        return difference == 0
    }
}
