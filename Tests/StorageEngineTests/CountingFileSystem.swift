import FileSystems
import Synchronization

/// A disk that counts the bytes that are read from it.
final class CountingFileSystem: FileSystem {
    private let base: any FileSystem
    private let count = Mutex(0)

    init(_ base: any FileSystem) { self.base = base }

    /// Bytes read since the last reset.
    var bytesRead: Int { count.withLock(\.self) }

    func reset() { count.withLock { $0 = 0 } }

    fileprivate func add(_ bytes: Int) { count.withLock { $0 += bytes } }

    func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        try base.openForAppending(path, creation)
    }

    func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        try base.openForOverwriting(path)
    }

    func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        CountingFile(disk: self, base: try base.openForReading(path))
    }

    func list(_ directory: String) throws(FileSystemError) -> [String] {
        try base.list(directory)
    }

    func rename(_ path: String, to target: String) throws(FileSystemError) {
        try base.rename(path, to: target)
    }

    func link(_ path: String, to target: String) throws(FileSystemError) {
        try base.link(path, to: target)
    }

    func remove(_ path: String) throws(FileSystemError) { try base.remove(path) }

    func createDirectory(_ path: String) throws(FileSystemError) {
        try base.createDirectory(path)
    }

    func syncDirectory(_ path: String) throws(FileSystemError) { try base.syncDirectory(path) }

    func size(of path: String) throws(FileSystemError) -> Int { try base.size(of: path) }

    func exists(_ path: String) throws(FileSystemError) -> Bool { try base.exists(path) }

    func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        try base.truncate(path, to: size)
    }

    func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        try base.freeSpace(at: directory)
    }

    func lock(_ path: String) throws(FileSystemError) -> any FileLock { try base.lock(path) }

    private final class CountingFile: RandomAccessFile {
        private let disk: CountingFileSystem
        private let base: any RandomAccessFile

        init(disk: CountingFileSystem, base: any RandomAccessFile) {
            self.disk = disk
            self.base = base
        }

        func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8] {
            let bytes = try base.read(at: offset, count: count)
            disk.add(bytes.count)
            return bytes
        }

        func read(
            at offset: Int,
            into buffer: UnsafeMutableRawBufferPointer
        ) throws(FileSystemError) -> Int {
            let read = unsafe try base.read(at: offset, into: buffer)
            disk.add(read)
            return read
        }
    }
}
