extension InMemoryFileSystem {
    /// What a name stands for.
    enum Entry: Equatable, Sendable {
        case directory
        case file(Int)
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

        /// The file that has a name more by it.
        var file: Int? {
            switch self {
            case .set(_, .file(let number)), .rename(_, to: _, .file(let number)): number
            default: nil
            }
        }

        /// Carries the change out on a table of names.
        func apply(to names: inout [String: Entry]) {
            switch self {
            case .set(let path, let entry):
                names[path] = entry
            case .remove(let path):
                names[path] = nil
            case .rename(let path, let target, let entry):
                if names[path] == entry { names[path] = nil }
                names[target] = entry
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
        var nameless: Set<Int> = []

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
            switch change {
            case .set(let path, let entry):
                let old = names[path]
                change.apply(to: &names)
                count(entry, 1)
                count(old, -1)
            case .remove(let path):
                let old = names[path]
                change.apply(to: &names)
                count(old, -1)
            case .rename(_, to: let target, _):
                let old = names[target]
                change.apply(to: &names)
                count(old, -1)
            }
            changes.append(change)
        }

        private mutating func count(_ entry: Entry?, _ added: Int) {
            guard case .file(let number) = entry else { return }
            keepingUsed(number) { $0.names += added }
            if files[number]?.names == 0 { nameless.insert(number) }
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

        /// Writes what there is room for; returns how many bytes that is.
        mutating func write(
            _ source: UnsafeRawBufferPointer,
            at offset: Int,
            to number: Int
        ) -> Int {
            let size = files[number]?.bytes.count ?? 0
            let isFitting = offset + source.count - size <= free
            let count = isFitting ? source.count : max(0, min(source.count, size + free - offset))
            guard count > 0 else { return 0 }
            keepingUsed(number) { file in
                unsafe file.write(UnsafeRawBufferPointer(rebasing: source[..<count]), at: offset)
            }
            return count
        }

        /// Puts the changes of a directory's names on the disk.
        mutating func syncDirectory(_ path: String) {
            var remaining: [Change] = []
            for change in changes {
                if change.directory == path {
                    change.apply(to: &durableNames)
                } else {
                    remaining.append(change)
                }
            }
            changes = remaining
            if !nameless.isEmpty { forgetFiles() }
        }

        /// Forgets the files that no name, open file or crash can bring back.
        private mutating func forgetFiles() {
            var reachable = Set(changes.compactMap(\.file))
            for case .file(let number) in durableNames.values { reachable.insert(number) }
            nameless = nameless.filter { number in
                guard files[number]?.isAlive == false, !reachable.contains(number) else {
                    return true
                }
                files[number] = nil
                return false
            }
        }
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
