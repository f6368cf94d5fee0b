internal import CSystemCalls
internal import Glibc

/// The files of the machine.
///
/// Files are made with mode 0600 and directories with 0700; descriptors do not outlive an `exec`.
/// Interrupted calls are taken up again, except `close`, which Linux has done by then.
public struct PosixFileSystem: FileSystem {
    /// The machine's file system.
    public init() {}

    /// Opens a file for appending.
    public func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile {
        let flags: Int32 =
            switch creation {
            case .createNew: O_CREAT | O_EXCL
            case .openExisting: 0
            case .createIfMissing: O_CREAT
            }
        // For reading too, since only such files can be mapped.
        let descriptor = try open(path, O_RDWR | flags, .openForAppending)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let error = failure(.openForAppending, path)
            _ = Glibc.close(descriptor)
            throw error
        }
        return PosixWritableFile(path: path, descriptor: descriptor, place: Int(status.st_size))
    }

    /// Opens a file for writing over it.
    public func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile {
        let descriptor = try open(path, O_WRONLY, .openForOverwriting)
        return PosixWritableFile(path: path, descriptor: descriptor, place: 0)
    }

    /// Opens a file for reading.
    public func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile {
        PosixRandomAccessFile(path: path, descriptor: try open(path, O_RDONLY, .openForReading))
    }

    /// The names in a directory, sorted.
    public func list(_ directory: String) throws(FileSystemError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw failure(.list, directory) }
        defer { unsafe _ = closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw failure(.list, directory) }
        return names.sorted()
    }

    /// Gives a file another name.
    public func rename(_ path: String, to target: String) throws(FileSystemError) {
        guard unsafe Glibc.rename(path, target) == 0 else { throw failure(.rename, path) }
    }

    /// Gives a file a second name.
    public func link(_ path: String, to target: String) throws(FileSystemError) {
        guard unsafe Glibc.link(path, target) == 0 else {
            throw failure(.link, errno == EEXIST ? target : path)
        }
    }

    /// Removes a file or an empty directory.
    public func remove(_ path: String) throws(FileSystemError) {
        guard unsafe Glibc.remove(path) == 0 else { throw failure(.remove, path) }
    }

    /// Makes a directory.
    public func createDirectory(_ path: String) throws(FileSystemError) {
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw failure(.createDirectory, path)
        }
    }

    /// Puts a directory's names on the disk.
    public func syncDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY, .syncDirectory)
        defer { _ = Glibc.close(descriptor) }
        guard retrying({ Int(fsync(descriptor)) }) == 0 else {
            throw failure(.syncDirectory, path)
        }
    }

    /// Size of a file.
    public func size(of path: String) throws(FileSystemError) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw failure(.status, path) }
        return Int(status.st_size)
    }

    /// Whether a file or directory bears this name.
    public func exists(_ path: String) throws(FileSystemError) -> Bool {
        var status = stat()
        if unsafe stat(path, &status) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw failure(.status, path) }
        return false
    }

    /// Cuts a file.
    public func truncate(_ path: String, to size: Int) throws(FileSystemError) {
        guard retrying({ unsafe Int(Glibc.truncate(path, off_t(size))) }) == 0 else {
            throw failure(.truncate, path)
        }
    }

    /// How many bytes this process may still write, by the file system's own count.
    public func freeSpace(at directory: String) throws(FileSystemError) -> Int {
        var status = statvfs()
        guard retrying({ unsafe Int(statvfs(directory, &status)) }) == 0 else {
            throw failure(.freeSpace, directory)
        }
        let bytes = UInt(status.f_bavail).multipliedReportingOverflow(by: UInt(status.f_frsize))
        return bytes.overflow ? .max : Int(clamping: bytes.partialValue)
    }

    /// Takes the exclusive lock on a file, which then names this process.
    public func lock(_ path: String) throws(FileSystemError) -> any FileLock {
        let descriptor = try open(path, O_RDWR | O_CREAT, .lock)
        guard retrying({ Int(flock(descriptor, LOCK_EX | LOCK_NB)) }) == 0 else {
            let error = failure(.lock, path)
            let isHeld = errno == EWOULDBLOCK
            let file = PosixRandomAccessFile(path: path, descriptor: descriptor)
            guard isHeld else { throw error }
            let holder = String(decoding: try file.read(at: 0, count: 64), as: UTF8.self)
            let name = holder.prefix { $0 != "\n" }
            throw FileSystemError(
                .lock,
                path,
                .locked(holder: name.isEmpty ? "another process" : String(name)),
                error.text
            )
        }
        let lock = PosixFileLock(descriptor: descriptor)
        let text = Array("process \(getpid())\n".utf8)
        guard
            retrying({ Int(ftruncate(descriptor, 0)) }) == 0,
            retrying({ unsafe pwrite(descriptor, text, text.count, 0) }) == text.count
        else { throw failure(.lock, path) }
        return lock
    }

    private func open(
        _ path: String,
        _ flags: Int32,
        _ operation: FileSystemError.Operation
    ) throws(FileSystemError) -> Int32 {
        let descriptor = retrying { unsafe Int(Glibc.open(path, flags | O_CLOEXEC, 0o600)) }
        guard descriptor >= 0 else { throw failure(operation, path) }
        return Int32(descriptor)
    }
}

