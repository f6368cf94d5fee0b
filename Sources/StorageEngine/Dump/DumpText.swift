/// Bytes as a person reads them.
enum DumpText {
    private static let digits = Array("0123456789abcdef".utf8)

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// A number of four bytes, the most significant first.
    static func hex(_ number: UInt32) -> String {
        hex((0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) })
    }

    /// A number of eight bytes, the most significant first.
    static func hex(_ number: UInt64) -> String {
        hex((0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) })
    }

    /// Bytes in hexadecimal and as text, in which a dot stands for what cannot be printed.
    static func bytes(_ bytes: [UInt8]) -> String {
        let printable = bytes.map { (0x20..<0x7F).contains($0) && $0 != 0x22 ? $0 : 0x2E }
        return "\(hex(bytes)) \"\(String(decoding: printable, as: UTF8.self))\""
    }

    /// An ordered key: its prefix, a colon, and the rest.
    static func key(_ ordered: [UInt8]) -> String {
        "\(hex(ordered.prefix(prefixSize))):\(bytes(Array(ordered.dropFirst(prefixSize))))"
    }

    /// The bounds of a range of ordered keys.
    static func range(_ lower: [UInt8], _ upper: [UInt8]?) -> String {
        "from \(key(lower)) " + (upper.map { "before \(key($0))" } ?? "to the end")
    }
}
