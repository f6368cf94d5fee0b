import ClusterPrimitives
import Foundation

/// A key and its value, as `export` writes and `import` reads them: one JSON object a line.
struct DataRecord: Equatable {
    /// Why a line is no record.
    struct Malformed: Error, CustomStringConvertible {
        /// What is wrong.
        var description: String
    }

    /// The key.
    var key: [UInt8]
    /// The value.
    var value: [UInt8]

    /// A record of a key and a value.
    init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }

    /// Reads a line.
    init(line: [UInt8]) throws(Malformed) {
        let object: JSONValue
        do throws(JSONError) {
            object = try JSONParser.parse(line)
        } catch {
            throw Malformed(description: "no JSON: \(error)")
        }
        guard case .object(let members) = object else {
            throw Malformed(description: "no JSON object")
        }
        for member in members where member.name != "key" && member.name != "value" {
            throw Malformed(description: "unknown member \"\(member.name)\"")
        }
        key = try Self.bytes(object, "key")
        value = try Self.bytes(object, "value")
        guard !key.isEmpty else { throw Malformed(description: "the key is empty") }
        guard key.count <= Limits.keySize.upperBound else {
            throw Malformed(
                description: "the key has \(key.count) bytes, the most is "
                    + "\(Limits.keySize.upperBound)"
            )
        }
    }

    /// The record's line, without a newline.
    var line: String {
        JSONValue.object([("key", .bytes(key)), ("value", .bytes(value))]).text
    }

    private static func bytes(
        _ object: JSONValue,
        _ name: String
    ) throws(Malformed) -> [UInt8] {
        switch object[name] {
        case .string(let text)?:
            return Array(text.utf8)
        case .object(let members)?:
            guard members.count == 1, members[0].name == "base64",
                case .string(let text) = members[0].value, let data = Data(base64Encoded: text)
            else { break }
            return Array(data)
        case nil:
            throw Malformed(description: "\"\(name)\" is missing")
        default:
            break
        }
        throw Malformed(description: "\"\(name)\" is neither text nor {\"base64\": …}")
    }
}