private func retrying(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// The error of the call that just failed; leaves `errno` as it was.
private func failure(
    _ operation: FileSystemError.Operation,
    _ path: String
) -> FileSystemError {
    let code = errno
    defer { errno = code }
    let reason: FileSystemError.Reason =
        switch code {
        case ENOENT: .notFound
        case EEXIST: .alreadyExists
        case ENOSPC, EDQUOT: .noSpace
        case EACCES, EPERM, EROFS: .notPermitted
        default: .failed
        }
    let text = unsafe String(cString: strerror(code))
    return FileSystemError(operation, path, reason, "\(text) (errno \(code))")
}

/// A written file; its owner calls it from one thread at a time.
///
/// Unchecked because only that caller touches what changes.
private final class PosixWritableFile: PlacedFile, @unchecked Sendable {
    /// How many zeros one call writes.
    private static let zeroCount = 1 << 18
    /// From here on a call costs no more than storing to a mapping.
    private static let longestShort = 16 << 10
    /// Bytes that are given to the disk at once, long before a sync asks for them.
    private static let writeBackSize = 1 << 20

    private let path: String
    private var descriptor: Int32
    var place: Int
    /// Bytes that the file will have when there are no more short appends; 0 if none are expected.
    private var shortLimit = 0
    private var window: MappedWindow?
    /// The offset from which on the disk was given nothing yet.
    private var writtenBack: Int

    init(path: String, descriptor: Int32, place: Int) {
        self.path = path
        self.descriptor = descriptor
        self.place = place
        writtenBack = place
    }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    func append(_ bytes: RawSpan) throws(FileSystemError) {
        guard place < shortLimit, bytes.byteCount <= Self.longestShort else {
            try write(bytes, at: &place, .append)
            return writeBack()
        }
        let stored = unsafe bytes.withUnsafeBytes { unsafe store($0) }
        if stored < bytes.byteCount {
            try write(bytes.extracting(droppingFirst: stored), at: &place, .append)
        }
    }

    func expectShortAppends(upTo size: Int) { shortLimit = size }

    /// Stores bytes in the mapping, as many as it takes; once it refuses any it is not used again.
    private func store(_ bytes: UnsafeRawBufferPointer) -> Int {
        var stored = 0
        while stored < bytes.count, place < shortLimit {
            if place < window?.start ?? 0 || place >= window?.end ?? 0 {
                window = MappedWindow(of: descriptor, at: place, limit: shortLimit)
            }
            let count = min(bytes.count - stored, (window?.end ?? place) - place)
            let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[stored..<stored + count])
            guard unsafe window?.store(part, at: place) ?? false else {
                window = nil
                shortLimit = 0
                break
            }
            stored += count
            place += count
        }
        return stored
    }

    /// Lets the disk begin with a long piece that was appended, and waits for nothing.
    ///
    /// A sync of a long file then finds most of it done. A write that fails here is told by that
    /// sync.
    private func writeBack() {
        guard place - writtenBack >= Self.writeBackSize else { return }
        starling_write_back(descriptor, Int64(writtenBack), Int64(place - writtenBack))
        writtenBack = place
    }

    func extend(to size: Int) throws(FileSystemError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw failure(.extend, path) }
        var end = Int(status.st_size)
        guard end < size else { return }
        let zeros = [UInt8](repeating: 0, count: min(Self.zeroCount, size - end))
        while end < size {
            let part = zeros.span.bytes.extracting(first: min(zeros.count, size - end))
            try write(part, at: &end, .extend)
        }
    }

    /// Writes all bytes and moves `offset` behind each that is written.
    private func write(
        _ bytes: RawSpan,
        at offset: inout Int,
        _ operation: FileSystemError.Operation
    ) throws(FileSystemError) {
        var written = 0
        while written < bytes.byteCount {
            let (start, target) = (written, off_t(offset))
            let count = unsafe bytes.withUnsafeBytes { buffer in
                retrying {
                    unsafe pwrite(
                        descriptor,
                        buffer.baseAddress.map { unsafe $0 + start },
                        buffer.count - start,
                        target
                    )
                }
            }
            guard count > 0 else { throw failure(operation, path) }
            written += count
            offset += count
        }
    }

    func sync() throws(FileSystemError) {
        guard retrying({ Int(fdatasync(descriptor)) }) == 0 else { throw failure(.sync, path) }
    }

    func close() throws(FileSystemError) {
        guard descriptor >= 0 else { return }
        if window.take() != nil {
            // What was set aside and not used; it does no harm where it stays.
            _ = ftruncate(descriptor, off_t(place))
        }
        let result = Glibc.close(descriptor)
        descriptor = -1
        guard result == 0 || errno == EINTR else { throw failure(.close, path) }
    }
}

