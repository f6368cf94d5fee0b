import ClusterPrimitives
import Testing

@testable import starling

@Suite struct `JSON of commands` {
    private func parse(_ text: String) throws -> String {
        try JSONParser.parse(Array(text.utf8)).text
    }

    @Test(arguments: [
        "null", "true", "[]", "{}", "-0", "12", "1.5", "1e3", "\"\"", "[1,[2,{\"a\":null}]]",
        " { \"b\" : 1 , \"a\" : [ ] } ", "\"\\ud83d\\ude00 \\u00e9\\n\"",
    ])
    func `what was read is written alike, in the same order`(_ text: String) throws {
        let once = try parse(text)
        #expect(try parse(once) == once)
    }

    @Test(arguments: [
        "", " ", "nul", "truex", "01", "1.", "-", "1e", "+1", "\"", "\"\u{1}\"", "\"\\x\"",
        "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "[1,]", "[1 2]", "{",
        "{\"a\"}", "{\"a\":1,}", "{a:1}", "{\"a\":1,\"a\":2}", "1 2", "\"\\u+123\"",
    ])
    func `anything that is not JSON is refused`(_ text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(Array(text.utf8)) }
    }

    @Test func `bytes that are not UTF-8 and bottomless nesting are refused`() {
        #expect(throws: JSONError.self) { try JSONParser.parse([34, 0xFF, 34]) }
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: JSONError.self) { try JSONParser.parse(deep) }
    }

    @Test func `random bytes never trap the parser`() {
        let seed: UInt64 = 11
        var random = SeededRandom(seed: seed)
        let alphabet = Array("{}[]\":,\\u0dn1e.-t \n".utf8)
        for _ in 0..<5000 {
            let bytes = (0..<random.below(24)).map { _ in random.pick(alphabet) }
            do throws(JSONError) {
                let text = try JSONParser.parse(bytes).text
                #expect(throws: Never.self, "seed \(seed)") {
                    try JSONParser.parse(Array(text.utf8))
                }
            } catch {
                #expect(error.offset <= bytes.count, "seed \(seed)")
            }
        }
    }

    @Test func `bytes are text where they can be`() {
        #expect(JSONValue.bytes(Array("é\u{7}".utf8)).text == "\"é\\u0007\"")
        #expect(JSONValue.bytes([0xFF, 0]).text == "{\"base64\":\"/wA=\"}")
    }

    @Test func `a record comes back from its line`() throws {
        let seed: UInt64 = 5
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let record = DataRecord(
                key: random.bytes(random.number(in: 1...40)),
                value: random.bytes(random.below(60))
            )
            #expect(try DataRecord(line: Array(record.line.utf8)) == record, "seed \(seed)")
        }
    }

    @Test(arguments: [
        "", "[]", "{\"key\":\"a\"}", "{\"value\":\"a\"}", "{\"key\":\"\",\"value\":\"\"}",
        "{\"key\":1,\"value\":\"a\"}", "{\"key\":\"a\",\"value\":null}",
        "{\"key\":\"a\",\"value\":{\"base64\":\"?\"}}", "{\"key\":\"a\",\"value\":{}}",
        "{\"key\":\"a\",\"value\":\"b\",\"ttl\":1}",
    ])
    func `a line that is no record says why`(_ line: String) {
        #expect(throws: DataRecord.Malformed.self) { try DataRecord(line: Array(line.utf8)) }
    }

    @Test func `a key that is too long is no record's`() {
        let line = "{\"key\":\"\(String(repeating: "k", count: 1025))\",\"value\":\"\"}"
        #expect(throws: DataRecord.Malformed.self) { try DataRecord(line: Array(line.utf8)) }
    }
}
