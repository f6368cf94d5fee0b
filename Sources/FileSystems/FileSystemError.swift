/// A call to a file system that failed: which, on what, and why.
public struct FileSystemError: Error, Equatable, Sendable {
    /// What was asked of the file system.
    public enum Operation: String, Sendable, CaseIterable {
        /// Opening a file to append to it.
        case openForAppending = "open for appending"
        /// Opening a file to write over it.
        case openForOverwriting = "open for overwriting"
        /// Opening a file to read it.
        case openForReading = "open for reading"
        /// Reading bytes.
        case read
        /// Writing bytes.
        case append
        /// Lengthening a file with zeros.
        case extend
        /// Putting a file's bytes on the disk.
        case sync
        /// Closing a file.
        case close
        /// Reading a directory's names.
        case list
        /// Giving a file another name.
        case rename
        /// Giving a file a second name.
        case link
        /// Removing a file or directory.
        case remove
        /// Making a directory.
        case createDirectory = "create directory"
        /// Putting a directory's names on the disk.
        case syncDirectory = "sync directory"
        /// Asking for a file's size or existence.
        case status = "ask the status of"
        /// Cutting a file.
        case truncate
        /// Asking how much may still be written.
        case freeSpace = "ask the free space of"
        /// Taking a lock.
        case lock
    }

    /// The kinds of failure a caller may tell apart.
    public enum Reason: Equatable, Sendable {
        /// No file bears the name.
        case notFound
        /// A file bears the name already.
        case alreadyExists
        /// The disk or the quota is full.
        case noSpace
        /// The lock is held; the text says by whom, as the holder wrote it.
        case locked(holder: String)
        /// The process may not do this.
        case notPermitted
        /// Anything else.
        case failed
    }

    /// What was asked.
    public var operation: Operation
    /// Of which file or directory.
    public var path: String
    /// The kind of failure.
    public var reason: Reason
    /// The system's words for it, such as `No space left on device (errno 28)`.
    public var text: String

    /// A failure with its evidence.
    public init(_ operation: Operation, _ path: String, _ reason: Reason, _ text: String) {
        self.operation = operation
        self.path = path
        self.reason = reason
        self.text = text
    }
}

extension FileSystemError: CustomStringConvertible {
    /// What went wrong with which file.
    public var description: String {
        switch reason {
        case .locked(let holder):
            "cannot lock \(path): held by \(holder); stop that process first"
        case .noSpace:
            "cannot \(operation.rawValue) \(path): \(text); make room on the disk"
        default:
            "cannot \(operation.rawValue) \(path): \(text)"
        }
    }
}
