/// The names of an engine's files, all under its directory.
///
///     LOCK   MANIFEST   MANIFEST.tmp   log/NNNNNN.log   log/NNNNNN.spare
///     <tree>/NNNNNN.sst   <tree>/NNNNNN.tmp
enum FileNames {
    static func lock(_ directory: String) -> String { "\(directory)/LOCK" }
    static func manifest(_ directory: String) -> String { "\(directory)/MANIFEST" }
    static func temporaryManifest(_ directory: String) -> String { "\(directory)/MANIFEST.tmp" }
    static func logDirectory(_ directory: String) -> String { "\(directory)/log" }
    static func treeDirectory(_ tree: UInt32, in directory: String) -> String {
        "\(directory)/\(tree)"
    }
    static func segment(_ number: UInt64, in directory: String) -> String {
        "\(directory)/log/\(padded(number)).log"
    }
    static func table(_ number: UInt64, tree: UInt32, in directory: String) -> String {
        "\(directory)/\(tree)/\(padded(number)).sst"
    }
    static func temporaryTable(_ number: UInt64, tree: UInt32, in directory: String) -> String {
        "\(directory)/\(tree)/\(padded(number)).tmp"
    }

    /// Whether a name in the engine's directory is one of its own, besides those of trees.
    static func isOwn(_ name: String) -> Bool {
        ["LOCK", "MANIFEST", "MANIFEST.tmp", "log"].contains(name)
    }

    /// Whether a name in the log's directory is a segment's or a spare's.
    static func isOwnLog(_ name: String) -> Bool {
        number(name, suffix: ".log") != nil || number(name, suffix: ".spare") != nil
    }

    /// A directory's path without the slashes at its end.
    static func normalized(_ directory: String) -> String {
        var path = directory[...]
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }

    /// The tree that a directory's name stands for, or nil for any other name.
    static func tree(_ name: String) -> UInt32? {
        UInt32(name).flatMap { String($0) == name ? $0 : nil }
    }

    /// The directory in which a directory's name lies.
    static func parent(of directory: String) -> String {
        let path = normalized(directory)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    /// Numbers from here on are none of an engine's, so that counting on never overflows.
    static let numberLimit: UInt64 = 1 << 62

    /// The number in a name such as `000017.log`, or nil for any other name.
    static func number(_ name: String, suffix: String) -> UInt64? {
        guard name.hasSuffix(suffix) else { return nil }
        let digits = name.dropLast(suffix.count)
        guard let number = UInt64(digits), number < numberLimit, padded(number) == digits
        else { return nil }
        return number
    }
}
