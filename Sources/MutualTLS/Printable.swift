/// Makes bytes that somebody else chose fit for one line of a log.
enum Printable {
    /// The longest text kept; the rest is replaced by an ellipsis.
    private static let limit = 160

    /// The text with everything but printable ASCII escaped as `\xHH`, cut at 160 bytes.
    static func text(_ text: String) -> String {
        Printable.text(text.utf8)
    }

    /// The bytes as text, with everything but printable ASCII escaped as `\xHH`, cut at 160 bytes.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for (index, byte) in bytes.enumerated() {
            guard index < limit else { return result + "…" }
            if byte >= 0x20, byte < 0x7f, byte != UInt8(ascii: "\\"), byte != UInt8(ascii: "\"") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "\\x" + hexPair(byte)
            }
        }
        return result
    }

    /// A distinguished name that OpenSSL has escaped already, cut at 160 bytes.
    static func name(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for (index, byte) in bytes.enumerated() {
            guard index < limit else { return result + "…" }
            let isPlain = byte >= 0x20 && byte < 0x7f
            result.unicodeScalars.append(isPlain ? Unicode.Scalar(byte) : "?")
        }
        return result
    }

    /// Bytes as lower-case hexadecimal pairs without separators.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for byte in bytes { result += hexPair(byte) }
        return result
    }

    private static func hexPair(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
}
