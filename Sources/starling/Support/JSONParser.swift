/// Why a text is no JSON value.
struct JSONError: Error, Equatable, CustomStringConvertible {
    /// Bytes before the fault.
    var offset: Int
    /// What was met there.
    var problem: String

    /// The fault and its place.
    var description: String { "\(problem) at byte \(offset + 1)" }
}

/// Reads one JSON value (RFC 8259), strictly: duplicate names, bare control characters, lone
/// surrogates, trailing text and nesting beyond 32 levels are refused.
struct JSONParser {
    private static let maximumDepth = 32

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The value that `bytes` hold, with nothing but white space around it.
    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.fault("text behind the value") }
        return value
    }

    private func fault(_ problem: String) -> JSONError {
        JSONError(offset: position, problem: problem)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func expect(_ character: Character, _ problem: String) throws(JSONError) {
        guard let byte = next, byte == character.asciiValue else { throw fault(problem) }
        position += 1
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw fault("too deep a nesting") }
        skipSpace()
        guard let byte = next else { throw fault("nothing where a value should be") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fault("no value")
        }
    }

    private mutating func word(
        _ word: String,
        _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw fault("no value") }
        position += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        skipSpace()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("no member's name") }
            let name = try string()
            guard !members.contains(where: { $0.name == name }) else {
                throw fault("\"\(name)\" a second time")
            }
            skipSpace()
            try expect(":", "no ':' behind a name")
            members.append((name, try value(depth: depth + 1)))
            skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
            } else {
                try expect("}", "neither ',' nor '}'")
                return .object(members)
            }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
            } else {
                try expect("]", "neither ',' nor ']'")
                return .array(elements)
            }
        }
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        let leadsWithZero = next == UInt8(ascii: "0")
        let whole = digits()
        guard whole == 1 || whole > 1 && !leadsWithZero else { throw fault("no number") }
        var isInteger = true
        if next == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard digits() > 0 else { throw fault("no digit behind the point") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw fault("no digit in the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw fault("a number that is too large")
        }
        return .number(number)
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var unescaped: [UInt8] = []
        while true {
            guard let byte = next else { throw fault("a string without end") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: unescaped, as: UTF8.self) else {
                    throw fault("a string that is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &unescaped)
            case 0..<0x20:
                position -= 1
                throw fault("a control character in a string")
            default:
                unescaped.append(byte)
            }
        }
    }

    private mutating func escape(into unescaped: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw fault("a string without end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexUnit())
            if (0xD800...0xDBFF).contains(code) {
                try expect("\\", "a lone surrogate")
                try expect("u", "a lone surrogate")
                let low = UInt32(try hexUnit())
                guard (0xDC00...0xDFFF).contains(low) else { throw fault("a lone surrogate") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("a lone surrogate") }
            unescaped.append(contentsOf: Array(String(Character(scalar)).utf8))
        default:
            throw fault("an unknown escape")
        }
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        guard bytes.count - position >= 4,
            bytes[position..<position + 4].allSatisfy({ Character(.init($0)).isHexDigit }),
            let unit = UInt16(
                String(decoding: bytes[position..<position + 4], as: UTF8.self),
                radix: 16
            )
        else { throw fault("no four hexadecimal digits") }
        position += 4
        return unit
    }
}
