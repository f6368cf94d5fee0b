package import ClusterPrimitives
import Foundation
import Partitioning
import Yams

/// Reads one mapping of a YAML file strictly: each key is asked for once, and `finish` reports
/// every key that nobody asked for.
///
/// Nothing is thrown on the way, so that all findings of a file come at once. A value that is
/// missing or wrong reads as nil and leaves a finding; the caller gives up after `finish`.
package struct YAMLSection {
    /// What was found wrong so far.
    package private(set) var findings: [ConfigurationFinding] = []
    /// The line of the mapping, from 1.
    package let line: Int?
    private let path: String
    private let mapping: Node.Mapping
    private var known: [String] = []

    /// The largest file that is read: 16 MiB.
    package static let maximumFileSize = 16 * 1024 * 1024

    /// The root mapping of a file.
    ///
    /// - Throws: a `ConfigurationError` when it cannot be read, is not YAML, or is no mapping.
    package init(file: String) throws(ConfigurationError) {
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw ConfigurationError(file: file, message: "cannot be opened; is the path right?")
        }
        defer { try? handle.close() }
        let data: Data
        do {
            data = try handle.read(upToCount: Self.maximumFileSize + 1) ?? Data()
        } catch {
            throw ConfigurationError(file: file, message: "cannot be read: \(error)")
        }
        guard data.count <= Self.maximumFileSize else {
            throw ConfigurationError(file: file, message: "is larger than 16 MiB")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError(file: file, message: "is not UTF-8 text")
        }
        try self.init(text: text, file: file)
    }

    /// The root mapping of a text.
    ///
    /// `file`: its name, for errors.
    /// - Throws: a `ConfigurationError` when it is not YAML or no mapping.
    package init(text: String, file: String) throws(ConfigurationError) {
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            throw ConfigurationError(file: file, findings: [Self.finding(of: error)])
        }
        guard let root, case .mapping(let mapping) = root else {
            throw ConfigurationError(
                file: file,
                message: "must be a YAML mapping of keys to values"
            )
        }
        self.init(mapping, path: "")
    }

    private init(_ mapping: Node.Mapping, path: String) {
        self.mapping = mapping
        self.path = path
        line = mapping.mark?.line
    }

    private static func finding(of error: any Error) -> ConfigurationFinding {
        guard let error = error as? YamlError else {
            return ConfigurationFinding(path: "", line: nil, message: "is not YAML: \(error)")
        }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ConfigurationFinding(
                path: "",
                line: mark.line,
                message: "is not YAML: \(problem)"
            )
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.sorted().joined(separator: ", ")
            return ConfigurationFinding(
                path: "",
                line: context.mark.line,
                message: "is given twice: \(names); keep one"
            )
        default:
            return ConfigurationFinding(path: "", line: nil, message: "is not YAML: \(error)")
        }
    }

    private func pathOf(_ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    /// Notes that the value of `key` is wrong.
    package mutating func report(_ key: String, _ message: String) {
        let line = mapping[key]?.mark?.line ?? line
        findings.append(
            ConfigurationFinding(path: pathOf(key), line: line, message: message)
        )
    }

    /// Whether the key is given; asking makes it known.
    package mutating func has(_ key: String) -> Bool {
        known.append(key)
        return mapping[key] != nil
    }

    /// The text of a key that must be there.
    package mutating func requiredString(_ key: String) -> String? {
        guard has(key) else {
            findings.append(
                ConfigurationFinding(path: pathOf(key), line: line, message: "is missing; add it")
            )
            return nil
        }
        return string(key)
    }

    /// The text of a key; nil where it is not given or wrong.
    package mutating func string(_ key: String) -> String? {
        known.append(key)
        guard let node = mapping[key] else { return nil }
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            report(key, "must be a text, and is \(Self.kind(of: node))")
            return nil
        }
        return scalar.string
    }

    /// A whole number of a key; nil where it is not given or wrong.
    package mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = string(key) else { return nil }
        guard let number = Int(text) else {
            report(key, "must be a whole number, and is '\(text)'")
            return nil
        }
        guard range.contains(number) else {
            report(
                key,
                "must be from \(range.lowerBound) to \(range.upperBound), and is \(number)"
            )
            return nil
        }
        return number
    }

    /// A number of bytes; nil where it is not given or wrong.
    package mutating func size(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = string(key) else { return nil }
        guard let size = ByteSize.bytes(of: text) else {
            report(
                key,
                "must be a size such as 65536, 64KiB, 16MiB or 1GiB, and is '\(text)'"
            )
            return nil
        }
        guard range.contains(size) else {
            report(
                key,
                "must be from \(ByteSize.text(of: range.lowerBound)) to "
                    + "\(ByteSize.text(of: range.upperBound)), and is \(text)"
            )
            return nil
        }
        return size
    }

    /// `true` or `false`; nil where it is not given or wrong.
    package mutating func flag(_ key: String) -> Bool? {
        guard let text = string(key) else { return nil }
        guard let value = Bool(text) else {
            report(key, "must be true or false, and is '\(text)'")
            return nil
        }
        return value
    }

    /// One of several words; nil where it is not given or wrong.
    package mutating func choice(_ key: String, of words: [String]) -> String? {
        guard let text = string(key) else { return nil }
        guard words.contains(text) else {
            let nearest = NearestName.of(text, among: words)
            let advice = nearest.map { "; did you mean '\($0)'?" } ?? ""
            report(
                key,
                "must be one of \(words.joined(separator: ", ")), and is '\(text)'\(advice)"
            )
            return nil
        }
        return text
    }

    /// A `host:port`; nil where it is not given or wrong.
    package mutating func endpoint(_ key: String) -> Endpoint? {
        guard let text = string(key) else { return nil }
        guard let endpoint = Endpoint(text) else {
            report(key, "must be host:port, such as 127.0.0.1:7400, and is '\(text)'")
            return nil
        }
        return endpoint
    }

    /// A list of texts; nil where it is not given or wrong.
    package mutating func strings(_ key: String) -> [String]? {
        known.append(key)
        guard let node = mapping[key] else { return nil }
        guard case .sequence(let sequence) = node else {
            report(key, "must be a list, and is \(Self.kind(of: node))")
            return nil
        }
        var texts: [String] = []
        for (index, element) in sequence.enumerated() {
            guard case .scalar(let scalar) = element, !scalar.string.isEmpty else {
                findings.append(
                    ConfigurationFinding(
                        path: "\(pathOf(key))[\(index)]",
                        line: element.mark?.line,
                        message: "must be a text, and is \(Self.kind(of: element))"
                    )
                )
                return nil
            }
            texts.append(scalar.string)
        }
        return texts
    }

    /// Has `body` read the mapping of a key, where it is given and right.
    package mutating func section(_ key: String, _ body: (inout YAMLSection) -> Void) {
        known.append(key)
        guard let node = mapping[key] else { return }
        guard case .mapping(let mapping) = node else {
            report(key, "must be a mapping, and is \(Self.kind(of: node))")
            return
        }
        var section = YAMLSection(mapping, path: pathOf(key))
        body(&section)
        section.reportUnknownKeys()
        findings += section.findings
    }

    /// The mappings of a list that must be there, each read by `body`; nil where the list is
    /// missing or wrong.
    package mutating func sections<Element>(
        _ key: String,
        _ body: (inout YAMLSection) -> Element?
    ) -> [Element]? {
        known.append(key)
        guard let node = mapping[key] else {
            findings.append(
                ConfigurationFinding(path: pathOf(key), line: line, message: "is missing; add it")
            )
            return nil
        }
        guard case .sequence(let sequence) = node else {
            report(key, "must be a list, and is \(Self.kind(of: node))")
            return nil
        }
        var elements: [Element] = []
        for (index, element) in sequence.enumerated() {
            let elementPath = "\(pathOf(key))[\(index)]"
            guard case .mapping(let mapping) = element else {
                findings.append(
                    ConfigurationFinding(
                        path: elementPath,
                        line: element.mark?.line,
                        message: "must be a mapping, and is \(Self.kind(of: element))"
                    )
                )
                continue
            }
            var section = YAMLSection(mapping, path: elementPath)
            if let read = body(&section) { elements.append(read) }
            section.reportUnknownKeys()
            findings += section.findings
        }
        return elements
    }

    /// Reports the keys that nobody asked for, each with the nearest one that exists.
    package mutating func reportUnknownKeys() {
        for (key, _) in mapping {
            guard case .scalar(let scalar) = key else {
                findings.append(
                    ConfigurationFinding(
                        path: path,
                        line: key.mark?.line,
                        message: "has a key that is no text"
                    )
                )
                continue
            }
            guard !known.contains(scalar.string) else { continue }
            let nearest = NearestName.of(scalar.string, among: known)
            let advice = nearest.map { "did you mean '\($0)'?" } ?? "remove it"
            findings.append(
                ConfigurationFinding(
                    path: pathOf(scalar.string),
                    line: key.mark?.line,
                    message: "is not a key of this file; \(advice)"
                )
            )
        }
    }

    /// Ends the reading of a file's root.
    ///
    /// - Throws: everything that was found, in the order of the file.
    package mutating func finish(file: String) throws(ConfigurationError) {
        reportUnknownKeys()
        guard findings.isEmpty else {
            let sorted = findings.enumerated().sorted { left, right in
                (left.element.line ?? 0, left.offset) < (right.element.line ?? 0, right.offset)
            }
            throw ConfigurationError(file: file, findings: sorted.map(\.element))
        }
    }

    private static func kind(of node: Node) -> String {
        switch node {
        case .scalar(let scalar): scalar.string.isEmpty ? "empty" : "'\(scalar.string)'"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
