internal import Synchronization

/// A file system whose calls go wrong by rule.
public final class FaultyFileSystem: FileSystem {
    private let base: any FileSystem
    private let rules = Mutex<[(rule: FaultRule, seen: Int)]>([])

    /// Lets calls through to `base` until a rule stops them.
    public init(_ base: any FileSystem) {
        self.base = base
    }

    /// Adds a rule; its count begins now, and earlier rules are asked first.
    public func add(_ rule: FaultRule) {
        rules.withLock { $0.append((rule, 0)) }
    }

    /// Takes all rules away.
    public func removeRules() {
        rules.withLock { $0 = [] }
    }

    private func effect(
        _ operation: FileSystemError.Operation,
        _ path: String
    ) -> FaultRule.Effect? {
        rules.withLock { rules in
            var effect: FaultRule.Effect?
            for index in rules.indices {
                let rule = rules[index].rule
                guard
                    rule.operation == operation,
                    rule.pathPart.isEmpty || path.contains(rule.pathPart)
                else { continue }
                rules[index].seen += 1
                let turn = rules[index].seen - rule.first
                if turn >= 0, turn < rule.times, effect == nil { effect = rule.effect }
            }
            return effect
        }
    }

    func check(
        _ operation: FileSystemError.Operation,
        _ path: String
    ) throws(FileSystemError) -> FaultRule.Effect? {
        switch effect(operation, path) {
        case .inputOutputError:
            throw FileSystemError(operation, path, .failed, "Input/output error (errno 5)")
        case .noSpace:
            throw Self.noSpace(operation, path)
        case .shortWrite(let bytes):
            guard operation == .append else { throw Self.noSpace(operation, path) }
            return .shortWrite(bytes: bytes)
        case let effect:
            return effect
        }
    }

    static func noSpace(
        _ operation: FileSystemError.Operation,
        _ path: String
    ) -> FileSystemError {
        FileSystemError(operation, path, .noSpace, "No space left on device (errno 28)")
    }

    /// Opens a file for appending.
    public func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        _ = try check(.openForAppending, path)
        let file = try base.openForAppending(path, creation)
        return FaultyWritableFile(disk: self, path: path, base: file)
    }

    /// Opens a file for writing over it.
    public func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        _ = try check(.openForOverwriting, path)
        let file = try base.openForOverwriting(path)
        return FaultyWritableFile(disk: self, path: path, base: file)
    }

    /// Opens a file for reading.
    public func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        _ = try check(.openForReading, path)
        let file = try base.openForReading(path)
        return FaultyRandomAccessFile(disk: self, path: path, base: file)
    }

    /// The names in a directory, sorted.
    public func list(_ directory: String) throws(FileSystemError) -> [String] {
        _ = try check(.list, directory)
        return try base.list(directory)
    }

    /// Gives a file another name.
    public func rename(_ path: String, to target: String) throws(FileSystemError) {
        _ = try check(.rename, path)
        try base.rename(path, to: target)
    }

    /// Gives a file a second name.
    public func link(_ path: String, to target: String) throws(FileSystemError) {
        _ = try check(.link, path)
        try base.link(path, to: target)
    }

    /// Removes a file or an empty directory.
    public func remove(_ path: String) throws(FileSystemError) {
        _ = try check(.remove, path)
        try base.remove(path)
    }

    /// Makes a directory.
    public func createDirectory(_ path: String) throws(FileSystemError) {
        _ = try check(.createDirectory, path)
        try base.createDirectory(path)
    }

    /// Puts a directory's names on the disk.
    public func syncDirectory(_ path: String) throws(FileSystemError) {
        guard try check(.syncDirectory, path) != .lyingSync else { return }
        try base.syncDirectory(path)
    }

    /// Size of a file.
    public func size(of path: String) throws(FileSystemError) -> Int {
        _ = try check(.status, path)
        return try base.size(of: path)
    }

    /// Whether a file or directory bears this name.
    public func exists(_ path: String) throws(FileSystemError) -> Bool {
        _ = try check(.status, path)
        return try base.exists(path)
    }

    /// Cuts a file.
    public func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        _ = try check(.truncate, path)
        try base.truncate(path, to: size)
    }

    /// How many bytes may still be written.
    public func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        _ = try check(.freeSpace, directory)
        return try base.freeSpace(at: directory)
    }

    /// Takes the exclusive lock on a file.
    public func lock(_ path: String) throws(FileSystemError) -> any FileLock {
        _ = try check(.lock, path)
        return try base.lock(path)
    }
}
