internal import Synchronization

/// A disk in memory that knows what a crash could take from it.
///
/// It keeps apart what is written and what is synced: of each file the number of synced bytes and
/// the synced bytes that were written over since, and of the directories the changes since they
/// were synced. `crashClone` draws a disk as it might look after a crash. Truncation counts as
/// synced at once. The disk can be small, and it can turn read-only.
public final class InMemoryFileSystem: FileSystem {
    let state: Mutex<State>

    /// An empty disk.
    ///
    /// `capacity` is what all its files together may hold, in bytes; names take no room. Without
    /// one the disk does not get full.
    public init(capacity: Int? = nil) {
        var initial = State()
        initial.capacity = capacity
        state = Mutex(initial)
    }

    init(_ initial: sending State) {
        state = Mutex(initial)
    }

    /// Makes the disk larger or smaller; what is on it stays even if that is more.
    public func setCapacity(_ capacity: Int?) {
        state.withLock { $0.capacity = capacity }
    }

    /// Makes the disk refuse, or take again, all that would change it, with `notPermitted`.
    ///
    /// Files opened for writing before are refused as well. A sync with nothing to sync goes well.
    public func setReadOnly(_ isReadOnly: Bool) {
        state.withLock { $0.isReadOnly = isReadOnly }
    }

    /// Opens a file for appending.
    public func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        try openForAppending(path, creation, .openForAppending)
    }

    private func openForAppending(
        _ path: String,
        _ creation: FileCreation,
        _ operation: FileSystemError.Operation
    ) throws(FileSystemError) -> InMemoryWritableFile {
        let (number, size) = try state.withLock { state throws(FileSystemError) -> (Int, Int) in
            if creation == .createNew, state.names[path] != nil {
                throw FileSystemError(operation, path, .alreadyExists, "file exists")
            }
            if creation != .openExisting, state.names[path] == nil {
                try state.requireParent(of: path, operation)
                try state.requireWritable(operation, path)
                state.files[state.nextFile] = File()
                state.change(.set(path, .file(state.nextFile)))
                state.nextFile += 1
            }
            let number = try state.file(path, operation)
            try state.requireWritable(operation, path)
            state.countOpen(number, 1)
            return (number, state.files[number]?.bytes.count ?? 0)
        }
        return InMemoryWritableFile(disk: self, path: path, number: number, place: size)
    }

    /// Opens a file for writing over it.
    public func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        let number = try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .openForOverwriting)
            try state.requireWritable(.openForOverwriting, path)
            state.countOpen(number, 1)
            return number
        }
        return InMemoryWritableFile(disk: self, path: path, number: number, place: 0)
    }

    /// Opens a file for reading.
    public func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        let number = try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .openForReading)
            state.countOpen(number, 1)
            return number
        }
        return InMemoryRandomAccessFile(disk: self, path: path, number: number)
    }

    /// The names in a directory, sorted.
    public func list(_ directory: String) throws(FileSystemError) -> [String] {
        try state.withLock { state throws(FileSystemError) -> [String] in
            guard state.names[directory] == .directory else {
                throw FileSystemError(.list, directory, .notFound, "no such directory")
            }
            return state.names.keys
                .filter { $0 != directory && Self.parent($0) == directory && $0 != "." }
                .map(Self.lastName)
                .filter { !$0.isEmpty }
                .sorted()
        }
    }

    /// Gives a file another name.
    ///
    /// Does nothing if both names stand for the same file, as the machine's file systems do.
    public func rename(_ path: String, to target: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            let entry = Entry.file(try state.file(path, .rename))
            try state.requireParent(of: target, .rename)
            guard state.names[target] != .directory else {
                throw FileSystemError(.rename, path, .failed, "\(target) is a directory")
            }
            try state.requireWritable(.rename, path)
            guard state.names[target] != entry else { return }
            state.change(.rename(path, to: target, entry))
        }
    }

    /// Gives a file a second name.
    public func link(_ path: String, to target: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            guard state.names[path] != .directory else {
                throw FileSystemError(.link, path, .notPermitted, "is a directory")
            }
            let entry = Entry.file(try state.file(path, .link))
            try state.requireParent(of: target, .link)
            guard state.names[target] == nil else {
                throw FileSystemError(.link, target, .alreadyExists, "file exists")
            }
            try state.requireWritable(.link, path)
            state.change(.set(target, entry))
        }
    }

    /// Removes a name of a file, or an empty directory.
    public func remove(_ path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            guard let entry = state.names[path] else {
                throw FileSystemError(.remove, path, .notFound, "no such file")
            }
            if entry == .directory, state.names.keys.contains(where: { Self.parent($0) == path }) {
                throw FileSystemError(.remove, path, .failed, "directory not empty")
            }
            try state.requireWritable(.remove, path)
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
                try state.requireParent(of: path, .createDirectory)
                try state.requireWritable(.createDirectory, path)
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
            if state.isReadOnly, state.changes.contains(where: { $0.directory == path }) {
                try state.requireWritable(.syncDirectory, path)
            }
            state.syncDirectory(path)
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
            try state.requireWritable(.truncate, path)
            guard size >= 0 else {
                throw FileSystemError(.truncate, path, .failed, "the size is negative")
            }
            state.keepingUsed(number) { $0.truncate(to: size) }
        }
    }

    /// How many bytes may still be written; 2⁶⁰ on a disk without a capacity.
    public func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        try state.withLock { state throws(FileSystemError) in
            guard state.names[directory] != nil else {
                throw FileSystemError(.freeSpace, directory, .notFound, "no such directory")
            }
            return state.free
        }
    }

    /// Takes the exclusive lock on a path.
    public func lock(_ path: String) throws(FileSystemError) -> any FileLock {
        try openForAppending(path, .createIfMissing, .lock).close()
        let isFree = state.withLock { $0.locks.insert(path).inserted }
        guard isFree else {
            throw FileSystemError(.lock, path, .locked(holder: "this process"), "is locked")
        }
        return InMemoryFileLock(disk: self, path: path)
    }

    /// Turns one bit of a file, counted from the lowest of its first byte, as a failing disk might.
    ///
    /// Throws if the file has no such bit.
    public func flipBit(_ bit: Int, in path: String) throws(FileSystemError) {
        try state.withLock { state throws(FileSystemError) in
            let number = try state.file(path, .append)
            guard bit >= 0, bit / 8 < state.files[number]?.bytes.count ?? 0 else {
                throw FileSystemError(.append, path, .failed, "the file has no bit \(bit)")
            }
            state.files[number]?.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }
}
