internal import Synchronization

/// A disk in memory that knows what a crash could take from it.
///
/// It keeps apart what is written and what is synced: of each file the number of synced bytes, and
/// of the directories the changes since they were synced. `crashClone` draws a disk as it might
/// look after a crash. Truncation counts as synced at once.
public final class InMemoryFileSystem: FileSystem {
    let state: Mutex<State>

    /// An empty disk.
    public init() {
        state = Mutex(State())
    }

    init(_ initial: sending State) {
        state = Mutex(initial)
    }

    /// The bytes of a file and how many of them are synced.
    struct File: Sendable {
        var bytes: [UInt8] = []
        var syncedCount = 0
    }

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
        var files: [Int: File] = [:]
        var nextFile = 1
        var names: [String: Entry] = ["/": .directory, ".": .directory]
        var durableNames: [String: Entry] = ["/": .directory, ".": .directory]
        var changes: [Change] = []
        var locks: Set<String> = []

        mutating func change(_ change: Change) {
            change.apply(to: &names)
            changes.append(change)
        }

        func file(
            _ path: String,
            _ operation: FileSystemError.Operation
        ) throws(FileSystemError) -> Int {
            guard case .file(let number) = names[path] else {
                throw FileSystemError(operation, path, .notFound, "no such file")
            }
            return number
        }
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Opens a file for appending.
    public func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        let number = try state.withLock { state throws(FileSystemError) -> Int in
            switch state.names[path] {
            case .file(let number):
                guard creation != .createNew else {
                    throw FileSystemError(.openForAppending, path, .alreadyExists, "file exists")
                }
                return number
            case .directory:
                throw FileSystemError(.openForAppending, path, .failed, "is a directory")
            case nil:
                guard
                    creation != .openExisting,
                    state.names[Self.parent(path)] == .directory
                else {
                    throw FileSystemError(.openForAppending, path, .notFound, "no such file")
                }
                let number = state.nextFile
                state.nextFile += 1
                state.files[number] = File()
                state.change(.set(path, .file(number)))
                return number
            }
        }
        return InMemoryWritableFile(disk: self, path: path, number: number)
    }

    /// Opens a file for reading.
    public func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        let number = try state.withLock { state throws(FileSystemError) in
            try state.file(path, .openForReading)
        }
        return InMemoryRandomAccessFile(disk: self, number: number)
    }

    /// The names in a directory, sorted.
    public func list(_ directory: String) throws(FileSystemError) -> [String] {
        try state.withLock { state throws(FileSystemError) -> [String] in
            guard state.names[directory] == .directory else {
                throw FileSystemError(.list, directory, .notFound, "no such directory")
            }
            return state.names.keys
                .filter { $0 != directory && Self.parent($0) == directory && $0 != "." }
                .map {
                    String($0[($0.lastIndex(of: "/").map($0.index(after:)) ?? $0.startIndex)...])
                }
                .filter { !$0.isEmpty }
                .sorted()
        }
    }

    /// Gives a file another name.
    public func rename(_ path: String, to target: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .rename)
            state.change(.rename(path, to: target, .file(number)))
        }
    }

    /// Removes a file or an empty directory.
    public func remove(_ path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            guard let entry = state.names[path] else {
                throw FileSystemError(.remove, path, .notFound, "no such file")
            }
            if entry == .directory, state.names.keys.contains(where: { Self.parent($0) == path }) {
                throw FileSystemError(.remove, path, .failed, "directory not empty")
            }
            state.change(.remove(path))
        }
    }

    /// Makes a directory.
    public func createDirectory(_ path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            switch state.names[path] {
            case .directory: return
            case .file:
                throw FileSystemError(.createDirectory, path, .alreadyExists, "is a file")
            case nil:
                guard state.names[Self.parent(path)] == .directory else {
                    throw FileSystemError(.createDirectory, path, .notFound, "no parent")
                }
                state.change(.set(path, .directory))
            }
        }
    }

    /// Puts a directory's names on the disk.
    public func syncDirectory(_ path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            guard state.names[path] == .directory else {
                throw FileSystemError(.syncDirectory, path, .notFound, "no such directory")
            }
            var remaining: [Change] = []
            for change in state.changes {
                if change.directory == path {
                    change.apply(to: &state.durableNames)
                } else {
                    remaining.append(change)
                }
            }
            state.changes = remaining
        }
    }

    /// Size of a file.
    public func size(of path: String) throws(FileSystemError) -> Int {
        try state.withLock { state throws(FileSystemError) in
            state.files[try state.file(path, .status)]?.bytes.count ?? 0
        }
    }

    /// Whether a file or directory bears this name.
    public func exists(_ path: String) throws(FileSystemError) -> Bool {
        state.withLock { $0.names[path] != nil }
    }

    /// Cuts a file.
    public func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .truncate)
            guard var file = state.files.removeValue(forKey: number) else { return }
            file.bytes.removeLast(max(0, file.bytes.count - size))
            file.syncedCount = min(file.syncedCount, file.bytes.count)
            state.files[number] = file
        }
    }

    /// Takes the exclusive lock on a path.
    public func lock(_ path: String) throws(FileSystemError) -> any FileLock {
        try openForAppending(path, .createIfMissing).close()
        let isFree = state.withLock { $0.locks.insert(path).inserted }
        guard isFree else {
            throw FileSystemError(.lock, path, .locked(holder: "this process"), "is locked")
        }
        return InMemoryFileLock(disk: self, path: path)
    }

    /// Turns one bit of a file, counted from the lowest of its first byte, as a failing disk might.
    public func flipBit(_ bit: Int, in path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .append)
            state.files[number]?.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }
}

/// A file of the disk in memory, being appended to.
private final class InMemoryWritableFile: WritableFile {
    private let disk: InMemoryFileSystem
    private let path: String
    private let number: Int

    init(disk: InMemoryFileSystem, path: String, number: Int) {
        self.disk = disk
        self.path = path
        self.number = number
    }

    func append(_ bytes: RawSpan) throws(FileSystemError) {
        let copy = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        disk.state.withLock { $0.files[number]?.bytes.append(contentsOf: copy) }
    }

    func sync() throws(FileSystemError) {
        disk.state.withLock { state in
            let count = state.files[number]?.bytes.count ?? 0
            state.files[number]?.syncedCount = count
        }
    }

    func close() throws(FileSystemError) {}
}

/// A file of the disk in memory, being read.
private final class InMemoryRandomAccessFile: RandomAccessFile {
    private let disk: InMemoryFileSystem
    private let number: Int

    init(disk: InMemoryFileSystem, number: Int) {
        self.disk = disk
        self.number = number
    }

    func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8] {
        disk.state.withLock { state in
            guard let bytes = state.files[number]?.bytes, offset < bytes.count else { return [] }
            return Array(bytes[offset..<min(bytes.count, offset + count)])
        }
    }
}

/// A held lock of the disk in memory.
private final class InMemoryFileLock: FileLock {
    private let disk: InMemoryFileSystem
    private let path: String
    private let isReleased = Mutex(false)

    init(disk: InMemoryFileSystem, path: String) {
        self.disk = disk
        self.path = path
    }

    deinit { release() }

    func release() {
        let isFirst = isReleased.withLock { released in
            defer { released = true }
            return !released
        }
        guard isFirst else { return }
        disk.state.withLock { _ = $0.locks.remove(path) }
    }
}
