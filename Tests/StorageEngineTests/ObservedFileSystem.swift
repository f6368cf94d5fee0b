import FileSystems
import Synchronization

/// A disk that calls a watcher after each call that changes something, failed or not.
final class ObservedFileSystem: FileSystem {
    private let base: any FileSystem
    private let watcher = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ base: any FileSystem) {
        self.base = base
    }

    func watch(_ body: (@Sendable () -> Void)?) {
        watcher.withLock { $0 = body }
    }

    fileprivate func watched<R>(
        _ body: () throws(FileSystemError) -> R
    ) throws(FileSystemError) -> R {
        defer { watcher.withLock(\.self)?() }
        return try body()
    }

    func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        let file = try watched { () throws(FileSystemError) in
            try base.openForAppending(path, creation)
        }
        return ObservedWritableFile(disk: self, base: file)
    }

    func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        ObservedWritableFile(disk: self, base: try base.openForOverwriting(path))
    }

    func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        try base.openForReading(path)
    }

    func list(_ directory: String) throws(FileSystemError) -> [String] {
        try base.list(directory)
    }

    func rename(_ path: String, to target: String) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.rename(path, to: target) }
    }

    func link(_ path: String, to target: String) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.link(path, to: target) }
    }

    func remove(_ path: String) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.remove(path) }
    }

    func createDirectory(_ path: String) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.createDirectory(path) }
    }

    func syncDirectory(_ path: String) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.syncDirectory(path) }
    }

    func size(of path: String) throws(FileSystemError) -> Int { try base.size(of: path) }

    func exists(_ path: String) throws(FileSystemError) -> Bool { try base.exists(path) }

    func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        try watched { () throws(FileSystemError) in try base.truncate(path, to: size) }
    }

    func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        try base.freeSpace(at: directory)
    }

    func lock(_ path: String) throws(FileSystemError) -> any FileLock { try base.lock(path) }
}

/// A file of an observed disk.
private final class ObservedWritableFile: WritableFile {
    private let disk: ObservedFileSystem
    private let base: any WritableFile

    init(disk: ObservedFileSystem, base: any WritableFile) {
        self.disk = disk
        self.base = base
    }

    func append(_ bytes: RawSpan) throws(FileSystemError) {
        let copy = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        try disk.watched { () throws(FileSystemError) in try base.append(copy.span.bytes) }
    }

    func extend(to size: Int) throws(FileSystemError) {
        try disk.watched { () throws(FileSystemError) in try base.extend(to: size) }
    }

    func rewind(to offset: Int) throws(FileSystemError) { try base.rewind(to: offset) }

    func sync() throws(FileSystemError) {
        try disk.watched { () throws(FileSystemError) in try base.sync() }
    }

    func close() throws(FileSystemError) { try base.close() }
}
