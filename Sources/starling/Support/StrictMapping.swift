import ClusterPrimitives
import StarlingClient
import Yams

/// A YAML mapping that is read key by key and refuses what nobody asked for.
///
/// Every refusal names the file and the key's path, and exits with 78.
struct StrictMapping {
    private let file: String
    private let path: String
    private let mapping: Node.Mapping
    private var known: [String] = []

    /// The mapping at the top of a file.
    static func top(of text: String, file: String) throws -> StrictMapping {
        let node: Node?
        do {
            node = try compose(yaml: text)
        } catch {
            throw CommandError.configuration("\(file) is not YAML: \(error)")
        }
        guard let node else { throw CommandError.configuration("\(file) is empty.") }
        return try StrictMapping(node, path: "", file: file)
    }

    private init(_ node: Node, path: String, file: String) throws {
        guard let mapping = node.mapping else {
            throw CommandError.configuration(
                "\(file): \(path.isEmpty ? "the file" : path) must be a mapping of keys."
            )
        }
        self.file = file
        self.path = path
        self.mapping = mapping
    }

    private func name(_ key: String) -> String { path.isEmpty ? key : path + "." + key }

    private mutating func node(_ key: String) -> Node? {
        known.append(key)
        return mapping[key]
    }

    /// The text of a key; nil when the key is absent.
    mutating func optionalString(_ key: String) throws -> String? {
        guard let node = node(key) else { return nil }
        guard let text = node.scalar?.string else {
            throw CommandError.configuration("\(file): \(name(key)) must be text.")
        }
        return text
    }

    /// The text of a key that must be there.
    mutating func string(_ key: String) throws -> String {
        guard let text = try optionalString(key), !text.isEmpty else {
            throw CommandError.configuration("\(file): \(name(key)) is missing.")
        }
        return text
    }

    /// The mapping of a key that must be there.
    mutating func mapping(_ key: String) throws -> StrictMapping {
        guard let node = node(key) else {
            throw CommandError.configuration("\(file): \(name(key)) is missing.")
        }
        return try StrictMapping(node, path: name(key), file: file)
    }

    /// The mappings in the list of a key that must be there.
    mutating func mappings(_ key: String) throws -> [StrictMapping] {
        guard let sequence = node(key)?.sequence else {
            throw CommandError.configuration("\(file): \(name(key)) must be a list.")
        }
        return try sequence.enumerated().map { index, node in
            try StrictMapping(node, path: "\(name(key))[\(index)]", file: file)
        }
    }

    /// All keys, in the order of the file.
    var keys: [String] { mapping.keys.compactMap(\.scalar?.string) }

    /// Refuses keys that nobody asked for.
    func finish() throws {
        for key in keys where !known.contains(key) {
            let nearest = NearestName.of(key, among: known)
            throw CommandError.configuration(
                "\(file): unknown key '\(name(key))'.",
                advice: nearest.map { "Did you mean '\($0)'?" }
                    ?? "Known here: \(known.sorted().joined(separator: ", "))."
            )
        }
    }
}
