internal import Synchronization

/// A file of the disk in memory, being written.
final class InMemoryWritableFile: PlacedFile {
    private let disk: InMemoryFileSystem
    private let path: String
    private let number: Int
    private let current: Mutex<(place: Int, isClosed: Bool)>

    /// Takes over one count of `number` as an open file.
    init(disk: InMemoryFileSystem, path: String, number: Int, place: Int) {
        self.disk = disk
        self.path = path
        self.number = number
        current = Mutex((place, false))
    }

    deinit { finish() }

    var place: Int {
        get { current.withLock { $0.place } }
        set { current.withLock { $0.place = newValue } }
    }

    func append(_ bytes: RawSpan) throws(FileSystemError) {
        let isFitting = try current.withLock { current throws(FileSystemError) in
            try requireOpen(current.isClosed, .append)
            let place = current.place
            let written = try unsafe bytes.withUnsafeBytes { source throws(FileSystemError) in
                try disk.state.withLock { state throws(FileSystemError) in
                    try state.requireWritable(.append, path)
                    return unsafe state.write(source, at: place, to: number)
                }
            }
            current.place += written
            return written == bytes.byteCount
        }
        if !isFitting { throw noSpace(.append) }
    }

    func extend(to size: Int) throws(FileSystemError) {
        try requireOpen(current.withLock { $0.isClosed }, .extend)
        let isFitting = try disk.state.withLock { state throws(FileSystemError) in
            let added = size - (state.files[number]?.bytes.count ?? 0)
            guard added > 0 else { return true }
            try state.requireWritable(.extend, path)
            let fitting = min(added, state.free)
            state.keepingUsed(number) { $0.bytes.appendZeros(fitting) }
            return fitting == added
        }
        if !isFitting { throw noSpace(.extend) }
    }

    func sync() throws(FileSystemError) {
        try requireOpen(current.withLock { $0.isClosed }, .sync)
        try disk.state.withLock { state throws(FileSystemError) in
            if state.isReadOnly, state.files[number]?.hasUnsynced == true {
                try state.requireWritable(.sync, path)
            }
            state.files[number]?.sync()
        }
    }

    func close() throws(FileSystemError) { finish() }

    private func requireOpen(
        _ isClosed: Bool,
        _ operation: FileSystemError.Operation
    ) throws(FileSystemError) {
        guard isClosed else { return }
        throw FileSystemError(operation, path, .failed, "the file is closed")
    }

    private func noSpace(_ operation: FileSystemError.Operation) -> FileSystemError {
        FileSystemError(operation, path, .noSpace, "the disk is full")
    }

    private func finish() {
        let isFirst = current.withLock { current in
            defer { current.isClosed = true }
            return !current.isClosed
        }
        if isFirst { disk.state.withLock { $0.countOpen(number, -1) } }
    }
}

/// A file of the disk in memory, being read.
final class InMemoryRandomAccessFile: RandomAccessFile {
    private let disk: InMemoryFileSystem
    private let path: String
    private let number: Int

    /// Takes over one count of `number` as an open file.
    init(disk: InMemoryFileSystem, path: String, number: Int) {
        self.disk = disk
        self.path = path
        self.number = number
    }

    deinit { disk.state.withLock { $0.countOpen(number, -1) } }

    func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8] {
        try check(offset)
        return disk.state.withLock { state in
            guard let bytes = state.files[number]?.bytes else { return [] }
            let end = offset + max(0, min(count, bytes.count - offset))
            return bytes.bytes(in: offset..<end)
        }
    }

    func read(
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileSystemError) -> Int {
        try check(offset)
        return disk.state.withLock { state in
            unsafe state.files[number]?.bytes.copy(from: offset, into: buffer) ?? 0
        }
    }

    private func check(_ offset: Int) throws(FileSystemError) {
        guard offset >= 0 else {
            throw FileSystemError(.read, path, .failed, "the offset is negative")
        }
    }
}

/// A held lock of the disk in memory.
final class InMemoryFileLock: FileLock {
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
