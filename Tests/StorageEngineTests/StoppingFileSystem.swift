import FileSystems
import Synchronization

/// A disk whose machine stops after a number of calls: the next one and all behind it fail.
final class StoppingFileSystem: FileSystem {
    private let base: any FileSystem
    private let left: Mutex<Int>

    init(_ base: any FileSystem, after calls: Int) {
        self.base = base
        left = Mutex(calls)
    }

    /// Whether the machine has stopped.
    var hasStopped: Bool { left.withLock { $0 < 0 } }

    func count(_ operation: FileSystemError.Operation, _ path: String) throws(FileSystemError) {
        let isRunning = left.withLock { left in
            if left >= 0 { left -= 1 }
            return left >= 0
        }
        guard isRunning else {
            throw FileSystemError(operation, path, .failed, "the machine has stopped")
        }
    }

    func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        try count(.openForAppending, path)
        return Writable(disk: self, path, try base.openForAppending(path, creation))
    }

    func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        try count(.openForOverwriting, path)
        return Writable(disk: self, path, try base.openForOverwriting(path))
    }

    func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        try base.openForReading(path)
    }

    func list(_ directory: String) throws(FileSystemError) -> [String] {
        try base.list(directory)
    }

    func rename(_ path: String, to target: String) throws(FileSystemError) {
        try count(.rename, path)
        try base.rename(path, to: target)
    }

    func remove(_ path: String) throws(FileSystemError) {
        try count(.remove, path)
        try base.remove(path)
    }

    func link(_ path: String, to target: String) throws(FileSystemError) {
        try count(.link, path)
        try base.link(path, to: target)
    }

    func createDirectory(_ path: String) throws(FileSystemError) {
        try count(.createDirectory, path)
        try base.createDirectory(path)
    }

    func syncDirectory(_ path: String) throws(FileSystemError) {
        try count(.syncDirectory, path)
        try base.syncDirectory(path)
    }

    func size(of path: String) throws(FileSystemError) -> Int { try base.size(of: path) }

    func exists(_ path: String) throws(FileSystemError) -> Bool { try base.exists(path) }

    func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        try base.freeSpace(at: directory)
    }

    func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        try count(.truncate, path)
        try base.truncate(path, to: size)
    }

    func lock(_ path: String) throws(FileSystemError) -> any FileLock { try base.lock(path) }

    private final class Writable: WritableFile {
        private let disk: StoppingFileSystem
        private let path: String
        private let base: any WritableFile

        init(disk: StoppingFileSystem, _ path: String, _ base: any WritableFile) {
            self.disk = disk
            self.path = path
            self.base = base
        }

        func append(_ bytes: RawSpan) throws(FileSystemError) {
            try disk.count(.append, path)
            try base.append(bytes)
        }

        func rewind(to offset: Int) throws(FileSystemError) {
            try base.rewind(to: offset)
        }

        func extend(to size: Int) throws(FileSystemError) {
            try disk.count(.extend, path)
            try base.extend(to: size)
        }

        func sync() throws(FileSystemError) {
            try disk.count(.sync, path)
            try base.sync()
        }

        func close() throws(FileSystemError) { try base.close() }
    }
}
