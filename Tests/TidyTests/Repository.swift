import Foundation

/// The files of this repository, by their paths from its root.
enum Repository {
    /// The folder that holds `Package.swift`.
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The text of a file, nil when there is none.
    static func text(_ path: String) -> String? {
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Whether a file or folder is there.
    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    /// Whether a folder is there.
    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(
            atPath: root.appending(path: path).path,
            isDirectory: &isFolder
        )
        return exists && isFolder.boolValue
    }

    /// All files below a folder, sorted; build products and data folders are left out.
    static func files(below folder: String = "", suffix: String = "") -> [String] {
        let skipped: Set = [".build", ".git", ".swiftpm", "starling-dev"]
        var found: [String] = []
        let names =
            (try? FileManager.default.contentsOfDirectory(
                atPath: root.appending(path: folder).path
            )) ?? []
        for name in names.sorted() where !skipped.contains(name) && !name.hasPrefix(".build") {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            if isFolder(path) {
                found += files(below: path, suffix: suffix)
            } else if name.hasSuffix(suffix) {
                found.append(path)
            }
        }
        return found
    }

    /// The folders directly below a folder, sorted.
    static func folders(in folder: String) -> [String] {
        let names =
            (try? FileManager.default.contentsOfDirectory(
                atPath: root.appending(path: folder).path
            )) ?? []
        return names.sorted().filter { isFolder("\(folder)/\($0)") }
    }
}
