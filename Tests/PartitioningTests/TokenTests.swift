import ByteCoding
import Foundation
import Partitioning
import Testing

@Suite struct `Tokens of keys` {
    @Test func `is the one that Cassandra's driver computes, for ten thousand keys`() throws {
        let url = try #require(
            Bundle.module.url(forResource: "Fixtures/murmur3-tokens", withExtension: "bin")
        )
        let bytes = Array(try Data(contentsOf: url))
        let span = bytes.span.bytes
        var reader = ByteReader(over: span)
        var count = 0
        while reader.remaining > 0 {
            let key = try reader.range(Int(reader.uint16(in: span)))
            let expected = Int64(bitPattern: try reader.uint64(in: span))
            #expect(Token(ofKey: span, key).rawValue == expected)
            #expect(Token(ofKey: span.array(key)).rawValue == expected)
            count += 1
        }
        #expect(count == 10_000)
    }

    @Test func `of known keys is known`() {
        #expect(Token(ofKey: Array("config".utf8)).rawValue == 3_931_500_048_335_845_697)
        #expect(
            Token(ofKey: [0xff, 0xff, 0xff, 0xff, 0xff]).rawValue == -8_869_521_063_059_112_040
        )
        #expect(Token(ofKey: []).rawValue == 0)
    }

    @Test func `has a prefix whose unsigned order is token order`() {
        let tokens = [Token.min, Token(-5), Token(0), Token(5), Token.max]
        for (left, right) in zip(tokens, tokens.dropFirst()) {
            #expect(left < right)
            #expect(left.ordered < right.ordered)
        }
        for token in tokens { #expect(Token(ordered: token.ordered) == token) }
        #expect(Token.min.ordered == 0)
        #expect(Token.max.ordered == .max)
    }

    @Test func `lies in the one range that ends at or behind it`() {
        let range = TokenRange(after: Token(10), through: Token(20))
        #expect(!range.contains(Token(10)))
        #expect(range.contains(Token(11)))
        #expect(range.contains(Token(20)))
        #expect(!range.contains(Token(21)))
        #expect(range.width == 10)
        #expect(TokenRange.full.contains(.max))
    }
}
