/// What an engine needs of a disk.
///
/// Paths are absolute or relative to where the implementation stands, with `/` between names. What
/// is written is on the disk only after `WritableFile.sync`, and a name (of a new, renamed or
/// removed file) only after `syncDirectory` of its directory. All calls may come from any thread.
public protocol FileSystem: Sendable {
    /// Opens a file for appending.
    ///
    /// - Throws: `alreadyExists` or `notFound`, as `creation` has it; any other failure.
    func openForAppending(
        _ path: String,
        _ creation: FileCreation
    ) throws(FileSystemError) -> any WritableFile

    /// Opens a file that is there; writing begins at its first byte and goes over what is there.
    ///
    /// The file keeps its size until more is written than it holds. A crash before `sync` leaves
    /// of each sector written over the old bytes, the new ones, or neither.
    func openForOverwriting(_ path: String) throws(FileSystemError) -> any WritableFile

    /// Opens a file for reading at any offset.
    func openForReading(_ path: String) throws(FileSystemError) -> any RandomAccessFile

    /// The names in a directory, sorted by their bytes, without `.` and `..`.
    func list(_ directory: String) throws(FileSystemError) -> [String]

    /// Gives a file another name, replacing what bears it, in one step.
    func rename(_ path: String, to target: String) throws(FileSystemError)

    /// Gives a file a second name (hard link); both stand for the same bytes from then on.
    ///
    /// Removing one name leaves the other. The new name is on the disk after `syncDirectory` of
    /// its directory.
    ///
    /// - Throws: `alreadyExists` if `target` bears a file; `notFound` if `path` bears none or
    ///   `target` has no directory; `notPermitted` for a directory.
    func link(_ path: String, to target: String) throws(FileSystemError)

    /// Removes a name of a file, or an empty directory; files open by then stay readable.
    func remove(_ path: String) throws(FileSystemError)

    /// Makes a directory; does nothing if it is there.
    func createDirectory(_ path: String) throws(FileSystemError)

    /// Puts the names in a directory on the disk.
    func syncDirectory(_ path: String) throws(FileSystemError)

    /// Size of a file in bytes.
    func size(of path: String) throws(FileSystemError) -> Int

    /// Whether a file or directory bears this name.
    func exists(_ path: String) throws(FileSystemError) -> Bool

    /// Cuts a file to its first `size` bytes.
    func truncate(_ path: String, to size: Int) throws(FileSystemError)

    /// How many bytes may still be written to the disk a directory is on, by this process.
    ///
    /// An estimate where others write to the same disk.
    func freeSpace(at directory: String) throws(FileSystemError) -> Int

    /// Takes the exclusive lock on a file, making the file if need be, without waiting.
    ///
    /// - Throws: `locked` with the holder, if it is held, by this process or another.
    func lock(_ path: String) throws(FileSystemError) -> any FileLock
}

/// Whether opening a file for appending makes it.
public enum FileCreation: Sendable {
    /// The file must not exist.
    case createNew
    /// The file must exist.
    case openExisting
    /// The file is made if it does not exist.
    case createIfMissing
}

/// A file that is written from one place on; closed at the latest when it is released.
///
/// The place is the file's end or, opened for overwriting, its first byte. One thread at a time
/// calls it; of two that write to one file at once each goes by its own place.
public protocol WritableFile: AnyObject, Sendable {
    /// Writes bytes behind those written last, over what is there; after a failure any part of
    /// them may be there.
    func append(_ bytes: RawSpan) throws(FileSystemError)

    /// Makes the file at least `size` bytes long with zeros behind its end.
    ///
    /// The zeros are written, so that space is set aside for them, not left as a hole. The place
    /// where `append` writes does not move. After a failure the file may be longer than before.
    func extend(to size: Int) throws(FileSystemError)

    /// Says that many short appends will follow, up to `size` bytes of the file.
    ///
    /// From then on, and after a crash, the file may be longer than what was written, with zeros
    /// behind that; `close` cuts them off if it can.
    func expectShortAppends(upTo size: Int)

    /// Moves the place where `append` writes back to `offset`, at most the place where it is.
    ///
    /// What lies behind it stays until it is written over.
    func rewind(to offset: Int) throws(FileSystemError)

    /// Returns once all bytes written so far, and the size, are on the disk.
    ///
    /// After a failure nothing is known of the bytes since the last success; do not call it again.
    func sync() throws(FileSystemError)

    /// Closes the file; later calls fail.
    func close() throws(FileSystemError)
}

extension WritableFile {
    /// Does nothing: not every disk has a cheaper way.
    public func expectShortAppends(upTo size: Int) {}
}

/// A file that is read at any offset; closed when it is released.
public protocol RandomAccessFile: AnyObject, Sendable {
    /// The bytes from `offset`: `count` of them, or fewer if the file ends before.
    func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8]

    /// Reads the bytes from `offset` into memory of the caller's until it is full or the file ends.
    ///
    /// - Returns: how many bytes were read; the memory behind them is as it was.
    func read(
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileSystemError) -> Int

    /// Whether reading `count` bytes from `offset` will hardly wait for the disk.
    func isInMemory(at offset: Int, count: Int) -> Bool
}

extension RandomAccessFile {
    /// No: not every disk can tell.
    public func isInMemory(at offset: Int, count: Int) -> Bool { false }
}

/// A lock that is held until it is released or the process ends.
public protocol FileLock: AnyObject, Sendable {
    /// Gives the lock back; does nothing the second time.
    func release()
}
