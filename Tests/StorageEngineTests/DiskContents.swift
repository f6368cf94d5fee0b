import FileSystems

extension InMemoryFileSystem {
    /// All bytes of all files below a directory, by path; directories have none.
    func contents(_ directory: String) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for name in try list(directory) {
            let path = directory == "/" ? "/\(name)" : "\(directory)/\(name)"
            if (try? list(path)) != nil {
                found[path + "/"] = []
                found.merge(try contents(path)) { first, _ in first }
            } else {
                found[path] = try bytes(path)
            }
        }
        return found
    }

    /// Puts a file of these bytes in the place of what is there.
    func write(_ bytes: [UInt8], to path: String) throws {
        if try exists(path) { try remove(path) }
        let file = try openForAppending(path, .createNew)
        try file.append(bytes.span.bytes)
        try file.sync()
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        try syncDirectory("/" + parent)
    }

    /// Changes bytes of a file.
    func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var content = try bytes(path)
        body(&content)
        try write(content, to: path)
    }
}
