extension InMemoryFileSystem {
    /// What a name stands for.
    enum Entry: Equatable, Sendable {
        case directory
        case file(Int)

        var file: Int? {
            if case .file(let number) = self { number } else { nil }
        }
    }

    /// A change of names that is not on the disk yet.
    enum Change: Sendable {
        case set(String, Entry)
        case remove(String)
        case rename(String, to: String, Entry)

        /// The directory whose sync puts the change on the disk.
        var directory: String {
            switch self {
            case .set(let path, _), .remove(let path), .rename(_, to: let path, _):
                InMemoryFileSystem.parent(path)
            }
        }

        /// The file it gives a name.
        var file: Int? {
            switch self {
            case .set(_, let entry), .rename(_, to: _, let entry): entry.file
            case .remove: nil
            }
        }

        /// Carries the change out on a table of names; returns the file that has a name more by it
        /// and the file that has one less.
        @discardableResult
        func apply(to names: inout [String: Entry]) -> (gaining: Int?, losing: Int?) {
            switch self {
            case .set(let path, let entry):
                return (entry.file, names.updateValue(entry, forKey: path)?.file)
            case .remove(let path):
                return (nil, names.removeValue(forKey: path)?.file)
            case .rename(let path, let target, let entry):
                let isMoved = names[path] == entry
                if isMoved { names[path] = nil }
                let old = names.updateValue(entry, forKey: target)
                return (isMoved ? nil : entry.file, old?.file)
            }
        }
    }

    /// All there is on the disk, seen and durable.
    struct State: Sendable {
        /// What a disk without a capacity says is free, in bytes.
        static let boundless = 1 << 60

        var files: [Int: File] = [:]
        var nextFile = 1
        var names: [String: Entry] = ["/": .directory, ".": .directory]
        var durableNames: [String: Entry] = ["/": .directory, ".": .directory]
        var changes: [Change] = []
        var locks: Set<String> = []
        var capacity: Int?
        var isReadOnly = false
        /// Bytes of the files that have a name or are open.
        var used = 0
        /// Files without a name, kept while they are open or a crash might bring them back.
        var nameless: [Int] = []

        /// Bytes that may still be written.
        var free: Int { capacity.map { max(0, $0 - used) } ?? Self.boundless }

        func file(
            _ path: String,
            _ operation: FileSystemError.Operation
        ) throws(FileSystemError) -> Int {
            switch names[path] {
            case .file(let number): return number
            case .directory:
                throw FileSystemError(operation, path, .failed, "is a directory")
            case nil:
                throw FileSystemError(operation, path, .notFound, "no such file")
            }
        }

        func requireWritable(
            _ operation: FileSystemError.Operation,
            _ path: String
        ) throws(FileSystemError) {
            guard isReadOnly else { return }
            throw FileSystemError(operation, path, .notPermitted, "the disk is read-only")
        }

        func requireParent(
            of path: String,
            _ operation: FileSystemError.Operation
        ) throws(FileSystemError) {
            guard names[parent(path)] != .directory else { return }
            throw FileSystemError(operation, path, .notFound, "no such directory")
        }

        mutating func change(_ change: Change) {
            let (gaining, losing) = change.apply(to: &names)
            if let gaining { keepingUsed(gaining) { $0.names += 1 } }
            if let losing {
                keepingUsed(losing) { $0.names -= 1 }
                if files[losing]?.names == 0 { nameless.append(losing) }
            }
            changes.append(change)
        }

        /// Takes note of a file that was opened (1) or closed (−1).
        mutating func countOpen(_ number: Int, _ added: Int) {
            keepingUsed(number) { $0.openCount += added }
        }

        /// Changes a file, and with it the bytes in use.
        mutating func keepingUsed(_ number: Int, _ body: (inout File) -> Void) {
            // One look-up, and the file is changed where it lies.
            let added = files[number]?.roomAdded(by: body)
            used += added ?? 0
        }

        /// Writes what there is room for to an open file; returns how many bytes that is.
        mutating func write(
            _ source: UnsafeRawBufferPointer,
            at offset: Int,
            to number: Int
        ) -> Int {
            var fitting = unsafe source
            if capacity != nil {
                let end = (files[number]?.bytes.count ?? 0) + free
                let count = max(0, min(source.count, end - offset))
                unsafe fitting = UnsafeRawBufferPointer(rebasing: source[..<count])
            }
            used += unsafe files[number]?.write(fitting, at: offset) ?? 0
            return fitting.count
        }

        /// Puts the changes of a directory's names on the disk.
        mutating func syncDirectory(_ path: String) {
            var remaining: [Change] = []
            for change in changes {
                guard change.directory == path else {
                    remaining.append(change)
                    continue
                }
                let (gaining, losing) = change.apply(to: &durableNames)
                if let gaining { files[gaining]?.durableNames += 1 }
                if let losing { files[losing]?.durableNames -= 1 }
            }
            changes = remaining
            if !nameless.isEmpty { forgetFiles() }
        }

        /// Forgets the files that no open file and no crash can bring back.
        private mutating func forgetFiles() {
            let changing = Set(changes.lazy.compactMap(\.file))
            var kept: [Int] = []
            for number in nameless {
                guard let file = files[number] else { continue }
                if file.isAlive || file.durableNames > 0 || changing.contains(number) {
                    kept.append(number)
                } else {
                    files[number] = nil
                }
            }
            nameless = kept
        }
    }

    /// The directory of a path.
    static func parent(_ path: String) -> String {
        guard let slash = lastSlash(path) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The path without its directory.
    static func lastName(_ path: String) -> String {
        guard let slash = lastSlash(path) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    private static func lastSlash(_ path: String) -> String.Index? {
        path.utf8.lastIndex(of: UInt8(ascii: "/"))
    }
}