/// A file read by offset; the kernel keeps concurrent readers apart.
private final class PosixRandomAccessFile: RandomAccessFile {
    private let path: String
    private let descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { _ = Glibc.close(descriptor) }

    func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8] {
        var hasFailed = false
        let wanted = max(0, count)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            let part = unsafe UnsafeMutableRawBufferPointer(
                start: buffer.baseAddress,
                count: wanted
            )
            if let got = unsafe fill(part, from: offset) { filled = got } else { hasFailed = true }
        }
        if hasFailed { throw failure(.read, path) }
        return bytes
    }

    func read(
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileSystemError) -> Int {
        guard let count = unsafe fill(buffer, from: offset) else { throw failure(.read, path) }
        return count
    }

    func isInMemory(at offset: Int, count: Int) -> Bool {
        starling_is_in_memory(descriptor, Int64(offset), Int64(count)) != 0
    }

    /// Reads until the memory is full or the file ends; nil, with `errno` set, after a failure.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int) -> Int? {
        var filled = 0
        while filled < buffer.count {
            // The sum cannot overflow: the file reaches as far as it has been read.
            let (start, source) = (filled, off_t(offset + filled))
            let got = retrying {
                unsafe pread(
                    descriptor,
                    buffer.baseAddress.map { unsafe $0 + start },
                    buffer.count - start,
                    source
                )
            }
            if got < 0 { return nil }
            if got == 0 { break }
            filled += got
        }
        return filled
    }
}

/// A lock held by an open descriptor; the kernel gives it back when the process ends.
///
/// Unchecked because an engine releases it once, from the thread that closes it.
private final class PosixFileLock: FileLock, @unchecked Sendable {
    private var descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { release() }

    func release() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }
}
